"""The one walk over a detector: through whatever holds estimators, to the steps that compute."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import BaseSearchCV
from skasd.audio._training_recordings import TrainingRecordings
from skasd.detection._base import AnomalyDetectorMixin
from skasd.features._clip_transformer import ClipTransformer


class Parts(NamedTuple):
    """What an estimator holds.

    Parameters
    ----------
    steps : list of (str, estimator)
        Names, as `set_params` has them, and estimators.
    side_by_side : bool
        Whether all of them take the input, rather than each what the one before gives.
    """

    steps: list[tuple[str, Any]]
    side_by_side: bool = False


class Detector(Protocol):
    """What every fitted detector can do, whichever package it is from."""

    def score_samples(self, X: Any) -> np.ndarray:
        """Compute how normal each clip is: higher is more normal."""

    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the distance from the threshold: negative for anomalous clips."""

    def predict(self, X: Any) -> np.ndarray:
        """Decide which clips are anomalous: +1 is normal, -1 anomalous."""


def parts_of(estimator: Any, *, fitted: bool = True) -> Parts | None:
    """Return what an estimator holds; None if it computes something itself.

    Parameters
    ----------
    estimator : estimator
        Anything. Pipelines, unions, column transformers, frozen estimators and searches of
        scikit-learn hold others, and so does what has a method `_parts`: the ensembles of skasd.
    fitted : bool, default=True
        Whether to return the fitted estimators of one that fits clones, if it is fitted. Otherwise
        those that it would clone.

    Returns
    -------
    Parts or None
        Steps that do nothing, such as ``"drop"`` and ``"passthrough"``, are left out.
    """
    if hasattr(estimator, "_parts"):
        return estimator._parts(fitted)
    if isinstance(estimator, Pipeline):
        return Parts(_estimators(estimator.steps))
    if isinstance(estimator, FeatureUnion):
        return Parts(union_parts(estimator), side_by_side=True)
    if isinstance(estimator, ColumnTransformer):
        are_fitted = fitted and hasattr(estimator, "transformers_")
        columns = estimator.transformers_ if are_fitted else estimator.transformers
        return Parts(_estimators([(name, step) for name, step, _ in columns]), side_by_side=True)
    if isinstance(estimator, FrozenEstimator):
        return Parts([("estimator", estimator.estimator)])
    if isinstance(estimator, BaseSearchCV):
        is_refit = fitted and hasattr(estimator, "best_estimator_")
        best = estimator.best_estimator_ if is_refit else estimator.estimator
        return Parts([("estimator", best)])
    if isinstance(estimator, FunctionTransformer) and estimator.func is None:
        return Parts([])  # what a fitted union makes of "passthrough"
    return None


def union_parts(union: FeatureUnion) -> list[tuple[str, Any]]:
    """Return the branches of a union that are not dropped, by name."""
    return _estimators(union.transformer_list)


def _estimators(steps: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, step) for name, step in steps if step is not None and not isinstance(step, str)]


