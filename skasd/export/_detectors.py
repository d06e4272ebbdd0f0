"""Detectors as ONNX operators. All return anomaly scores, which are higher for anomalous clips."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._gaussian_mixture_detector import GaussianMixtureDetector
from skasd.detection._mahalanobis_detector import MahalanobisDetector
from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._members import MembersMixin
from skasd.export._graph import Features, Scores, Tensor, quantile_weights

NO_NORM = 10 * np.finfo(np.float64).eps
"""Smallest norm that scikit-learn divides by; shorter vectors have no direction."""


def feature_score(step: FeatureDetector, data: Features) -> Scores:
    """Take one feature."""
    return Scores(data.tensor.apply("Gather", np.array(step.feature_index_), axis=1))


def mixture_score(step: GaussianMixtureDetector, data: Features) -> Scores:
    """Compute the log-density, where each component whitens the features in its own way."""
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
    """Return (n_components, n_features, n_features), whatever the type of the covariances."""
    n_components, n_features = mixture.means_.shape
    factors = mixture.precisions_cholesky_
    if mixture.covariance_type == "tied":
        return np.tile(factors, (n_components, 1, 1))
    if mixture.covariance_type == "diag":
        return factors[:, np.newaxis] * np.eye(n_features)
    if mixture.covariance_type == "spherical":
        return factors[:, np.newaxis, np.newaxis] * np.eye(n_features)
    return factors


def neighbors_score(step: NearestNeighborsDetector, data: Features) -> Scores:
    """Average the distances to the nearest training clips, leaving none of them out."""
    distances = _cosines(step, data) if step.metric == "cosine" else _lengths(step, data)
    if step.density_neighbors is not None:
        distances = distances / step.density_
    if step.is_target_ is None:
        return Scores(_mean_of_nearest(step, distances, step.n_neighbors))
    standardized = []
    for part, mean, std in zip(step._domains(), step.domain_means_, step.domain_stds_, strict=True):
        own = distances.apply("Gather", part, axis=1)
        n_neighbors = min(step.n_neighbors, len(part) - 1)
        standardized.append((_mean_of_nearest(step, own, n_neighbors) - mean) / std)
    source, target = standardized
    return Scores(source.apply("Min", target))


def _mean_of_nearest(step: NearestNeighborsDetector, distances: Tensor, n_neighbors: int) -> Tensor:
    means = distances.smallest(1, n_neighbors).reduce("Mean", 1)
    return means.apply("Max", np.array(step.smallest_)).apply("Log") if step.log else means


def mahalanobis_score(step: MahalanobisDetector, data: Features) -> Scores:
    """Whiten the features around the mean of each domain, and take the shorter distance."""
    deviations = data.tensor - step.location_[:, np.newaxis]
    squares = (deviations @ step.whitening_).reduce("SumSquare", 2)
    return Scores(squares.reduce("Min", 0).apply("Sqrt"))


def _lengths(step: NearestNeighborsDetector, data: Features) -> Tensor:
    """Compute Euclidean distances to the training clips, after whitening if there is any."""
    points = data.tensor - step.location_
    if step.metric == "mahalanobis":
        points = points @ step.whitening_
    training = step.points_
    # By a product, to avoid an array over clips, training clips and features.
    squares = points.reduce("SumSquare", 1, keepdims=True) + (training**2).sum(axis=1)
    return _positive(squares - points @ (2 * training.T)).apply("Sqrt")


def _cosines(step: NearestNeighborsDetector, data: Features) -> Tensor:
    """Compute cosine distances to the training clips; they are 1 from or to a clip of zeros."""
    norms = data.tensor.reduce("SumSquare", 1, keepdims=True).apply("Sqrt")
    norms = norms.apply("Max", np.array(NO_NORM))
    similarity = (data.tensor / norms) @ step.points_.T
    return _positive(similarity * -1 + 1)


def _positive(distances: Tensor) -> Tensor:
    """Set to zero what rounding has made negative."""
    return distances.apply("Max", np.array(0.0))


def aggregated_score(step: MembersMixin, members: list[Scores]) -> Scores:
    """Standardize the members' scores, and aggregate them."""
    graph = members[0].tensor.graph
    columns = [member.tensor.apply("Unsqueeze", np.array([1])) for member in members]
    scores = (graph.concatenate(columns, axis=1) - step.score_means_) / step.score_stds_
    return Scores(AGGREGATIONS[step.aggregation](scores, _shares(step, len(members))))


def _shares(step: MembersMixin, n_members: int) -> np.ndarray:
    """Return the weights of the members, which add up to 1."""
    weights = np.ones(n_members)
    if isinstance(step, FusionDetector) and step.weights is not None:
        weights = np.asarray(step.weights, dtype=np.float64)
    return weights / weights.sum()


def _median(scores: Tensor, shares: np.ndarray) -> Tensor:
    n_members = len(shares)
    return scores.largest_first(1, n_members) @ quantile_weights(0.5, n_members)


def _soft_max(scores: Tensor, shares: np.ndarray) -> Tensor:
    # A score without weight becomes -inf, the logarithm of 0, and does not count.
    with np.errstate(divide="ignore"):
        return (scores + np.log(shares)).reduce("LogSumExp", 1)


AGGREGATIONS: dict[str, Callable[[Tensor, np.ndarray], Tensor]] = {
    "min": lambda scores, shares: scores.reduce("Min", 1),
    "median": _median,
    "mean": lambda scores, shares: scores @ shares,
    "max": lambda scores, shares: scores.reduce("Max", 1),
    "soft_max": _soft_max,
}
