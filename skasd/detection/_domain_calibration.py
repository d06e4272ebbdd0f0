"""A calibration that holds in both domains."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from skasd.detection._calibration import Calibration
from skasd.detection._domains import SOURCE, TARGET


class DomainCalibration(Calibration):
    """Anomaly scores of healthy clips from two domains; a new clip is compared with each domain.

    Parameters
    ----------
    anomaly_scores : ndarray of shape (n_clips,)
        Scores of healthy clips that were not used to fit what scored them.
    is_target : ndarray of shape (n_clips,), bool
        Which of the clips are from the target domain; some must be, and some must not.
    rule : {"percentile", "gamma"}, default="percentile"
        See `Calibration`.

    Notes
    -----
    The domain of a new clip is unknown, so its p-value is the larger of its p-values in the two
    domains, and the threshold is the higher one. A healthy clip of either domain then exceeds the
    threshold no more often than requested, as by the calibration of its own domain alone. Within
    each domain, this is conformal prediction by categories (Vovk et al., section 4.5).

    References
    ----------
    Vovk et al., "Algorithmic learning in a random world", Springer, 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._domain_calibration import DomainCalibration
    >>> scores, is_target = np.array([1.0, 2.0, 3.0, 4.0, 7.0]), np.arange(5) == 4
    >>> DomainCalibration(scores, is_target).p_values([0.0, 3.5, 6.0]).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, anomaly_scores: np.ndarray, is_target: np.ndarray, rule: str = "percentile"):
        super().__init__(anomaly_scores, rule)
        self.domains = []
        for domain, is_of in ((SOURCE, ~is_target), (TARGET, is_target)):
            calibration = Calibration(anomaly_scores[is_of], rule)
            calibration.clips = f"healthy clips of the {domain}"
            self.domains.append(calibration)

    @property
    def coarsest(self) -> Calibration:
        """The domain with fewer clips."""
        return max(self.domains, key=lambda each: each.finest)

    @property
    def finest(self) -> float:
        """The smallest p-value that counting the clips can give."""
        return self.coarsest.finest

    def p_values(self, anomaly_scores: ArrayLike) -> np.ndarray:
        """Compute the share of healthy clips that score at least as high, in the domain with more.

        Parameters
        ----------
        anomaly_scores : array-like of shape (n_clips,)
            Higher is more anomalous; NaN has the p-value NaN.

        Returns
        -------
        ndarray of shape (n_clips,)
            In (0, 1].
        """
        return np.max([each.p_values(anomaly_scores) for each in self.domains], axis=0)

    def threshold(self, false_alarm_rate: float) -> float:
        """Return the anomaly score above which the p-value is at most a rate.

        Parameters
        ----------
        false_alarm_rate : float
            Share of the healthy clips of either domain above the threshold, in (0, 1).

        Returns
        -------
        float
        """
        return max(each.threshold(false_alarm_rate) for each in self.domains)

    def quantiles(self, shares: Sequence[float]) -> np.ndarray:
        """Return the anomaly scores that these shares of either domain's clips do not exceed."""
        return np.max([each.quantiles(shares) for each in self.domains], axis=0)


def calibration_of(
    anomaly_scores: np.ndarray, is_target: np.ndarray | None, rule: str
) -> Calibration:
    """Return the calibration for these scores; by domain if there are clips of both.

    Parameters
    ----------
    anomaly_scores : ndarray of shape (n_clips,)
        Scores of healthy clips.
    is_target : ndarray of shape (n_clips,), bool, or None
        Which clips are from the target domain, if this is known.
    rule : {"percentile", "gamma"}
        See `Calibration`.

    Returns
    -------
    Calibration
    """
    if is_target is None or is_target.all() or not is_target.any():
        return Calibration(anomaly_scores, rule)
    return DomainCalibration(anomaly_scores, is_target, rule)