def walk(estimator: Any, *, fitted: bool = True, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the steps that compute something, each with its full name, in the order of the data.

    Parameters
    ----------
    estimator : estimator
        What to walk over.
    fitted : bool, default=True
        See `parts_of`.
    name : str, default=""
        Name of `estimator` itself, which the names of its steps begin with.

    Yields
    ------
    name : str
        As `set_params` has it, such as ``"estimator__features__iae__spectrogram"``.
    step : estimator
        A step that holds no others.

    Examples
    --------
    >>> from skasd import make_iaeo3
    >>> from skasd._steps import walk
    >>> for name, step in walk(make_iaeo3(openl3=False)):
    ...     print(name, type(step).__name__)
    estimator__features__iae__spectrogram LogMelSpectrogram
    estimator__features__iae__autoencoder InterpolationAutoencoder
    estimator__detector GaussianMixtureDetector
    """
    parts = parts_of(estimator, fitted=fitted)
    if parts is None:
        yield name, estimator
        return
    for part_name, part in parts.steps:
        yield from walk(part, fitted=fitted, name=f"{name}__{part_name}" if name else part_name)


def first_steps(estimator: Any, *, fitted: bool = True) -> list[Any]:
    """Return the steps that get the input itself.

    Parameters
    ----------
    estimator : estimator
        What to walk over.
    fitted : bool, default=True
        See `parts_of`.

    Returns
    -------
    list of estimators
    """
    parts = parts_of(estimator, fitted=fitted)
    if parts is None:
        return [estimator]
    steps = [part for _, part in parts.steps]
    if parts.side_by_side:
        return [first for step in steps for first in first_steps(step, fitted=fitted)]
    for step in steps:
        firsts = first_steps(step, fitted=fitted)
        if firsts:
            return firsts
    return []


def last_step(detector: Any) -> Any:
    """Return the step that decides: the detector itself, or what is at the end of it.

    Parameters
    ----------
    detector : detector, pipeline or search that ends with one, or one that is frozen
        An ensemble decides itself.

    Returns
    -------
    estimator
    """
    parts = parts_of(detector)
    if parts is None or parts.side_by_side or not parts.steps:
        return detector
    return last_step(parts.steps[-1][1])


def best_of(detector: Any) -> Any:
    """Return the best detector of a fitted search; anything else as it is."""
    while isinstance(detector, BaseSearchCV) and hasattr(detector, "best_estimator_"):
        detector = detector.best_estimator_
    return detector


def threshold_of(detector: Any) -> float:
    """Return the anomaly score above which a detector calls a clip anomalous.

    Parameters
    ----------
    detector : fitted detector, or what `last_step` follows to one
        With `score_samples` and `offset_`.

    Returns
    -------
    float

    Raises
    ------
    NotFittedError
        If the detector is not fitted.
    TypeError
        If it is not a detector, or has no threshold.
    """
    check_detector(detector)
    last = last_step(detector)
    if not hasattr(last, "offset_"):
        raise TypeError(
            f"{type(last).__name__} has no offset_, and so no threshold. Pass a detector that has "
            "one, such as those of skasd."
        )
    # Some of scikit-learn's detectors have an array of one offset.
    return -float(np.squeeze(last.offset_))


def calibrated_step(detector: Any) -> AnomalyDetectorMixin | None:
    """Return the step of a detector that knows p-values; None if it is not a detector of skasd.

    Parameters
    ----------
    detector : detector, or what `last_step` follows to one
        What to walk over.

    Returns
    -------
    AnomalyDetectorMixin or None
        Its last step.
    """
    last = last_step(best_of(detector))
    return last if isinstance(last, AnomalyDetectorMixin) else None


def calibrated(detector: Any) -> AnomalyDetectorMixin:
    """Return the step of a fitted detector that knows p-values, which it must have.

    Parameters
    ----------
    detector : fitted detector, or what `last_step` follows to one
        With `score_samples`.

    Returns
    -------
    AnomalyDetectorMixin
        Its last step.

    Raises
    ------
    NotFittedError
        If the detector is not fitted.
    TypeError
        If it is not a detector, or not one of skasd.
    """
    check_detector(detector)
    step = calibrated_step(detector)
    if step is None:
        raise TypeError(
            f"{type(last_step(detector)).__name__} has no p-values: it is not a detector of skasd. "
            "Put it into a RepeatedSeedEnsemble, which has."
        )
    return step


def check_detector(detector: Any) -> None:
    """Check that a detector can score clips.

    Parameters
    ----------
    detector : object
        What a user has passed.

    Raises
    ------
    NotFittedError
        If the detector is not fitted.
    TypeError
        If it is not a detector.
    """
    if isinstance(detector, type) or not hasattr(detector, "score_samples"):
        # A search has its detector's methods once it is fitted, and not before.
        if isinstance(detector, BaseEstimator):
            check_is_fitted(last_step(detector))
        raise TypeError(f"{detector!r:.80} has no score_samples. {remedy(last_step(detector))}")
    check_is_fitted(detector)


def remedy(step: Any) -> str:
    """Say what to do about a last step that has no `score_samples`."""
    if hasattr(step, "decision_function") and hasattr(step, "decision_scores_"):
        return f"Wrap a detector of PyOD: PyODDetector({type(step).__name__}(...))."
    return "Pass a fitted detector, or a pipeline that ends with one."


def takes_clips(step: Any) -> bool:
    """Tell whether a step takes clips, as far as it says so itself.

    Parameters
    ----------
    step : estimator
        One of `first_steps`.

    Returns
    -------
    bool
        True if its tags say that it takes strings and no 2-D arrays, as a `ClipTransformer`'s do.
    """
    if not isinstance(step, BaseEstimator):
        return False
    tags = get_tags(step).input_tags
    return bool(tags.string and not tags.two_d_array)


def takes_spectrograms(step: Any) -> bool:
    """Tell whether a step takes spectrograms, as far as it says so itself.

    Parameters
    ----------
    step : estimator
        One of `first_steps`.

    Returns
    -------
    bool
        True if its tags say that it takes 3-D arrays alone, as a `SpectrogramTransformer`'s do.
    """
    if not isinstance(step, BaseEstimator):
        return False
    tags = get_tags(step).input_tags
    return bool(tags.three_d_array and not tags.two_d_array)


def reads_clips(step: Any) -> bool:
    """Tell whether a step of skasd takes clips, and so shares what is made of each.

    Parameters
    ----------
    step : estimator
        One of `first_steps`.

    Returns
    -------
    bool
    """
    return isinstance(step, ClipTransformer) and takes_clips(step)


def clip_steps(detector: Any, *, fitted: bool = True) -> list[Any]:
    """Return the first steps of a detector if all of them take clips; otherwise none.

    Parameters
    ----------
    detector : estimator
        What to walk over.
    fitted : bool, default=True
        See `parts_of`.

    Returns
    -------
    list of estimators
    """
    steps = first_steps(detector, fitted=fitted)
    return steps if steps and all(takes_clips(step) for step in steps) else []


def training_recordings(detector: Any) -> TrainingRecordings | None:
    """Return what is known about the recordings that a detector was fitted on.

    Parameters
    ----------
    detector : fitted detector
        What to walk over.

    Returns
    -------
    TrainingRecordings or None
        None if it was not fitted on clips, or by a version of skasd that did not look at them.
    """
    holders = [last_step(detector), *first_steps(detector)]
    found = [each.training_recordings_ for each in holders if hasattr(each, "training_recordings_")]
    return found[0] if found else None
