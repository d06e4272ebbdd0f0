"""The one door to scikit-learn's private names: if they move, this file alone follows."""

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import _fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import _param_validation
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "BaseComposition",
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "fit_context",
    "num_samples",
    "safe_indexing",
    "validate_parameter_constraints",
    "validate_params",
]

Function = TypeVar("Function", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Function], Function]:
    """Return the decorator of a `fit` that checks the parameters first, and keeps its type."""
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)


def validate_params(constraints: dict[str, list[Any]]) -> Callable[[Function], Function]:
    """Return the decorator of a function that checks its arguments first, and keeps its type."""
    return _param_validation.validate_params(constraints, prefer_skip_nested_validation=False)
