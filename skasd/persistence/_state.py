"""What is in a detector, checked before anything is scored with it."""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture

from skasd._sklearn import N_JOBS, validate_parameter_constraints
from skasd._utils.fitted import check_fitted
from skasd.features._clip_transformer import ClipTransformer
from skasd.features._pretrained import PretrainedMixin
from skasd.persistence._sklearn_states import STATES, State
from skasd.persistence._trust import RECORDS

PLAIN = {bool, float, int, str, type(None)}
"""Types of values that cannot change, and that are alike if they are equal."""

OF_SCIKIT_LEARN = {"n_features_in_", "feature_names_in_", "_sklearn_output_config"}
"""Attributes that any estimator may have."""


def check_state(detector: BaseEstimator) -> None:
    """Check the parameters and the fitted state of all estimators in a detector.

    Parameters
    ----------
    detector : fitted detector
        What was loaded, or is about to be saved.

    Raises
    ------
    ValueError
        If a parameter is out of range, or an array of another shape or dtype than it must be for
        the others, or not finite, or out of range.
    """
    # What an estimator holds is found after it, and checked before it.
    checked: set[Hashable] = set()
    for estimator in reversed(list(estimators_in(detector))):
        _check_attributes(estimator)
        _check_parameters(estimator, checked)
        state = _state_of(estimator)
        if state is not None and (not state.table or set(vars(estimator)) & set(state.table)):
            check_fitted(estimator, state.table)
            try:
                state.check(estimator)
            except ValueError as error:
                raise ValueError(f"{type(estimator).__name__}: {error}") from None
        _check_features(estimator)


def estimators_in(detector: BaseEstimator) -> Iterator[BaseEstimator]:
    """Yield each estimator in a detector once; check what else it holds but numbers.

    Parameters
    ----------
    detector : estimator
        Where to begin.

    Yields
    ------
    estimator
        The detector first.
    """
    seen, pending = set(), [detector]
    while pending:
        each = pending.pop()
        if type(each) in PLAIN or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, BaseEstimator):
            yield each
            pending += vars(each).values()
        elif isinstance(each, Mapping):
            pending += each.values()
        elif isinstance(each, list | tuple):
            pending += each
        elif isinstance(each, np.ndarray) and each.dtype == object:
            pending += each.ravel()
        elif isinstance(each, RECORDS):
            check_fitted(each, each._fitted)
        elif isinstance(each, np.random.RandomState):
            _check_random_state(each)


def _state_of(estimator: Any) -> State | None:
    if hasattr(type(estimator), "_fitted"):
        return State(estimator._fitted, type(estimator)._check_fitted)
    return STATES.get(type(estimator))


def _check_attributes(estimator: BaseEstimator) -> None:
    """Refuse attributes in the place of methods and properties."""
    kind: Any = type(estimator)
    for name in vars(estimator).keys() - _parameter_names(kind) - OF_SCIKIT_LEARN:
        if hasattr(kind, name):
            raise ValueError(f"{kind.__name__} has {name} as an attribute")


@lru_cache(maxsize=256)
def _parameter_names(kind: type[BaseEstimator]) -> tuple[str, ...]:
    # scikit-learn looks at the signature each time, which takes longer than the checks.
    return tuple(kind._get_param_names())


def _check_parameters(estimator: BaseEstimator, checked: set[Hashable]) -> None:
    """Check parameters, unless those of another estimator are of the same types and values."""
    kind: Any = type(estimator)
    parameters = {name: getattr(estimator, name) for name in _parameter_names(kind)}
    values = tuple((type(value), value) for value in parameters.values())
    if all(of in PLAIN for of, _ in values):
        if (kind, values) in checked:
            return
        checked.add((kind, values))
    name = kind.__name__
    constraints = getattr(estimator, "_parameter_constraints", {})
    validate_parameter_constraints(constraints, parameters, caller_name=name)
    if "n_jobs" in parameters:
        jobs = {"n_jobs": parameters["n_jobs"]}
        validate_parameter_constraints({"n_jobs": N_JOBS}, jobs, caller_name=name)
    if isinstance(estimator, ClipTransformer):
        estimator._check_parameters()


def _check_features(estimator: BaseEstimator) -> None:
    names = vars(estimator).get("feature_names_in_")
    if names is not None and np.shape(names) != (estimator.n_features_in_,):
        raise ValueError(f"{type(estimator).__name__} has {np.size(names)} names of features")


def _check_random_state(random_state: np.random.RandomState) -> None:
    state = random_state.get_state(legacy=False)["state"]
    if not 0 <= state["pos"] <= len(state["key"]) == 624:
        raise ValueError("a RandomState is at no place of its sequence")


@contextmanager
def as_saved(detector: BaseEstimator) -> Iterator[None]:
    """Have a detector hold, in the context, what a file is to hold.

    That is what `forget_places` leaves, and one array for each list of NumPy's numbers.

    Parameters
    ----------
    detector : fitted detector
        What is about to be written.

    Yields
    ------
    None
    """
    kinds = PretrainedMixin | GaussianMixture
    changed = [each for each in estimators_in(detector) if isinstance(each, kinds)]
    before = [dict(vars(each)) for each in changed]
    try:
        for each in changed:
            if isinstance(each, PretrainedMixin):
                each._forget_places()
            elif "lower_bounds_" in vars(each):
                # scikit-learn says that it is array-like; skops would make a file of each number.
                each.lower_bounds_ = np.array(each.lower_bounds_)
        yield
    finally:
        for each, state in zip(changed, before, strict=True):
            vars(each).update(state)


def forget_places(detector: BaseEstimator) -> None:
    """Forget folders of the machine where a detector was saved, and what was to be printed there.

    Parameters
    ----------
    detector : fitted detector
        What was loaded; changed in place.
    """
    for estimator in estimators_in(detector):
        if isinstance(estimator, PretrainedMixin):
            estimator._forget_places()
        if "verbose" in vars(estimator):
            estimator.verbose = type(estimator.verbose)(0)
