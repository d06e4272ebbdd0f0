"""Distances to the nearest training clips."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from skasd._sklearn import Interval, StrOptions, fit_context
from skasd._utils.fitted import Array, Estimator, Number, check_fitted
from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._calibrated import THRESHOLD_CONSTRAINTS
from skasd.detection._calibration import folds_for
from skasd.detection._covariance import (
    REG_COVAR,
    SHRINKAGES,
    precision_factor,
    shrunk_covariance,
)
from skasd.metrics._labels import healthy_clips

SMALLEST = 1e-3
"""Least local density, relative to its mean, and least distance relative to it whose logarithm is
taken: copies of a clip have none."""

WORKING_MEMORY = 64
"""MiB of the distances that are computed at a time."""


class NearestNeighborsDetector(AnomalyDetectorMixin, BaseEstimator):
    """Score clips by their mean distance to the nearest training clips.

    It assumes no form of the density, and a dozen clips are enough for it. Embeddings are often
    scored this way. With `density_neighbors`, a distance counts relative to how far the training
    clip that it leads to is from its own neighbors, so that a machine with a common and a rare mode
    is judged in each by what is usual there.

    Parameters
    ----------
    n_neighbors : int, default=2
        How many of the nearest training clips to average over.
    metric : {"mahalanobis", "euclidean", "cosine"}, default="mahalanobis"
        ``"mahalanobis"`` standardizes the features and whitens them with their Ledoit-Wolf
        covariance, so that units and correlations do not matter. ``"euclidean"`` takes the
        features as they are. ``"cosine"`` compares only directions, which suits embeddings; a clip
        of zeros has no direction, and is at distance 1 from all.
    density_neighbors : int or None, default=None
        The distance to a training clip is divided by that clip's mean distance to this many of its
        own nearest training clips, or to all others if there are fewer. None does not divide.
    shrinkage : {"ledoit_wolf", "oas"}, default="ledoit_wolf"
        How the covariance is estimated for ``metric="mahalanobis"``: scikit-learn's functions of
        these names.
    log : bool, default=False
        Whether the anomaly score is the logarithm of the mean distance, which is closer to a normal
        distribution, so that a `FusionDetector` weighs detectors alike.
    contamination : float, default=0.1
        Share of healthy clips that may be called anomalous, in (0, 0.5].
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the scores of left-out clips themselves,
        ``"gamma"`` from a gamma distribution fitted to them, as the DCASE baselines do since 2021.

    Attributes
    ----------
    neighbors_ : NearestNeighbors
        scikit-learn's search, over the training clips, centered and whitened, except for cosines.
    smallest_ : float
        Least mean distance that has a logarithm of its own, with `log`.
    location_ : ndarray of shape (n_features_in_,)
        Mean of the training clips.
    density_ : ndarray of shape (n_training_clips,)
        What distances to each training clip are divided by, with `density_neighbors`; at least a
        thousandth of its mean over the clips, since duplicates of a clip are at distance 0.
    whitening_ : ndarray of shape (n_features_in_, n_features_in_)
        What centered features are multiplied by, for ``metric="mahalanobis"``.
    X_fit_ : ndarray of shape (n_training_clips, n_features_in_)
        The training clips.
    offset_ : float
        Threshold of `score_samples`.
    training_scores_ : ndarray of shape (n_clips,)
        Scores of the training clips, as `score_samples` counts, each without the clip itself:
        in twenty folds if ``metric="mahalanobis"`` or `density_neighbors`, which learn from all of
        them.
    calibration_scores_ : ndarray of shape (n_calibration_clips,)
        Scores that the threshold and the p-values come from.
    calibrated_on_ : {"left out", "seen in training", "new"}
        What the clips of those scores are to what scored them. As a member of an ensemble, the
        detector leaves none out, since the ensemble does.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    GaussianMixtureDetector : Scores by a density.

    Notes
    -----
    No clip is its own neighbor: a clip with exactly the features of a training clip is taken to
    be that one, which is left out. So training clips are scored as if they were new, and the
    threshold holds for both.

    With one neighbor, the score normalized by density is the minimum, over the training clips y, of
    D(x, y) / mean(D(y, z) for the K nearest clips z of y), equation 3 of Wilkinghoff et al.

    References
    ----------
    Angiulli and Pizzuti, "Fast outlier detection in high dimensional spaces", PKDD 2002.

    Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization",
    2025.

    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
    Journal of Multivariate Analysis 88(2), 2004.

    Examples
    --------
    >>> from skasd import NearestNeighborsDetector
    >>> X = [[0.0], [1.0], [2.0], [4.0]]
    >>> detector = NearestNeighborsDetector(n_neighbors=2, metric="euclidean").fit(X)
    >>> detector.anomaly_score([[6.0], [4.0]])
    array([3. , 2.5])

    Two clips from the rare mode, which is ten times as wide, are no farther than they ought to be:

    >>> X = [[0.0], [1.0], [2.0], [3.0], [100.0], [110.0], [120.0]]
    >>> detector = NearestNeighborsDetector(1, metric="euclidean", density_neighbors=2).fit(X)
    >>> detector.anomaly_score([[6.0], [130.0]])
    array([2.        , 0.66666667])
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"mahalanobis", "euclidean", "cosine"})],
        "density_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "shrinkage": [StrOptions(set(SHRINKAGES))],
        "log": ["boolean"],
        **THRESHOLD_CONSTRAINTS,
    }

    _fitted = {
        **AnomalyDetectorMixin._fitted,
        "n_features_in_": Number("i", low=1),
        "X_fit_": Array(("n_training_clips", "n_features_in_"), "f8"),
        "location_": Array(("n_features_in_",), "f8"),
        "neighbors_": Estimator(NearestNeighbors),
    }

    def __init__(
        self,
        n_neighbors: int = 2,
        *,
        metric: str = "mahalanobis",
        density_neighbors: int | None = None,
        shrinkage: str = "ledoit_wolf",
        log: bool = False,
        contamination: float = 0.1,
        threshold_rule: str = "percentile",
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.density_neighbors = density_neighbors
        self.shrinkage = shrinkage
        self.log = log
        self.contamination = contamination
        self.threshold_rule = threshold_rule

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Remember the clips, and fit the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of healthy clips; more than `n_neighbors`.
        y : array-like of shape (n_clips,), default=None
            If it holds +1 (normal) and -1 (anomalous) alone, the anomalous clips are left out.
            Other labels, such as 0 and 1, are refused.

        Returns
        -------
        self : NearestNeighborsDetector

        Raises
        ------
        ValueError
            If there are too few clips, or the features are not finite.
        """
        features: np.ndarray = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        features, _ = healthy_clips(features, y)
        if len(features) <= self.n_neighbors:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} needs at least {self.n_neighbors + 1} clips, as "
                f"no clip is its own neighbor, got n_samples={len(features)}. Fit on more clips "
                "or with fewer neighbors."
            )
        training_scores = self._remember(features)._score(features)
        n_left_out = -(-len(features) // folds_for(len(features)))
        learns = self.metric == "mahalanobis" or self.density_neighbors is not None
        if learns and len(features) - n_left_out > self.n_neighbors:
            self._calibrate_by_folds(self._score_others, features, training_scores)
        else:
            # No clip is its own neighbor, and nothing else is learned from it.
            self._calibrate(training_scores)
        return self

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Compute the mean distance to the nearest training clips, with the opposite sign.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Higher is more normal; 0 at most, unless `log`.
        """
        check_is_fitted(self)
        features: np.ndarray = validate_data(self, X, dtype=np.float64, reset=False)
        return self._score(features)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Detectors from before these parameters did what the defaults do.
        before = {"density_neighbors": None, "shrinkage": "ledoit_wolf", "log": False}
        super().__setstate__({**before, **state})

    def _check_fitted(self) -> None:
        super()._check_fitted()
        if self.metric == "mahalanobis":
            check_fitted(self, {"whitening_": Array(("n_features_in_", "n_features_in_"), "f8")})
        if self.density_neighbors is not None:
            check_fitted(self, {"density_": Array((len(self.X_fit_),), "f8", above=0)})
        metric = "cosine" if self.metric == "cosine" else "euclidean"
        search = self.neighbors_
        if search._fit_X.shape != self.X_fit_.shape or search.metric != metric:
            raise ValueError("neighbors_ is no search over the training clips")
        if self.n_neighbors >= len(self.X_fit_):
            raise ValueError(f"there are no {self.n_neighbors} neighbors")

    def _remember(self, features: np.ndarray) -> Self:
        if self.metric == "mahalanobis":
            scaler = StandardScaler().fit(features)
            standardized = scaler.transform(features)
            covariance = shrunk_covariance(
                standardized, self.shrinkage, REG_COVAR, variance=np.mean(standardized**2)
            )
            self.whitening_ = precision_factor(covariance) / scaler.scale_[:, np.newaxis]
        self.X_fit_ = features
        self.location_ = features.mean(axis=0)
        # Trees hardly help in so many dimensions, and skops does not trust them.
        self.neighbors_ = NearestNeighbors(
            algorithm="brute", metric="cosine" if self.metric == "cosine" else "euclidean"
        ).fit(self._whiten(features))
        if self.density_neighbors is not None:
            n_neighbors = min(self.density_neighbors, len(features) - 1)
            distances, _ = self.neighbors_.kneighbors(n_neighbors=n_neighbors)
            density = distances.mean(axis=1)
            # If all clips are copies of one, there is nothing to divide by.
            self.density_ = np.maximum(density, SMALLEST * density.mean() or 1.0)
        return self

    def _score(self, features: np.ndarray) -> np.ndarray:
        distances, nearest = self._nearest(self._whiten(features))
        is_itself = (self.X_fit_[nearest] == features[:, np.newaxis]).all(axis=2)
        left_out = np.where(is_itself.any(axis=1), is_itself.argmax(axis=1), self.n_neighbors)
        np.put_along_axis(distances, left_out[:, np.newaxis], 0, axis=1)
        means = distances.sum(axis=1) / self.n_neighbors
        return -np.log(np.maximum(means, self.smallest_)) if self.log else -means

    @property
    def smallest_(self) -> float:
        """The least distance that has a logarithm of its own."""
        return np.finfo(np.float64).tiny if self.density_neighbors is None else SMALLEST

    def _nearest(self, whitened: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances to the nearest training clips, one more than count, and which."""
        n_nearest = self.n_neighbors + 1
        if self.density_neighbors is None:
            return self.neighbors_.kneighbors(whitened, n_nearest)

        def nearest_of(distances: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
            distances /= self.density_
            return _smallest_of_rows(distances, n_nearest)

        # Block by block, so that no matrix of all clips by all clips is in memory.
        blocks = pairwise_distances_chunked(
            whitened,
            self.neighbors_._fit_X,
            reduce_func=nearest_of,
            metric=self.neighbors_.metric,
            working_memory=WORKING_MEMORY,
        )
        distances, nearest = zip(*blocks, strict=True)
        return np.concatenate(distances), np.concatenate(nearest)

    def _score_others(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        return clone(self)._remember(train)._score(test)

    def _whiten(self, X: np.ndarray) -> np.ndarray:
        if self.metric == "cosine":
            return X
        centered = X - self.location_
        return centered @ self.whitening_ if self.metric == "mahalanobis" else centered


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
