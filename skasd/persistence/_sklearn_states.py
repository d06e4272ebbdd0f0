"""What is fitted in those estimators of scikit-learn that a model file may hold."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import OneClassSVM
from sklearn.tree import ExtraTreeRegressor

from skasd._utils.fitted import (
    Array,
    Estimator,
    Exactly,
    ListOf,
    Number,
    Part,
    Text,
    check_fitted,
)
from skasd.persistence._trees import check_forest

METRICS = ("cosine", "cityblock", "euclidean", "l1", "l2", "manhattan", "minkowski", "sqeuclidean")
"""Distances that need nothing but two clips; the others take arrays, or positions for clips."""


class State(NamedTuple):
    """What a class of estimators has once it is fitted.

    Parameters
    ----------
    table : mapping of str to part
        What each of its attributes is.
    check : callable
        Raises a ValueError for what the table cannot say.
    """

    table: dict[str, Part]
    check: Callable[[Any], None] = lambda estimator: None


def _per_feature(dtype: str = "f", **bounds: Any) -> Array:
    return Array(("n_features_in_",), dtype, **bounds)


def _check_scaler(scaler: StandardScaler) -> None:
    _require(not scaler.with_std or scaler.scale_ is not None, "has no scale_")
    _require(not scaler.with_mean or scaler.mean_ is not None, "has no mean_")


def _check_mixture(mixture: GaussianMixture) -> None:
    k, n = "n_components", "n_features_in_"
    shapes: dict[str, tuple[str, ...]] = {
        "full": (k, n, n),
        "tied": (n, n),
        "diag": (k, n),
        "spherical": (k,),
    }
    covariances = Array(shapes[mixture.covariance_type])
    names = ("covariances_", "precisions_", "precisions_cholesky_")
    check_fitted(mixture, dict.fromkeys(names, covariances))
    factors = mixture.precisions_cholesky_
    if mixture.covariance_type in ("full", "tied"):
        factors = np.diagonal(factors, axis1=-2, axis2=-1)
    _require((factors > 0).all(), "has precisions_cholesky_ that are not positive")
    _require(abs(mixture.weights_.sum() - 1) < 1e-3, "has weights_ whose sum is not 1")


def _check_svm(svm: OneClassSVM) -> None:
    # "precomputed" takes the numbers in a clip for the places of other clips.
    _require(
        svm.kernel in ("linear", "poly", "rbf", "sigmoid"), f"has the kernel {svm.kernel!r:.80}"
    )
    n_vectors, n_features = svm.support_vectors_.shape
    _require(n_vectors > 0 and n_features > 0, "has no support vectors")
    _require(svm._n_support[0] == n_vectors, "has another number of support vectors")
    _require(svm.shape_fit_[1] == n_features, "has support vectors of another width")


def _check_search(search: NearestNeighbors | LocalOutlierFactor) -> None:
    _require(search.metric in METRICS, f"has the metric {search.metric!r:.80}")
    _require(search.metric_params is None, "has a metric with parameters")
    parameters = search.effective_metric_params_
    _require(
        isinstance(parameters, dict) and set(parameters) <= {"p"}, "has a metric with parameters"
    )
    for power in parameters.values():
        Number(above=0).check(power, {})


def _check_outlier_factor(detector: LocalOutlierFactor) -> None:
    _check_search(detector)
    _require(detector.novelty, "is not for new clips: pass novelty=True, and fit again")
    _require(detector.n_neighbors_ < detector.n_samples_fit_, "has too few clips")


def _check_steps(pipeline: Pipeline) -> None:
    _require(pipeline.memory is None and pipeline.transform_input is None, "has a memory")
    pipeline._validate_steps()


def _check_branches(union: FeatureUnion) -> None:
    _require(union.transformer_weights is None, "has transformer_weights")
    union._validate_transformers()


def _check_function(transformer: FunctionTransformer) -> None:
    functions = (transformer.func, transformer.inverse_func, transformer.kw_args)
    _require(not any(each is not None for each in functions), "has a function")


_SEARCH: dict[str, Part] = {
    "n_features_in_": Number("i", low=1),
    "n_samples_fit_": Number("i", low=1),
    "_fit_X": Array(("n_samples_fit_", "n_features_in_")),
    "_fit_method": Text(("brute",)),
    "_tree": Exactly(None),
    "effective_metric_": Text(METRICS),
}

_SCALED: dict[str, Part] = {"n_features_in_": Number("i", low=1)}

STATES: dict[type, State] = {
    EllipticEnvelope: State(
        {
            **_SCALED,
            "location_": _per_feature(),
            "covariance_": Array(("n_features_in_", "n_features_in_")),
            "precision_": Array(("n_features_in_", "n_features_in_"), optional=True),
            "support_": Array(("n_samples",), "b"),
            "dist_": Array(("n_samples",)),
            "offset_": Number(),
        }
    ),
    ExtraTreeRegressor: State({**_SCALED, "n_outputs_": Exactly(1)}),
    FeatureUnion: State({}, _check_branches),
    FrozenEstimator: State({"estimator": Estimator("fit")}),
    FunctionTransformer: State({}, _check_function),
    GaussianMixture: State(
        {
            **_SCALED,
            "weights_": Array(("n_components",), above=0, high=1),
            "means_": Array(("n_components", "n_features_in_")),
        },
        _check_mixture,
    ),
    IsolationForest: State(
        {
            **_SCALED,
            "estimators_": ListOf(Estimator(ExtraTreeRegressor), fewest=1),
            "max_samples_": Number("i", low=1),
            "_max_samples": Number("i", low=1),
            "_max_features": Number("i", low=1),
            "offset_": Number(),
        },
        check_forest,
    ),
    LocalOutlierFactor: State(
        {
            **_SEARCH,
            "n_neighbors_": Number("i", low=1),
            "_distances_fit_X_": Array(("n_samples_fit_", "n_neighbors_"), low=0),
            "_lrd": Array(("n_samples_fit_",), low=0),
            "negative_outlier_factor_": Array(("n_samples_fit_",)),
            "offset_": Number(),
        },
        _check_outlier_factor,
    ),
    MaxAbsScaler: State({**_SCALED, "scale_": _per_feature(above=0)}),
    MinMaxScaler: State({**_SCALED, "scale_": _per_feature(above=0), "min_": _per_feature()}),
    NearestNeighbors: State(_SEARCH, _check_search),
    Normalizer: State({}),
    OneClassSVM: State(
        {
            **_SCALED,
            "support_": Array(("n_support",), "i4", low=0),
            "support_vectors_": Array(("n_support", "n_features_in_"), "f8"),
            "dual_coef_": Array((1, "n_support"), "f8"),
            "_dual_coef_": Array((1, "n_support"), "f8"),
            "intercept_": Array((1,), "f8"),
            "_intercept_": Array((1,), "f8"),
            "_n_support": Array((2,), "i4", low=0),
            "_probA": Array((0,), "f8"),
            "_probB": Array((0,), "f8"),
            "_gamma": Number(low=0),
            "_sparse": Exactly(False),
            "_effective_probability": Exactly(False),
            "fit_status_": Exactly(0),
            "shape_fit_": ListOf(Number("i", low=1), fewest=2),
            "offset_": Array((1,), "f8"),
        },
        _check_svm,
    ),
    PCA: State(
        {
            **_SCALED,
            "n_components_": Number("i", low=1),
            "components_": Array(("n_components_", "n_features_in_")),
            "mean_": _per_feature(),
            "explained_variance_": Array(("n_components_",), low=0),
            "noise_variance_": Number(low=0),
        }
    ),
    Pipeline: State({}, _check_steps),
    PowerTransformer: State({**_SCALED, "lambdas_": _per_feature()}),
    QuantileTransformer: State(
        {
            **_SCALED,
            "n_quantiles_": Number("i", low=1),
            "quantiles_": Array(("n_quantiles_", "n_features_in_")),
            "references_": Array(("n_quantiles_",), low=0, high=1),
        }
    ),
    RobustScaler: State(
        {
            **_SCALED,
            "center_": _per_feature(optional=True),
            "scale_": _per_feature(above=0, optional=True),
        }
    ),
    StandardScaler: State(
        {
            **_SCALED,
            "mean_": _per_feature(optional=True),
            "var_": _per_feature(low=0, optional=True),
            "scale_": _per_feature(above=0, optional=True),
        },
        _check_scaler,
    ),
}
"""By class. What is in none of these, and in no `_fitted` of skasd's own, is not trusted."""


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
