"""From the scores of healthy clips that a detector has not seen to p-values and thresholds."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.model_selection import KFold, PredefinedSplit
from sklearn.utils import check_random_state

from skasd._utils.threads import limited_threads

N_FOLDS, MANY_FOLDS = 5, 20
"""Folds in which a detector of features leaves clips out; many if these are few."""

MANY_CLIPS = 1000
"""From which on a fifth of the clips less makes no difference."""

FARTHEST = 1000
"""How many times less than 1 / (n + 1) an extrapolated p-value can be."""

LARGEST_SHAPE = 0.5
"""Up to which the moments of a generalized Pareto distribution say what its shape is."""

FAMILY_WISE = 0.05
"""Probability that a set of healthy clips has a clip that is called suspicious."""


class Calibration:
    """The anomaly scores of healthy clips, which a new clip's is compared with.

    Parameters
    ----------
    anomaly_scores : array-like of shape (n_clips,)
        Of healthy clips that are new to what scored them.
    rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` counts the clips that score as high, and extrapolates above the highest.
        ``"gamma"`` fits a gamma distribution to the scores.

    Notes
    -----
    With n clips, the p-value of a clip with k of them at least as high is (k + 1) / (n + 1)
    (conformal prediction). For a healthy clip without ties, each of these n + 1 values is equally
    likely. Above the highest score, the least of them shrinks by the tail of a generalized Pareto
    distribution, fitted by probability-weighted moments to the highest tenth of the scores (10
    at least, and at most half of them). Its shape is at least 0, so that the tail never ends, and
    a p-value is at least a thousandth of 1 / (n + 1).

    References
    ----------
    Vovk et al., "Algorithmic learning in a random world", Springer, 2005, section 2.2.

    Hosking and Wallis, "Parameter and quantile estimation for the generalized Pareto
    distribution", Technometrics 29(3), 1987, section 3.2.

    Examples
    --------
    >>> from skasd.detection._calibration import Calibration
    >>> calibration = Calibration([1.0, 2.0, 3.0, 4.0])
    >>> calibration.p_values([0.0, 2.5, 4.0]).tolist()
    [1.0, 0.6, 0.4]
    >>> calibration.threshold(0.4)
    3.0
    """

    clips = "healthy clips"
    """What a message calls them."""

    def __init__(self, anomaly_scores: ArrayLike, rule: str = "percentile"):
        self.scores = np.sort(np.asarray(anomaly_scores, dtype=np.float64))
        self.rule = rule
        if rule == "gamma" and np.ptp(self.scores) == 0:
            raise ValueError(
                "threshold_rule='gamma' fits a distribution to the scores, but all of them are "
                f"{self.scores[0]:.6g}. Use threshold_rule='percentile'."
            )

    @property
    def coarsest(self) -> "Calibration":
        """The part of it that resolves the least."""
        return self

    @property
    def finest(self) -> float:
        """The least p-value that counting the clips can give."""
        return 1 / (len(self.scores) + 1)

    def extrapolates(self, false_alarm_rate: float) -> bool:
        """Tell whether a rate is too small for counting the clips."""
        return self.rule == "percentile" and false_alarm_rate < self.finest

    def p_values(self, anomaly_scores: ArrayLike) -> np.ndarray:
        """Compute the share of healthy clips that score as high as each clip.

        Parameters
        ----------
        anomaly_scores : array-like of shape (n_clips,)
            Higher is more anomalous; NaN has the p-value NaN.

        Returns
        -------
        ndarray of shape (n_clips,)
            In (0, 1].
        """
        scores = np.asarray(anomaly_scores, dtype=np.float64)
        if self.rule == "gamma":
            return np.asarray(self._gamma.sf(scores))
        n_below = np.searchsorted(self.scores, scores, side="left")
        counted = (len(self.scores) - n_below + 1) / (len(self.scores) + 1)
        beyond = self._tail.sf(scores) / self._tail.sf(self.scores[-1])
        p_values = np.where(scores > self.scores[-1], self.finest * beyond, counted)
        return np.where(np.isnan(scores), np.nan, np.maximum(p_values, self.finest / FARTHEST))

    def threshold(self, false_alarm_rate: float) -> float:
        """Return the anomaly score above which the p-value is at most a rate.

        Parameters
        ----------
        false_alarm_rate : float
            Share of the healthy clips above the threshold, in (0, 1).

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If so few clips cannot tell, not even by extrapolation.
        """
        if self.rule == "gamma":
            return float(self._gamma.isf(false_alarm_rate))
        n_clips = len(self.scores)
        if false_alarm_rate < self.finest / FARTHEST:
            raise ValueError(
                f"A false-alarm rate of {false_alarm_rate:g} is less than {n_clips} healthy clips "
                f"can tell: ask for {self.finest / FARTHEST:.2g} or more, or calibrate on "
                f"{clips_for(false_alarm_rate * FARTHEST)} clips."
            )
        n_above = np.count_nonzero(np.arange(1, n_clips + 1) / (n_clips + 1) <= false_alarm_rate)
        if n_above:
            return float(self.scores[-n_above])
        share = self._tail.sf(self.scores[-1]) * false_alarm_rate / self.finest
        return float(self._tail.isf(share))

    def quantiles(self, shares: Sequence[float]) -> np.ndarray:
        """Return the anomaly scores that these shares of the healthy clips do not exceed."""
        return np.quantile(self.scores, shares)

    @cached_property
    def _gamma(self) -> Any:
        return stats.gamma(*stats.gamma.fit(self.scores))

    @cached_property
    def _tail(self) -> Any:
        """The generalized Pareto distribution of the highest scores."""
        n_clips = len(self.scores)
        n_highest = min(max(10, n_clips // 10), n_clips // 2)
        start = self.scores[-n_highest - 1] if n_highest else self.scores[0]
        excesses = self.scores[n_clips - n_highest :] - start
        mean = excesses.mean() if n_highest else 0.0
        if mean <= 0:
            # The highest scores are alike: anything above them is farther than any of them.
            return stats.expon(start, np.spacing(abs(start) + 1))
        ranks = np.arange(n_highest)
        weighted = np.mean(excesses * (n_highest - 1 - ranks)) / max(n_highest - 1, 1)
        shape = 0.0
        if mean > 2 * weighted:
            shape = float(np.clip(2 - mean / (mean - 2 * weighted), 0, LARGEST_SHAPE))
        return stats.genpareto(shape, start, mean * (1 - shape))


def clips_for(false_alarm_rate: float) -> int:
    """Return how many healthy clips resolve a false-alarm rate without extrapolation."""
    return int(np.ceil(1 / false_alarm_rate - 1 - 1e-9))


def in_words(p_value: float, finest: float) -> str:
    """Say what a p-value means.

    Parameters
    ----------
    p_value : float
        Of one clip.
    finest : float
        The least p-value that is not extrapolated.

    Returns
    -------
    str

    Examples
    --------
    >>> from skasd.detection._calibration import in_words
    >>> in_words(0.005, finest=0.005), in_words(0.4, finest=0.005)
    ('1 healthy clip in 200 sounds this odd', '1 healthy clip in 2 sounds this odd')
    >>> in_words(0.001, finest=0.005)
    'less than 1 healthy clip in 200 sounds this odd'
    """
    if p_value > 0.5:
        return "most healthy clips sound this odd"
    less = "less than " if p_value < finest else ""
    return f"{less}1 healthy clip in {int(1 / max(p_value, finest) + 0.01)} sounds this odd"


def folds_for(n_clips: int) -> int:
    """Return in how many folds so many clips are left out."""
    return min(MANY_FOLDS, n_clips) if n_clips < MANY_CLIPS else N_FOLDS


def split_clips(
    n_clips: int, n_folds: int, is_target: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split clips into folds, each with its share of either domain.

    Parameters
    ----------
    n_clips, n_folds : int
        How many there are, and are asked for.
    is_target : ndarray of shape (n_clips,), bool, or None, default=None
        Which clips are of the target, if that is known.

    Returns
    -------
    iterator of (ndarray, ndarray)
        Indices of the clips to fit on, and of those that are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._calibration import split_clips
    >>> is_target = np.arange(100) < 10
    >>> [int(is_target[test].sum()) for _, test in split_clips(100, 5, is_target)]
    [2, 2, 2, 2, 2]
    """
    if is_target is None:
        return KFold(n_folds, shuffle=True, random_state=0).split(np.empty(n_clips))
    random_state = check_random_state(0)
    fold = np.empty(n_clips, dtype=int)
    # One domain goes on where the other ends, so that no fold is much larger than others.
    for part, start in ((~is_target, 0), (is_target, np.sum(~is_target))):
        fold[part] = random_state.permutation(start + np.arange(np.sum(part))) % n_folds
    return PredefinedSplit(fold).split()


def left_out_scores(
    score: Callable[[np.ndarray, np.ndarray], np.ndarray],
    n_clips: int,
    is_target: np.ndarray | None = None,
    n_folds: int | None = None,
) -> np.ndarray:
    """Score each clip by a fit that has not seen it.

    Parameters
    ----------
    score : callable
        Fits a detector on the clips of the indices in its first argument, and returns the scores of
        the clips of those in its second.
    n_clips : int
        At least 2.
    is_target : ndarray of shape (n_clips,), bool, or None, default=None
        Which clips are of the target, if that is known. Of few such clips, each fold leaves out
        one alone, so that what scores it knows almost as many as what scores a new one.
    n_folds : int or None, default=None
        Number of fits, as far as there are clips; what `folds_for` says if None.

    Returns
    -------
    ndarray of shape (n_clips,)
        What `score` returned for each clip.
    """
    scores = np.empty(n_clips)
    n_folds = min(n_folds or folds_for(n_clips), n_clips)
    if is_target is not None:
        n_folds = max(n_folds, folds_for(int(np.sum(is_target))))
    # Threads only wait for each other in small fits.
    with limited_threads(1, user_api=None if n_clips < MANY_CLIPS else "openmp"):
        for train, test in split_clips(n_clips, n_folds, is_target):
            scores[test] = score(train, test)
    return scores


def suspicious(anomaly_scores: np.ndarray) -> np.ndarray:
    """Find the scores that lie apart from the others.

    Parameters
    ----------
    anomaly_scores : ndarray of shape (n_clips,)
        Of clips that are thought to be healthy.

    Returns
    -------
    ndarray of int
        Indices of those that are too high, the highest first.

    Notes
    -----
    Beyond the median, healthy scores are taken to fall off exponentially, as fast as from the
    median to the 90th percentile, which a few faults do not move. Of such scores, one in 20
    sets of clips has one beyond the limit.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._calibration import suspicious
    >>> suspicious(np.append(np.linspace(0, 1, 50), [30.0, 20.0])).tolist()
    [50, 51]
    """
    median, high = np.quantile(anomaly_scores, [0.5, 0.9])
    scale = (high - median) / np.log(5)
    # Scores that are alike but for rounding do not lie apart.
    scale = max(scale, 1e-9 * abs(median))
    limit = median + scale * np.log(len(anomaly_scores) / 2 / FAMILY_WISE)
    order = np.argsort(-anomaly_scores, kind="stable")
    return order[anomaly_scores[order] > limit]
