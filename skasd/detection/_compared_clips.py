"""The training clips that a new one is compared with, and how far it is from them."""

from typing import Self

import numpy as np

from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._covariance import REG_COVAR, precision_factor, scale_of, shrunk_covariance
from skasd.detection._distances import directions, mean_to_nearest, nearest_clips
from skasd.detection._domains import add_target_clips

SMALLEST = 1e-3
"""Least local density, relative to its mean, and least distance relative to it whose logarithm is
taken: copies of a clip have none."""

FEWEST_APART = 3
"""Clips of a domain that is judged apart: the distances between two have no spread."""


class ComparedClips(AnomalyDetectorMixin):
    """What `NearestNeighborsDetector` remembers of the training clips, and says of new ones.

    The parameters and the fitted attributes are those of that class.
    """

    n_neighbors: int
    metric: str
    density_neighbors: int | None
    shrinkage: str
    log: bool
    domain_method: str | None

    X_fit_: np.ndarray
    location_: np.ndarray
    whitening_: np.ndarray
    points_: np.ndarray
    density_: np.ndarray
    is_target_: np.ndarray | None
    domain_means_: np.ndarray
    domain_stds_: np.ndarray

    def _remember(self, features: np.ndarray, is_target: np.ndarray | None) -> Self:
        self.location_ = features.mean(axis=0)
        if self.metric == "mahalanobis":
            scale = scale_of(features)
            standardized = (features - self.location_) / scale
            covariance = shrunk_covariance(
                standardized, self.shrinkage, REG_COVAR, variance=np.mean(standardized**2)
            )
            self.whitening_ = precision_factor(covariance) / scale[:, np.newaxis]
        n_recorded = len(features)
        if is_target is not None and self.domain_method in ("smote", "memmixup"):
            new = add_target_clips(
                features, is_target, self.domain_method, self._whiten, self._distance
            )
            features = np.concatenate([features, new])
        self.X_fit_, self.points_ = features, self._whiten(features)
        if self.density_neighbors is not None:
            # Clips that were made lie close together: they would seem to be where clips are many.
            density = mean_to_nearest(
                self.points_, n_recorded, self.density_neighbors, self._distance
            )
            # If all clips are copies of one, there is nothing to divide by.
            self.density_ = np.maximum(density, SMALLEST * density.mean() or 1.0)
        self._learn_domains(is_target if self.domain_method == "selective" else None)
        return self

    def _learn_domains(self, is_target: np.ndarray | None) -> None:
        """Learn which distances are usual in each domain, if they are to be judged apart."""
        self.is_target_ = is_target
        if is_target is None or min(map(len, self._domains())) < FEWEST_APART:
            self.is_target_ = None
            return
        within = [self._judge_in(self.X_fit_[part], part)[0] for part in self._domains()]
        self.domain_means_ = np.array([each.mean() for each in within])
        # Clips that are all as far from each other have no spread.
        self.domain_stds_ = np.array([each.std() or 1.0 for each in within])

    def _domains(self) -> list[np.ndarray]:
        """Return the indices of the clips of each domain that is judged apart."""
        if self.is_target_ is None:
            return [np.arange(len(self.X_fit_))]
        return [np.flatnonzero(~self.is_target_), np.flatnonzero(self.is_target_)]

    def _score(self, features: np.ndarray) -> np.ndarray:
        return -np.min([scores for scores, _ in self._judge(features)], axis=0)

    def _judge(self, features: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return, by each domain, the anomaly scores and the clips that they come from."""
        judged = [self._judge_in(features, part) for part in self._domains()]
        if self.is_target_ is None:
            return judged
        standards = zip(judged, self.domain_means_, self.domain_stds_, strict=True)
        return [((scores - mean) / std, nearest) for (scores, nearest), mean, std in standards]

    def _judge_in(self, features: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean distances to the nearest clips of a part, and which these are."""
        n_neighbors = min(self.n_neighbors, len(part) - 1)
        distances, nearest = self._nearest(self._whiten(features), n_neighbors + 1, part)
        is_itself = (self.X_fit_[nearest] == features[:, np.newaxis]).all(axis=2)
        left_out = np.where(is_itself.any(axis=1), is_itself.argmax(axis=1), n_neighbors)
        is_kept = np.arange(n_neighbors + 1) != left_out[:, np.newaxis]
        means = distances[is_kept].reshape(-1, n_neighbors).sum(axis=1) / n_neighbors
        scores = np.log(np.maximum(means, self.smallest_)) if self.log else means
        return scores, nearest[is_kept].reshape(-1, n_neighbors)

    @property
    def smallest_(self) -> float:
        """The least distance that has a logarithm of its own."""
        return np.finfo(np.float64).tiny if self.density_neighbors is None else SMALLEST

    def _nearest(
        self, points: np.ndarray, n_nearest: int, part: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        density = None if self.density_neighbors is None else self.density_[part]
        distances, nearest = nearest_clips(
            points, self.points_[part], n_nearest, self._distance, density
        )
        return distances, part[nearest]

    def _whiten(self, X: np.ndarray) -> np.ndarray:
        """Return points whose distances count."""
        if self.metric == "cosine":
            return directions(X)
        centered = X - self.location_
        return centered @ self.whitening_ if self.metric == "mahalanobis" else centered

    @property
    def _distance(self) -> str:
        """The metric between such points."""
        return "cosine" if self.metric == "cosine" else "euclidean"
