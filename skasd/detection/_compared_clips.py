"""The training clips that a new one is compared with, and how far it is from them."""

from typing import Self

import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._covariance import REG_COVAR, precision_factor, shrunk_covariance
from skasd.detection._domains import add_target_clips

SMALLEST = 1e-3
"""Least local density, relative to its mean, and least distance relative to it whose logarithm is
taken: copies of a clip have none."""

FEWEST_APART = 3
"""Clips of a domain that is judged apart: the distances between two have no spread."""

WORKING_MEMORY = 64
"""MiB of the distances that are computed at a time."""


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
    neighbors_: NearestNeighbors
    density_: np.ndarray
    is_target_: np.ndarray | None
    domain_means_: np.ndarray
    domain_stds_: np.ndarray

    def _remember(self, features: np.ndarray, is_target: np.ndarray | None) -> Self:
        if self.metric == "mahalanobis":
            scaler = StandardScaler().fit(features)
            standardized = scaler.transform(features)
            covariance = shrunk_covariance(
                standardized, self.shrinkage, REG_COVAR, variance=np.mean(standardized**2)
            )
            self.whitening_ = precision_factor(covariance) / scaler.scale_[:, np.newaxis]
        self.location_ = features.mean(axis=0)
        metric = "cosine" if self.metric == "cosine" else "euclidean"
        n_recorded = len(features)
        if is_target is not None and self.domain_method in ("smote", "memmixup"):
            new = add_target_clips(features, is_target, self.domain_method, self._whiten, metric)
            features = np.concatenate([features, new])
        self.X_fit_ = features
        # Trees hardly help in so many dimensions, and skops does not trust them.
        self.neighbors_ = NearestNeighbors(algorithm="brute", metric=metric)
        self.neighbors_.fit(self._whiten(features))
        if self.density_neighbors is not None:
            n_neighbors = min(self.density_neighbors, n_recorded - 1)
            density = self._density(n_neighbors, n_recorded)
            # If all clips are copies of one, there is nothing to divide by.
            self.density_ = np.maximum(density, SMALLEST * density.mean() or 1.0)
        self._learn_domains(is_target if self.domain_method == "selective" else None)
        return self

    def _density(self, n_neighbors: int, n_recorded: int) -> np.ndarray:
        """Return the mean distances of clips to their nearest ones of those that were recorded."""
        points = self.neighbors_._fit_X
        if n_recorded == len(points):
            distances, _ = self.neighbors_.kneighbors(n_neighbors=n_neighbors)
            return distances.mean(axis=1)
        # Clips that were made lie close together: they would seem to be where clips are many.
        recorded = NearestNeighbors(algorithm="brute", metric=self.neighbors_.metric)
        recorded.fit(points[:n_recorded])
        distances, _ = recorded.kneighbors(n_neighbors=n_neighbors)
        of_made, _ = recorded.kneighbors(points[n_recorded:], n_neighbors)
        return np.concatenate([distances, of_made]).mean(axis=1)

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
        self, whitened: np.ndarray, n_nearest: int, part: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.density_neighbors is None and len(part) == len(self.X_fit_):
            return self.neighbors_.kneighbors(whitened, n_nearest)
        training, metric = self.neighbors_._fit_X, self.neighbors_.metric
        density = np.ones(len(training)) if self.density_neighbors is None else self.density_
        if len(part) == len(training):
            return nearest_clips(whitened, training, n_nearest, metric, density)
        distances, nearest = nearest_clips(
            whitened, training[part], n_nearest, metric, density[part]
        )
        return distances, part[nearest]

    def _whiten(self, X: np.ndarray) -> np.ndarray:
        if self.metric == "cosine":
            return X
        centered = X - self.location_
        return centered @ self.whitening_ if self.metric == "mahalanobis" else centered


def nearest_clips(
    points: np.ndarray,
    training: np.ndarray,
    n_nearest: int,
    metric: str,
    density: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest clips by distances that are divided by the density where they lead to.

    Parameters
    ----------
    points : ndarray of shape (n_clips, n_features)
        From where.
    training : ndarray of shape (n_training_clips, n_features)
        To where.
    n_nearest : int
        How many to find.
    metric : str
        Of the distances.
    density : ndarray of shape (n_training_clips,)
        What the distances to each clip are divided by.

    Returns
    -------
    distances : ndarray of shape (n_clips, n_nearest)
        The smallest first.
    nearest : ndarray of shape (n_clips, n_nearest), int
        Indices of the training clips.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._compared_clips import nearest_clips
    >>> training = np.array([[0.0], [3.0]])
    >>> nearest_clips(np.array([[1.0]]), training, 2, "euclidean", np.array([1.0, 4.0]))
    (array([[0.5, 1. ]]), array([[1, 0]]))
    """

    def nearest_of(distances: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
        distances /= density
        return _smallest_of_rows(distances, n_nearest)

    blocks = pairwise_distances_chunked(
        points,
        training,
        reduce_func=nearest_of,
        metric=metric,
        working_memory=WORKING_MEMORY,
    )
    distances, nearest = zip(*blocks, strict=True)
    return np.concatenate(distances), np.concatenate(nearest)


def _smallest_of_rows(values: np.ndarray, n_smallest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest values of each row in order, and where they are; the rows are used up."""
    rows = np.arange(len(values))
    smallest, places = [], []
    # A few passes are faster than a partition of each row.
    for _ in range(n_smallest):
        places.append(values.argmin(axis=1))
        smallest.append(values[rows, places[-1]])
        values[rows, places[-1]] = np.inf
    return np.stack(smallest, axis=1), np.stack(places, axis=1)
