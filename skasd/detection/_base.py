"""The threshold that every detector of skasd shares, and what follows from it."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import OutlierMixin

from skasd._sklearn import Interval, StrOptions
from skasd.detection._score_report import ScoreReport

THRESHOLD_CONSTRAINTS = {
    "contamination": [Interval(Real, 0, 0.5, closed="right")],
    "threshold_rule": [StrOptions({"percentile", "gamma"})],
}


class AnomalyDetectorMixin(OutlierMixin):
    """What follows from `score_samples` and `offset_` in every detector.

    A class with this mixin has the parameters `contamination` and `threshold_rule`, a method
    `score_samples`, and ends its `fit` with `self._fit_offset(scores of the training clips)`.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import FeatureDetector
    >>> detector = FeatureDetector(contamination=0.25).fit(np.array([[1.0], [2.0], [3.0], [9.0]]))
    >>> detector.anomaly_score([[5.0]]), detector.predict([[5.0]])
    (array([5.]), array([-1]))
    """

    def anomaly_score(self, X: ArrayLike | Sequence[Any]) -> np.ndarray:
        """Compute how anomalous each clip is, as in the CSV files of DCASE.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,)
            ``-score_samples(X)``; higher is more anomalous.
        """
        return -self.score_samples(X)

    def decision_function(self, X: ArrayLike | Sequence[Any]) -> np.ndarray:
        """Compute the distance from the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,)
            ``score_samples(X) - offset_``; negative for anomalous clips.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike | Sequence[Any]) -> np.ndarray:
        """Decide which clips are anomalous.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,), int
            +1 for normal clips, -1 for anomalous ones.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def score_report(self, X: ArrayLike | Sequence[Any]) -> ScoreReport:
        """Compare a batch with the training clips, to distinguish odd clips from a changed machine.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            At least 5 clips from one period of time, normal as far as anyone knows.

        Returns
        -------
        ScoreReport
            Quantiles of both, a two-sample test, and a verdict.

        Raises
        ------
        ValueError
            If there are fewer than 5 clips.

        Notes
        -----
        An autoencoder knows its training clips too well for a comparison with new ones. Fit with
        ``cv=2``, so that the training scores are those of clips that were left out.
        """
        return ScoreReport.compare(
            -self.training_scores_, self.anomaly_score(X), threshold=-self.offset_
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Version 0.1.0.dev0 had one name for the rule and for the number.
        if "threshold" in state:
            state = {**state, "threshold_rule": state["threshold"]}
            del state["threshold"]
        super().__setstate__(state)

    def _fit_offset(self, training_scores: np.ndarray) -> None:
        self.training_scores_ = training_scores
        if self.threshold_rule == "percentile":
            self.offset_ = np.percentile(training_scores, 100 * self.contamination)
            return
        if np.ptp(training_scores) == 0:
            raise ValueError(
                "threshold_rule='gamma' fits a distribution to the training scores, but all of "
                f"them are {training_scores[0]:.6g}. Use threshold_rule='percentile'."
            )
        distribution = stats.gamma(*stats.gamma.fit(-training_scores))
        self.offset_ = -distribution.ppf(1 - self.contamination)
