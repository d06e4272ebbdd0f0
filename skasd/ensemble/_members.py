"""What ensembles do with their members: fit, score out of fold, standardize, aggregate."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from joblib import delayed, effective_n_jobs
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import indexable
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import num_samples
from skasd._steps import clip_steps, first_steps, last_step, reads_clips, takes_spectrograms
from skasd._utils.fitted import Array, Estimator, ListOf
from skasd._utils.threads import one_ahead, parallel_threads
from skasd.audio._clips import Clips, check_clip, check_clips, check_sequence, iterate_clips
from skasd.audio._looking import (
    are_handed_on,
    describe_training,
    remarks_on,
    seconds_of,
    warn_of_misfits,
    warn_of_remarks,
)
from skasd.audio._training_recordings import TrainingRecordings
from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._calibrated import LEFT_OUT, NEW
from skasd.detection._domains import healthy_clips_of
from skasd.ensemble._fitting import FitAndScore, anomaly_score_by
from skasd.exceptions import AudioError
from skasd.features._one_reading import analyze_in_one_reading, are_spectrograms
from skasd.features._spectrogram_transformer import check_spectrograms


def _soft_max(scores: np.ndarray, axis: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the logarithm of the mean of the exponentials."""
    shares = 1 / scores.shape[axis] if weights is None else weights / np.sum(weights)
    return logsumexp(scores, axis=axis, b=shares)


AGGREGATIONS: dict[str, Callable[..., np.ndarray]] = {
    "min": np.min,
    "median": np.median,
    "mean": np.mean,
    "max": np.max,
    "soft_max": _soft_max,
}

BLOCK = 32
"""Clips that are scored at a time."""

FOLDS = 5
"""Folds, or parts, of which one is left out, so that a fit knows four fifths of the clips."""

FEW_CLIPS = 5
"""Up to which an error is likely to come from too few clips."""


