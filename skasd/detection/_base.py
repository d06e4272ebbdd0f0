"""What every detector of skasd says of clips: scores, verdicts and p-values."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skasd.detection._calibrated import CalibratedMixin
from skasd.detection._calibration import suspicious
from skasd.detection._score_report import ScoreReport
from skasd.exceptions import AudioError


def check_scores(scores: np.ndarray, X: Any) -> None:
    """Refuse a score that is no number, before it counts as normal.

    Parameters
    ----------
    scores : ndarray of shape (n_clips,)
        Of these clips.
    X : clips, spectrograms or features
        What was scored.

    Raises
    ------
    AudioError
        If a score is NaN: of which clip.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._base import check_scores
    >>> check_scores(np.array([1.0, np.nan]), ["a.wav", "b.wav"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    skasd.exceptions.AudioError: b.wav: has a score that is no number (NaN). Score it by another...
    """
    is_nan = np.isnan(scores)
    if not is_nan.any():
        return
    index = int(np.flatnonzero(is_nan)[0])
    clip = X[index] if isinstance(X, Sequence) else None
    clip = getattr(clip, "name", clip)
    name = os.fspath(clip) if isinstance(clip, str | os.PathLike) else f"clip {index}"
    raise AudioError(
        name,
        "has a score that is no number (NaN)",
        "Score it by another detector, or fit this one again: it may be damaged.",
    )


class AnomalyDetectorMixin(CalibratedMixin):
    """What follows from `score_samples` and the scores of healthy clips in every detector.

    A class with this mixin has the parameters `contamination` and `threshold_rule`, a method
    `score_samples`, and ends its `fit` with `self._calibrate(scores of the training clips)`: of
    those that were left out of the fit, or have been scored as if they were.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import FeatureDetector
    >>> detector = FeatureDetector(contamination=0.25).fit(np.array([[1.0], [2.0], [3.0]]))
    >>> detector.anomaly_score([[5.0]]), detector.predict([[5.0]])
    (array([5.]), array([-1]))
    >>> detector.p_values([[2.5], [0.0]])
    array([0.5, 1. ])
    """

    # As LocalOutlierFactor has it: verdicts are for new clips, not for those of the training.
    novelty = True

    @property
    def fit_predict(self) -> Any:
        """Not available: `predict` is for clips that the detector was not fitted on."""
        raise AttributeError(
            f"{type(self).__name__} judges clips that it was not fitted on. Use "
            "suspicious_training_clips() to find odd ones among those that it was."
        )

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
            ``score_samples(X) - offset_``; negative for anomalous clips, whose p-value is at most
            `contamination`.
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

        Raises
        ------
        AudioError
            If the score of a clip is NaN, which says neither.

        Warns
        -----
        CalibrationWarning
            If the threshold comes from scores of clips that the detector was trained on.
        """
        distances = self.decision_function(X)
        check_scores(distances, X)
        decisions = np.where(distances < 0, -1, 1)
        self._warn_if_seen()
        return decisions

    def p_values(self, X: ArrayLike | Sequence[Any]) -> np.ndarray:
        """Compute for each clip the share of healthy clips that sound as odd.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,)
            In (0, 1], and uniform for healthy clips; small for anomalous ones. Less than
            1 / (n + 1), for n calibration clips, is extrapolated.

        Raises
        ------
        AudioError
            If the score of a clip is NaN.

        Warns
        -----
        CalibrationWarning
            If it is computed from scores of clips that the detector was trained on.

        Notes
        -----
        With k of n calibration clips that score at least as high, the p-value is
        (k + 1) / (n + 1). If `fit` was told the clips' domains, it is the larger of those by either
        domain, so that it holds for clips of both. What scored those n clips was not trained on
        them, unless `calibrated_on_` says so.

        References
        ----------
        Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial Intelligence
        74, 2015.
        """
        anomaly_scores = self.anomaly_score(X)
        check_scores(anomaly_scores, X)
        p_values = self._calibration.p_values(anomaly_scores)
        self._warn_if_seen()
        return p_values

    def score_report(self, X: ArrayLike | Sequence[Any]) -> ScoreReport:
        """Compare a batch with healthy clips, to distinguish odd clips from a changed machine.

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
        """
        return self._report(self.score_samples(X))

    def suspicious_training_clips(self) -> np.ndarray:
        """Find training clips that sound unlike the others, and may be faults.

        Returns
        -------
        ndarray of int
            Their indices among the healthy clips that the detector was fitted on, the oddest
            first: those whose score lies apart from those of the other clips.

        Notes
        -----
        The scores are those by which clips were left out. One set of healthy clips in 20 has a
        clip that is named for no reason, if their scores fall off exponentially.
        """
        check_is_fitted(self)
        scored = np.flatnonzero(~np.isnan(self.training_scores_))
        return scored[suspicious(-self.training_scores_[scored])]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # scikit-learn's checks then pass no labels of 0, which `fit` refuses.
        tags.target_tags.positive_only = True
        return tags
