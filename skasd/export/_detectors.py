"""Detectors as ONNX operators. All return anomaly scores, which are higher for anomalous clips."""

from typing import Any

import numpy as np

from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._gaussian_mixture_detector import GaussianMixtureDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._members import MembersMixin
from skasd.export._graph import Features, Scores, Tensor, quantile_weights


def feature_score(step: FeatureDetector, data: Features) -> Scores:
    """Take one feature."""
    return Scores(data.tensor.apply("Gather", np.array(step.feature_index_), axis=1))


def mixture_score(step: GaussianMixtureDetector, data: Features) -> Scores:
    """Compute the log-density: each component whitens the features in its own way."""
    mixture = step.mixture_
    factors = _precision_factors(mixture)
    n_features = factors.shape[1]
    log_determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    constants = np.log(mixture.weights_) + log_determinants - n_features / 2 * np.log(2 * np.pi)
    deviations = data.tensor - mixture.means_[:, np.newaxis]
    distances = (deviations @ factors).reduce("SumSquare", 2)
    log_densities = distances * -0.5 + constants[:, np.newaxis]
    return Scores(log_densities.reduce("LogSumExp", 0) * -1)


def _precision_factors(mixture: Any) -> np.ndarray:
    """Return (n_components, n_features, n_features), whatever the form of the covariances."""
    n_components, n_features = mixture.means_.shape
    factors = mixture.precisions_cholesky_
    if mixture.covariance_type == "tied":
        return np.tile(factors, (n_components, 1, 1))
    if mixture.covariance_type == "diag":
        return factors[:, np.newaxis] * np.eye(n_features)
    if mixture.covariance_type == "spherical":
        return factors[:, np.newaxis, np.newaxis] * np.eye(n_features)
    return factors


def aggregated_score(step: MembersMixin, members: list[Scores]) -> Scores:
    """Standardize the members' scores, and aggregate them."""
    graph = members[0].tensor.graph
    columns = [member.tensor.apply("Unsqueeze", np.array([1])) for member in members]
    scores = (graph.concatenate(columns, axis=1) - step.score_means_) / step.score_stds_
    if isinstance(step, FusionDetector) and step.weights is not None:
        weights = np.asarray(step.weights, dtype=np.float64)
        return Scores(scores @ (weights / weights.sum()))
    return Scores(AGGREGATIONS[step.aggregation](scores, len(members)))


def _median(scores: Tensor, n_members: int) -> Tensor:
    return scores.largest_first(1, n_members) @ quantile_weights(0.5, n_members)


AGGREGATIONS = {
    "min": lambda scores, n_members: scores.reduce("Min", 1),
    "median": _median,
    "mean": lambda scores, n_members: scores.reduce("Mean", 1),
    "max": lambda scores, n_members: scores.reduce("Max", 1),
}
