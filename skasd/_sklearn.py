"""The one door to scikit-learn's private names: if they move, this file alone follows."""

from collections.abc import Callable
from functools import wraps
from numbers import Integral
from typing import Any, TypeVar, cast

from sklearn.base import _fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.tree._tree import NODE_DTYPE
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
    "N_JOBS",
    "TREE_NODE_FIELDS",
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

N_JOBS = [Interval(Integral, -1024, 1024, closed="both"), None]
"""Constraint of the parameter `n_jobs`: each job is a thread."""

TREE_NODE_FIELDS = NODE_DTYPE.names
"""What an array of the nodes of a tree has for each of them."""

Function = TypeVar("Function", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Function], Function]:
    """Return the decorator of a `fit` that checks parameters first, and fails without a trace."""
    check_parameters = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)

    def decorate(fit: Function) -> Function:
        checked = check_parameters(fit)

        @wraps(fit)
        def whole_fit(estimator: Any, *args: Any, **kwargs: Any) -> Any:
            # If it fails or is interrupted, the estimator is as it was before.
            before = dict(vars(estimator))
            try:
                return checked(estimator, *args, **kwargs)
            except BaseException:
                vars(estimator).clear()
                vars(estimator).update(before)
                raise

        return cast(Function, whole_fit)

    return decorate


def validate_params(constraints: dict[str, list[Any]]) -> Callable[[Function], Function]:
    """Return the decorator of a function that checks its arguments first, and keeps its type."""
    return _param_validation.validate_params(constraints, prefer_skip_nested_validation=False)
