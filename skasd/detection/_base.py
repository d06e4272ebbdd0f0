"""The threshold and the p-values that every detector of skasd has, and what follows from them."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import Interval, StrOptions
from skasd._utils.fitted import Array, Number, Part, Text
from skasd.detection._calibration import (
    Calibration,
    clips_for,
    left_out_scores,
    suspicious,
)
from skasd.detection._score_report import ScoreReport
from skasd.exceptions import AudioError, CalibrationWarning

THRESHOLD_CONSTRAINTS = {
    "contamination": [Interval(Real, 0, 0.5, closed="right")],
    "threshold_rule": [StrOptions({"percentile", "gamma"})],
}

FEWEST_NEW_CLIPS = 20
"""Number of healthy clips that a new threshold needs."""

LEFT_OUT, SEEN, NEW = "left out", "seen in training", "new"
"""What the clips of `calibration_scores_` are to what has scored them: `calibrated_on_`."""

FEWEST_TO_LEAVE_OUT = 3
"""With fewer clips, each one is scored by a fit that has seen it."""

_is_member = ContextVar("is_member", default=False)
_leaves_out = ContextVar("leaves_out", default=True)


@contextmanager
def as_member(*, leaves_out: bool = False) -> Iterator[None]:
    """Fit detectors of an ensemble, which warns of few clips for them.

    Parameters
    ----------
    leaves_out : bool, default=False
        Whether each detector leaves clips out. Otherwise the ensemble does.
    """
    is_member, leaves = _is_member.set(True), _leaves_out.set(leaves_out)
    try:
        yield
    finally:
        _is_member.reset(is_member)
        _leaves_out.reset(leaves)


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


class AnomalyDetectorMixin(OutlierMixin):
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

    contamination: float
    threshold_rule: str
    offset_: float
    training_scores_: np.ndarray
    calibration_scores_: np.ndarray
    calibrated_on_: str

    _fitted: ClassVar[dict[str, Part]] = {
        "offset_": Number(),
        "training_scores_": Array(("n_training_clips",), "f8", nan=True),
        # Version 0.1.0.dev0 had neither of these.
        "calibration_scores_": Array(("n_calibration_clips",), "f8", optional=True),
        "calibrated_on_": Text((LEFT_OUT, SEEN, NEW), optional=True),
    }

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
        (k + 1) / (n + 1). What scored those n clips was not trained on them, unless
        `calibrated_on_` says so.

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

    def set_false_alarm_rate(self, false_alarm_rate: float) -> Self:
        """Set the threshold by the share of healthy clips above it, without another fit.

        Parameters
        ----------
        false_alarm_rate : float
            The new `contamination`, in (0, 0.5].

        Returns
        -------
        self : fitted detector

        Raises
        ------
        ValueError
            If the rate is out of range, or too small for the number of clips.

        Warns
        -----
        CalibrationWarning
            If the rate is less than 1 / (n + 1) for n clips, and the threshold extrapolated.
        """
        check_is_fitted(self)
        if not isinstance(false_alarm_rate, Real) or not 0 < false_alarm_rate <= 0.5:
            raise ValueError(f"false_alarm_rate={false_alarm_rate!r}: expected one in (0, 0.5].")
        offset = -self._calibration.threshold(false_alarm_rate)
        self.contamination, self.offset_ = false_alarm_rate, offset
        self._warn_of_few_clips()
        return self

    def recalibrate(self, X: ArrayLike | Sequence[Any], *, add: bool = False) -> ScoreReport:
        """Set the threshold by new healthy clips, without another fit.

        So a detector moves to another microphone, another place or a later week, and a false alarm
        becomes one more healthy clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            Healthy clips that the detector has not seen; at least 20, unless they are added.
        add : bool, default=False
            Whether they join the clips that the threshold comes from, rather than replace them.

        Returns
        -------
        ScoreReport
            How far the scores have moved, from the clips before to the new ones.

        Raises
        ------
        ValueError
            If there are too few clips, or a score is not finite.
        """
        return self._recalibrate(self.score_samples(X), add=add)

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

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Version 0.1.0.dev0 had one name for the rule and for the number.
        if "threshold" in state:
            state = {**state, "threshold_rule": state["threshold"]}
            del state["threshold"]
        super().__setstate__(state)

    def _check_fitted(self) -> None:
        """Refuse a fitted state that `_fitted` cannot describe."""
        scores = self._calibration.scores
        if not len(scores) or np.isnan(scores).any():
            raise ValueError("there are no scores that the threshold could come from")

    @property
    def _calibration(self) -> Calibration:
        check_is_fitted(self)
        # A detector of version 0.1.0.dev0 has no other scores.
        scores = getattr(self, "calibration_scores_", None)
        scores = self.training_scores_ if scores is None else scores
        return Calibration(-scores, self.threshold_rule)

    def _calibrate(self, training_scores: np.ndarray, calibrated_on: str = LEFT_OUT) -> None:
        """Set the threshold by scores of the training clips; NaN for those that have none."""
        self.training_scores_ = training_scores
        self._set_calibration(training_scores[~np.isnan(training_scores)], calibrated_on)
        self._warn_of_few_clips()

    def _calibrate_by_folds(
        self,
        score: Callable[[np.ndarray, np.ndarray], np.ndarray],
        features: np.ndarray,
        training_scores: np.ndarray,
        *,
        n_folds: int | None = None,
    ) -> None:
        """Set the threshold by scores of each clip by a fit on the others, if called for."""
        if not _leaves_out.get() or len(features) < FEWEST_TO_LEAVE_OUT:
            self._calibrate(training_scores, SEEN)
        else:
            self._calibrate(left_out_scores(score, features, n_folds))

    def _set_calibration(self, scores: np.ndarray, calibrated_on: str) -> None:
        calibration = Calibration(-scores, self.threshold_rule)
        self.offset_ = -calibration.threshold(self.contamination)
        self.calibration_scores_, self.calibrated_on_ = scores, calibrated_on

    def _set_threshold(self, anomaly_score: float) -> None:
        """Set the threshold itself, and the false-alarm rate to what healthy clips say of it."""
        self.offset_ = -anomaly_score
        self.contamination = min(float(self._calibration.p_values(anomaly_score)), 0.5)

    def _recalibrate(self, scores: np.ndarray, *, add: bool) -> ScoreReport:
        if len(scores) < (1 if add else FEWEST_NEW_CLIPS):
            raise ValueError(
                f"A threshold needs {FEWEST_NEW_CLIPS} healthy clips or more, got {len(scores)}. "
                "Record more, or add them to the clips that the present threshold comes from."
            )
        if not np.isfinite(scores).all():
            index = np.flatnonzero(~np.isfinite(scores))[0]
            raise ValueError(f"The score of clip {index} is {scores[index]}. Leave it out.")
        before = -self._calibration.scores
        report = ScoreReport.compare(-before, -scores, threshold=-self.offset_, fewest_clips=1)
        self._set_calibration(np.concatenate([before, scores]) if add else scores, NEW)
        self._warn_of_few_clips()
        return report

    def _report(self, scores: np.ndarray) -> ScoreReport:
        return ScoreReport.compare(self._calibration.scores, -scores, threshold=-self.offset_)

    def _warn_of_few_clips(self) -> None:
        calibration = self._calibration
        if calibration.extrapolates(self.contamination) and not _is_member.get():
            warnings.warn(
                f"{len(calibration.scores)} healthy clips, scored as new ones, cannot resolve a "
                f"false-alarm rate of {self.contamination:g}, so the threshold is extrapolated. "
                f"{clips_for(self.contamination)} would do.",
                CalibrationWarning,
                stacklevel=3,
            )

    def _warn_if_seen(self) -> None:
        calibrated_on = getattr(self, "calibrated_on_", None)
        if calibrated_on is None:
            reason = "was set by a version of skasd without p-values"
            ways = "Fit again, or recalibrate the detector"
        elif calibrated_on == SEEN:
            reason = "comes from clips that the detector was trained on"
            ways = "Fit with cv='members', or recalibrate the detector"
        else:
            return
        warnings.warn(
            f"The threshold {reason}, so that more healthy clips than "
            f"{100 * self.contamination:g} % may be called anomalous. {ways}, with "
            "recalibrate(healthy clips).",
            CalibrationWarning,
            stacklevel=3,
        )