class MembersMixin(AnomalyDetectorMixin, MetaEstimatorMixin):
    """What an ensemble of fitted members and a fusion of them have in common.

    A class with this mixin has the parameters `aggregation`, `n_jobs`, `contamination` and
    `threshold_rule`, and ends its `fit` with `self._fit_members(...)`.

    Examples
    --------
    >>> from skasd import FeatureDetector, RepeatedSeedEnsemble
    >>> X = [[1.0], [2.0], [3.0], [9.0]]
    >>> RepeatedSeedEnsemble(FeatureDetector(), n_repeats=2).fit(X).member_scores([[5.0]])
    array([[5., 5.]])
    """

    training_recordings_: TrainingRecordings

    _fitted = {
        **AnomalyDetectorMixin._fitted,
        "estimators_": ListOf(Estimator("score_samples"), fewest=1),
        "score_means_": Array(("n_members",), "f8"),
        "score_stds_": Array(("n_members",), "f8", above=0),
        "training_recordings_": Estimator(TrainingRecordings, optional=True),
    }

    def member_scores(self, X: Clips | ArrayLike) -> np.ndarray:
        """Compute the anomaly score of each clip by each member.

        Parameters
        ----------
        X : what the members were fitted on
            Clips, spectrograms or features.

        Returns
        -------
        ndarray of shape (n_clips, n_members)
            What is aggregated to the anomaly score, standardized if this detector does so;
            higher is more anomalous.
        """
        check_is_fitted(self)
        # Block by block, what the members share is computed once, and not kept for all clips.
        blocks = _blocks(X, self.estimators_)
        if effective_n_jobs(self.n_jobs) == 1 and are_spectrograms(first_steps(self)):
            analyzed = one_ahead(self._analyze_block, blocks)
            results = [self._score_block(block) for block in analyzed]
        else:
            results = parallel_threads(
                self.n_jobs, (delayed(self._analyze_and_score)(block) for block in blocks)
            )
        scores, remarks = zip(*results, strict=True)
        if any(remarks) and not are_handed_on(X):
            warn_of_remarks(dict(chain(*(each.items() for each in remarks))), num_samples(X))
        return (np.concatenate(scores) - self.score_means_) / self.score_stds_

    def score_samples(self, X: Clips | ArrayLike) -> np.ndarray:
        """Compute how normal each clip is.

        Parameters
        ----------
        X : what the members were fitted on
            Clips, spectrograms or features.

        Returns
        -------
        ndarray of shape (n_clips,)
            The aggregated anomaly score with its sign turned; higher is more normal.
        """
        return -self._aggregate(self.member_scores(X))

    @property
    def n_features_in_(self) -> int:
        """Number of features, if the members have it."""
        return self._first_member.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Feature names, if the members have them."""
        return self._first_member.feature_names_in_

    @property
    def _first_member(self) -> Any:
        # Not check_is_fitted: hasattr(ensemble, "n_features_in_") is to be False before fit.
        if not hasattr(self, "estimators_"):
            raise AttributeError(f"This {type(self).__name__} is not fitted.")
        return self.estimators_[0]

    def _check_fitted(self) -> None:
        super()._check_fitted()
        if len(self.estimators_) != len(self.score_means_):
            raise ValueError(f"{len(self.estimators_)} members have other means of their scores")

    def predict(self, X: Clips | ArrayLike) -> np.ndarray:
        """Decide which clips are anomalous.

        Parameters
        ----------
        X : what the members were fitted on
            Clips, spectrograms or features.

        Returns
        -------
        ndarray of shape (n_clips,), int
            +1 for normal clips, -1 for anomalous ones.

        Raises
        ------
        AudioError
            If a clip cannot be read or analyzed, or is shorter than the training clips: the
            threshold is not for such.

        Warns
        -----
        CalibrationWarning
            If the threshold comes from scores of clips that the detector was trained on.
        RecordingWarning
            If clips are unlike those that the detector was fitted on.
        """
        self._check_lengths(X)
        return super().predict(X)

    def p_values(self, X: Clips | ArrayLike) -> np.ndarray:
        """Compute for each clip the share of healthy clips that sound as odd.

        Parameters
        ----------
        X : what the members were fitted on
            Clips, spectrograms or features.

        Returns
        -------
        ndarray of shape (n_clips,)
            In (0, 1], and uniform for healthy clips; small for anomalous ones.

        Raises
        ------
        AudioError
            As `predict` does.

        Warns
        -----
        CalibrationWarning, RecordingWarning
            As `predict` does.
        """
        self._check_lengths(X)
        return super().p_values(X)

    def _check_lengths(self, X: Any) -> None:
        """Refuse clips that are too short for a verdict, before any of them is scored."""
        check_is_fitted(self)
        recordings = getattr(self, "training_recordings_", None)
        if recordings is None or not lengths_count(self) or not share_analyses(*self.estimators_):
            return
        listener = first_steps(self)[0]
        for clip in check_clips(X):
            recordings.check_length(clip.name, seconds_of(clip, listener))

    def _analyze_block(self, X: Any) -> None:
        """Analyze clips, which remember what all members take."""
        if share_analyses(*self.estimators_):
            listeners = first_steps(self)
            analyze_in_one_reading(X, listeners, listeners[0].n_jobs)

    def _analyze_and_score(self, X: Any) -> tuple[np.ndarray, dict[str, str]]:
        self._analyze_block(X)
        return self._score_block(X)

    def _score_block(self, X: Any) -> tuple[np.ndarray, dict[str, str]]:
        """Return the scores of clips by all members, and what is to be said of single clips."""
        scores = np.column_stack([anomaly_score_by(member, X) for member in self.estimators_])
        recordings = getattr(self, "training_recordings_", None)
        if recordings is None or not share_analyses(*self.estimators_):
            return scores, {}
        return scores, remarks_on(X, first_steps(self)[0], recordings)

    def _aggregate(self, member_scores: np.ndarray) -> np.ndarray:
        return AGGREGATIONS[self.aggregation](member_scores, axis=1)

    def _fit_members(
        self,
        members: Mapping[str, BaseEstimator],
        X: Any,
        y: Any,
        domain: Any,
        *,
        plan: Callable[[int, np.ndarray | None], Sequence[FitAndScore]],
        standardize: bool,
        calibrated_on: str = LEFT_OUT,
    ) -> None:
        """Fit the members, by the plan for so many clips, and set the threshold."""
        shared = share_analyses(*members.values())
        if shared:
            check_sequence(X)
        X, y, is_target = indexable(*healthy_clips_of(X, y, domain))
        if hasattr(self, "training_recordings_"):
            del self.training_recordings_
        if shared:
            listeners = [step for member in members.values() for step in first_steps(member)]
            handed_on, X = are_handed_on(X), check_clips(X)
            analyze_in_one_reading(X, listeners, self.n_jobs or listeners[0].n_jobs)
            if not handed_on:
                warn_of_misfits(X, listeners)
            self.training_recordings_ = describe_training(X, listeners)
        else:
            _check_spectrograms(X, *members.values())
        n_clips = num_samples(X)
        # Threads share each clip's analysis, and JAX's threads.
        try:
            results = parallel_threads(
                self.n_jobs,
                (
                    delayed(fit_and_score)(member, X, y, is_target)
                    for fit_and_score, member in zip(
                        plan(n_clips, is_target), members.values(), strict=True
                    )
                ),
            )
        except ValueError as error:
            if n_clips > FEW_CLIPS or isinstance(error, AudioError):
                raise
            raise ValueError(
                f"{n_clips} healthy clips are too few for this detector. Record 20 or more. In "
                f"its own words: {error}"
            ) from error
        fitted, member_scores, new = zip(*results, strict=True)
        scores, is_new = np.column_stack(member_scores), np.column_stack(new)
        means, stds = np.zeros(len(fitted)), np.ones(len(fitted))
        if standardize:
            means, stds = (f(scores, axis=0, where=is_new) for f in (np.mean, np.std))
            for name, mean, std in zip(members, means, stds, strict=True):
                # Scores that are alike but for rounding have no spread either.
                if not std > 1e-12 * abs(mean):
                    raise ValueError(
                        f"{name} scores all {n_clips} training clips alike ({mean:.6g}), so "
                        "there is no spread to standardize its scores by. Leave it out, or fit on "
                        "clips that differ."
                    )
        self.estimators_ = list(fitted)
        self.score_means_, self.score_stds_ = means, stds
        new_scores = -self._aggregate_new((scores - means) / stds, is_new)
        self._calibrate(new_scores, calibrated_on, is_target)

    def _aggregate_new(self, member_scores: np.ndarray, is_new: np.ndarray) -> np.ndarray:
        """Aggregate the scores of the clips that are new to all members; NaN for the others."""
        scores = np.full(len(member_scores), np.nan)
        are_new = is_new.all(axis=1)
        scores[are_new] = self._aggregate(member_scores[are_new])
        return scores


def share_analyses(*detectors: Any) -> bool:
    """Tell whether detectors can be handed clips that remember what is made of them."""
    steps = [step for detector in detectors for step in first_steps(detector)]
    return bool(steps) and all(map(reads_clips, steps))


def lengths_count(detector: Any) -> bool:
    """Tell whether a threshold is for clips as long as the training clips, and not for new ones."""
    return getattr(last_step(detector), "calibrated_on_", None) != NEW


def take_clips(detector: Any, X: Any) -> bool:
    """Tell whether a detector takes clips: its first steps say so, or it is handed paths."""
    if clip_steps(detector):
        return True
    # Iterating over a table would give the names of its columns.
    is_sequence = hasattr(X, "__iter__") and not hasattr(X, "columns")
    return is_sequence and any(isinstance(clip, str | os.PathLike) for clip in X)


def _blocks(X: Any, members: Sequence[Any]) -> Iterator[Any]:
    """Split clips into blocks of `BLOCK`; leave what was computed elsewhere whole."""
    if not take_clips(members[0], X):
        yield X
        return
    check_sequence(X)
    clips, shared = list(iterate_clips(X)), share_analyses(*members)
    if shared:
        check_clips(clips)
    for start in range(0, len(clips), BLOCK):
        block = clips[start : start + BLOCK]
        yield [check_clip(clip, start + i) for i, clip in enumerate(block)] if shared else block


def _check_spectrograms(X: Any, *members: Any) -> None:
    """Check what is about to be split, while errors can tell which spectrogram is wrong."""
    steps = [step for member in members for step in first_steps(member, fitted=False)]
    if steps and all(map(takes_spectrograms, steps)):
        check_spectrograms(X)
