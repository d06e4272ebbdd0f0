"""Checks of a system's settings by type, before any recording is read."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from sklearn.base import BaseEstimator

KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
}
"""Types of values that can be typed on a command line, and what messages call them."""

NO_STEP = ("drop", "passthrough")


def check_kinds(factory: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Check the settings of a factory against the types that it declares.

    Parameters
    ----------
    factory : callable
        The factory, with annotated keywords.
    settings : mapping of str to object
        Names that the factory does not have are ignored.

    Raises
    ------
    ValueError
        If a value has another type.

    Examples
    --------
    >>> from skasd.systems import make_iaeo3
    >>> from skasd.systems._settings import check_kinds
    >>> check_kinds(make_iaeo3, {"openl3": "maybe"})
    Traceback (most recent call last):
    ValueError: openl3='maybe': expected true or false, or null.
    """
    hints = get_type_hints(factory)
    for name, value in settings.items():
        kinds = [get_origin(kind) or kind for kind in _kinds(hints.get(name, Any))]
        if Any not in kinds and not _is_one_of(value, kinds):
            expected = ", or ".join(KINDS[kind] for kind in kinds if kind in KINDS)
            raise ValueError(f"{name}={value!r}: expected {expected}.")


def set_checked(detector: Any, settings: Mapping[str, Any]) -> None:
    """Set parameters by their full names, and check all parameters as `fit` would.

    Parameters
    ----------
    detector : detector
        An unfitted detector.
    settings : mapping of str to object
        Parameters by their full names, such as ``estimator__detector__n_components``.

    Raises
    ------
    ValueError
        If a parameter does not exist, a step would be replaced by something other than "drop" or
        "passthrough", or a value is outside the range that its estimator allows.
    """
    held = detector.get_params()
    for name, value in settings.items():
        if name not in held:
            near = difflib.get_close_matches(name, held, n=3)
            hint = f" The closest names are {', '.join(near)}." if near else ""
            raise ValueError(f"there is no parameter {name!r}.{hint}")
        if _holds_steps(held[name]) or (_is_step(held[name]) and not _is_step(value)):
            raise ValueError(f"{name}={value!r}: a step can only become 'drop' or 'passthrough'.")
    detector.set_params(**settings)
    for estimator in [detector, *detector.get_params().values()]:
        # scikit-learn's FeatureUnion declares none.
        if isinstance(estimator, BaseEstimator) and hasattr(estimator, "_parameter_constraints"):
            estimator._validate_params()


def list_settings(factory: Callable[..., Any], detector: Any) -> dict[str, Any]:
    """List the settings of a system, with their defaults.

    Parameters
    ----------
    factory : callable
        The factory, which takes the short names.
    detector : detector
        The detector it made, which has the full names.

    Returns
    -------
    dict of str to object
        The settings of the factory, and then all parameters that are not estimators.
    """
    short = {
        name: parameter.default for name, parameter in inspect.signature(factory).parameters.items()
    }
    full = {
        name: value
        for name, value in detector.get_params().items()
        if "__" in name and not _is_step(value) and not _holds_steps(value)
    }
    return {**short, **full}


def _kinds(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _is_one_of(value: Any, kinds: list[Any]) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool in kinds
    if isinstance(value, Integral):
        return int in kinds or float in kinds
    if isinstance(value, Real):
        return float in kinds
    return isinstance(value, tuple(kinds))


def _is_step(value: Any) -> bool:
    return isinstance(value, BaseEstimator) or (isinstance(value, str) and value in NO_STEP)


def _holds_steps(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, tuple) for each in value)
