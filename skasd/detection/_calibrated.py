"""The threshold and the p-values that every detector of skasd has, and how they are set."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import Interval, StrOptions
from skasd._utils.fitted import Array, Number, Part, Text
from skasd.detection._calibration import (
    Calibration,
    clips_for,
    left_out_scores,
)
from skasd.detection._domain_calibration import calibration_of
from skasd.detection._domains import check_domain
from skasd.detection._score_report import ScoreReport
from skasd.exceptions import CalibrationWarning

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


def is_member() -> bool:
    """Tell whether a detector is fitted as part of an ensemble."""
    return _is_member.get()


class CalibratedMixin(OutlierMixin):
    """A threshold by the scores of healthy clips, and how it is set, moved and reported on.

    A class with this mixin has the parameters `contamination` and `threshold_rule`, a method
    `score_samples`, and ends its `fit` with `self._calibrate(scores of the training clips)`: of
    those that were left out of the fit, or have been scored as if they were.
    """

    contamination: float
    threshold_rule: str
    offset_: float
    training_scores_: np.ndarray
    calibration_scores_: np.ndarray
    calibration_is_target_: np.ndarray | None
    calibrated_on_: str

    # Routed to each step that takes it, without `set_fit_request`.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"domain": True}

    _fitted: ClassVar[dict[str, Part]] = {
        "offset_": Number(),
        "training_scores_": Array(("n_training_clips",), "f8", nan=True),
        # Version 0.1.0.dev0 had neither of these.
        "calibration_scores_": Array(("n_calibration_clips",), "f8", optional=True),
        "calibration_is_target_": Array(("n_calibration_clips",), "b", optional=True),
        "calibrated_on_": Text((LEFT_OUT, SEEN, NEW), optional=True),
    }

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

    def recalibrate(
        self,
        X: ArrayLike | Sequence[Any],
        *,
        add: bool = False,
        domain: str | ArrayLike | None = None,
    ) -> ScoreReport:
        """Set the threshold by new healthy clips, without another fit.

        So a detector moves to another microphone, another place or a later week, and a false alarm
        becomes one more healthy clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            Healthy clips that the detector has not seen; at least 20, unless they are added.
        add : bool, default=False
            Whether they join the clips that the threshold comes from, rather than replace them.
        domain : {"source", "target"} or array-like of shape (n_clips,), default=None
            Where they are from: with ``domain="target", add=True``, ten clips from another
            microphone or season are not lost among a thousand older ones, and the threshold holds
            for both. Clips that are added without it are of the target if the detector knows
            domains.

        Returns
        -------
        ScoreReport
            How far the scores have moved, from the clips before to the new ones.

        Raises
        ------
        ValueError
            If there are too few clips, a score is not finite, or a domain is neither of these.
        """
        return self._recalibrate(self.score_samples(X), add=add, domain=domain)

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
        return calibration_of(-self._calibration_scores, self._is_target, self.threshold_rule)

    @property
    def _calibration_scores(self) -> np.ndarray:
        # A detector of version 0.1.0.dev0 has no other scores.
        scores = getattr(self, "calibration_scores_", None)
        return self.training_scores_ if scores is None else scores

    @property
    def _is_target(self) -> np.ndarray | None:
        """Which clips of the calibration are of the target, if that is known."""
        return getattr(self, "calibration_is_target_", None)

    def _calibrate(
        self,
        training_scores: np.ndarray,
        calibrated_on: str = LEFT_OUT,
        is_target: np.ndarray | None = None,
    ) -> None:
        """Set the threshold by scores of the training clips; NaN for those that have none."""
        self.training_scores_ = training_scores
        has_score = ~np.isnan(training_scores)
        is_target = None if is_target is None else is_target[has_score]
        self._set_calibration(training_scores[has_score], calibrated_on, is_target)
        self._warn_of_few_clips()

    def _calibrate_by_folds(
        self,
        score: Callable[[np.ndarray, np.ndarray], np.ndarray],
        training_scores: np.ndarray,
        is_target: np.ndarray | None = None,
        *,
        n_folds: int | None = None,
    ) -> None:
        """Set the threshold by scores of each clip by a fit on the others, if called for."""
        n_clips = len(training_scores)
        if not _leaves_out.get() or n_clips < FEWEST_TO_LEAVE_OUT:
            self._calibrate(training_scores, SEEN, is_target)
        else:
            self._calibrate(
                left_out_scores(score, n_clips, is_target, n_folds), is_target=is_target
            )

    def _set_calibration(
        self, scores: np.ndarray, calibrated_on: str, is_target: np.ndarray | None
    ) -> None:
        calibration = calibration_of(-scores, is_target, self.threshold_rule)
        self.offset_ = -calibration.threshold(self.contamination)
        self.calibration_scores_, self.calibrated_on_ = scores, calibrated_on
        self.calibration_is_target_ = is_target

    def _set_threshold(self, anomaly_score: float) -> None:
        """Set the threshold itself, and the false-alarm rate to what healthy clips say of it."""
        self.offset_ = -anomaly_score
        self.contamination = min(float(self._calibration.p_values(anomaly_score)), 0.5)

    def _recalibrate(
        self, scores: np.ndarray, *, add: bool, domain: str | ArrayLike | None = None
    ) -> ScoreReport:
        if len(scores) < (1 if add else FEWEST_NEW_CLIPS):
            raise ValueError(
                f"A threshold needs {FEWEST_NEW_CLIPS} healthy clips or more, got {len(scores)}. "
                "Record more, or add them to the clips that the present threshold comes from."
            )
        if not np.isfinite(scores).all():
            index = np.flatnonzero(~np.isfinite(scores))[0]
            raise ValueError(f"The score of clip {index} is {scores[index]}. Leave it out.")
        domain = [domain] * len(scores) if isinstance(domain, str) else domain
        is_target = check_domain(domain, scores)
        before = self._calibration_scores
        report = ScoreReport.compare(-before, -scores, threshold=-self.offset_, fewest_clips=1)
        if add:
            known = self._is_target
            if known is not None or is_target is not None:
                known = np.zeros(len(before), dtype=bool) if known is None else known
                new = np.ones(len(scores), dtype=bool) if is_target is None else is_target
                is_target = np.concatenate([known, new])
            scores = np.concatenate([before, scores])
        self._set_calibration(scores, NEW, is_target)
        self._warn_of_few_clips()
        return report

    def _report(self, scores: np.ndarray) -> ScoreReport:
        return ScoreReport.compare(self._calibration.scores, -scores, threshold=-self.offset_)

    def _warn_of_few_clips(self) -> None:
        calibration = self._calibration.coarsest
        if calibration.extrapolates(self.contamination) and not is_member():
            warnings.warn(
                f"{len(calibration.scores)} {calibration.clips}, scored as new ones, cannot "
                f"resolve a false-alarm rate of {self.contamination:g}, so the threshold is "
                f"extrapolated. {clips_for(self.contamination)} would do.",
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
