"""Distances to the nearest training clips."""

from copy import copy
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skasd._sklearn import Interval, StrOptions, fit_context
from skasd._utils.fitted import Array, Number, check_fitted
from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._calibrated import THRESHOLD_CONSTRAINTS, is_member
from skasd.detection._calibration import folds_for
from skasd.detection._compared_clips import FEWEST_APART, ComparedClips
from skasd.detection._covariance import SHRINKAGES
from skasd.detection._distances import directions
from skasd.detection._domains import healthy_clips_of


class NearestNeighborsDetector(ComparedClips, BaseEstimator):
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
        own nearest training clips, or to all others if there are fewer. None does not divide. Clips
        that `domain_method` makes are divided by as well, and count for no other.
    shrinkage : {"ledoit_wolf", "oas"}, default="ledoit_wolf"
        How the covariance is estimated for ``metric="mahalanobis"``: scikit-learn's functions of
        these names.
    log : bool, default=False
        Whether the anomaly score is the logarithm of the mean distance, which is closer to a normal
        distribution, so that a `FusionDetector` weighs detectors alike.
    domain_method : {"smote", "memmixup", "selective"} or None, default=None
        What is done for the few clips of a target domain among many of a source: another
        microphone, season or product. ``"smote"`` makes clips between those of the target,
        ``"memmixup"`` makes clips of nine parts of the target and one of its nearest clips of the
        source, both until there are about as many as of the source. ``"selective"`` takes the
        smaller of the distances to either domain, each standardized by what is usual in it. All
        need ``domain`` in `fit`. `density_neighbors` needs none, and goes with each of them.
    contamination : float, default=0.1
        Share of healthy clips that may be called anomalous, in (0, 0.5].
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the scores of left-out clips themselves,
        ``"gamma"`` from a gamma distribution fitted to them, as the DCASE baselines do since 2021.

    Attributes
    ----------
    points_ : ndarray of shape (n_compared_clips, n_features_in_)
        The clips of `X_fit_` as they are compared: centered and whitened, or scaled to length 1 for
        ``metric="cosine"``.
    smallest_ : float
        Least mean distance that has a logarithm of its own, with `log`.
    location_ : ndarray of shape (n_features_in_,)
        Mean of the training clips.
    density_ : ndarray of shape (n_compared_clips,)
        What distances to each clip of `X_fit_` are divided by, with `density_neighbors`; at least a
        thousandth of its mean over the clips, since duplicates of a clip are at distance 0.
    whitening_ : ndarray of shape (n_features_in_, n_features_in_)
        What centered features are multiplied by, for ``metric="mahalanobis"``.
    X_fit_ : ndarray of shape (n_compared_clips, n_features_in_)
        The training clips, and after them those that `domain_method` has made of them.
    is_target_ : ndarray of shape (n_compared_clips,), bool, or None
        Which of them are of the target, with ``domain_method="selective"``.
    domain_means_, domain_stds_ : ndarray of shape (2,)
        What the distances to the source and to the target are standardized by: mean and standard
        deviation of the distances within the domain, each clip's without itself. They are
        logarithms with `log`.
    offset_ : float
        Threshold of `score_samples`.
    training_scores_ : ndarray of shape (n_clips,)
        Scores of the training clips, as `score_samples` counts, each without the clip itself:
        in twenty folds if ``metric="mahalanobis"``, `density_neighbors` or `domain_method`, which
        learn from all of them.
    calibration_scores_ : ndarray of shape (n_calibration_clips,)
        Scores that the threshold and the p-values come from.
    calibration_is_target_ : ndarray of shape (n_calibration_clips,), bool, or None
        Which of these are of the target, if `fit` was told the clips' domains.
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

    ``"selective"`` standardizes by training clips, where Saengthong and Shinozaki do so by the
    clips that are scored. A domain of fewer than 3 clips, such as in a fold, is not judged apart.

    References
    ----------
    Angiulli and Pizzuti, "Fast outlier detection in high dimensional spaces", PKDD 2002.

    Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization",
    2025.

    Chawla et al., "SMOTE: Synthetic minority over-sampling technique", Journal of Artificial
    Intelligence Research 16, 2002.

    Saengthong and Shinozaki, "Deep generic representations for domain-generalized anomalous sound
    detection", ICASSP 2025, arXiv:2409.05035: MemMixup, and the smaller of standardized distances.

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

    If it is known which clips are of which mode, or domain, the smaller distance in its own units:

    >>> domain = ["source"] * 4 + ["target"] * 3
    >>> detector = NearestNeighborsDetector(1, metric="euclidean", domain_method="selective")
    >>> detector = detector.set_params(density_neighbors=2).fit(X, domain=domain)
    >>> detector.predict([[1.5], [50.0], [125.0]])
    array([ 1, -1,  1])
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"mahalanobis", "euclidean", "cosine"})],
        "density_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "shrinkage": [StrOptions(set(SHRINKAGES))],
        "log": ["boolean"],
        "domain_method": [StrOptions({"smote", "memmixup", "selective"}), None],
        **THRESHOLD_CONSTRAINTS,
    }

    _fitted = {
        **AnomalyDetectorMixin._fitted,
        "n_features_in_": Number("i", low=1),
        "X_fit_": Array(("n_compared_clips", "n_features_in_"), "f8"),
        "is_target_": Array(("n_compared_clips",), "b", optional=True),
        "location_": Array(("n_features_in_",), "f8"),
        "points_": Array(("n_compared_clips", "n_features_in_"), "f8"),
    }

    def __init__(
        self,
        n_neighbors: int = 2,
        *,
        metric: str = "mahalanobis",
        density_neighbors: int | None = None,
        shrinkage: str = "ledoit_wolf",
        log: bool = False,
        domain_method: str | None = None,
        contamination: float = 0.1,
        threshold_rule: str = "percentile",
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.density_neighbors = density_neighbors
        self.shrinkage = shrinkage
        self.log = log
        self.domain_method = domain_method
        self.contamination = contamination
        self.threshold_rule = threshold_rule

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, domain: ArrayLike | None = None) -> Self:
        """Remember the clips, and fit the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of healthy clips; more than `n_neighbors`.
        y : array-like of shape (n_clips,), default=None
            If it holds +1 (normal) and -1 (anomalous) alone, the anomalous clips are left out.
            Other labels, such as 0 and 1, are refused.
        domain : array-like of shape (n_clips,), default=None
            ``"source"`` or ``"target"`` for each clip. The threshold and the p-values then hold in
            both, and `domain_method` has what it needs.

        Returns
        -------
        self : NearestNeighborsDetector

        Raises
        ------
        ValueError
            If there are too few clips, the features are not finite, or `domain_method` lacks the
            clips' domains.
        """
        features: np.ndarray = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        features, _, is_target = healthy_clips_of(features, y, domain)
        if len(features) <= self.n_neighbors:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} needs at least {self.n_neighbors + 1} clips, as "
                f"no clip is its own neighbor, got n_samples={len(features)}. Fit on more clips "
                "or with fewer neighbors."
            )
        if self.domain_method is not None and is_target is None:
            raise ValueError(
                f"domain_method={self.domain_method!r} needs the domain of each clip. Pass "
                "fit(X, domain=...), or domain_method=None."
            )
        if self.domain_method == "selective" and is_target is not None and not is_member():
            _check_apart(is_target)

        def score_others(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            """Score clips by a fit on others."""
            part = None if is_target is None else is_target[train]
            return copy(self)._remember(features[train], part)._score(features[test])

        training_scores = self._remember(features, is_target)._score(features)
        n_left_out = -(-len(features) // folds_for(len(features)))
        learns = self.metric == "mahalanobis" or self.density_neighbors is not None
        learns = learns or self.domain_method is not None
        if learns and len(features) - n_left_out > self.n_neighbors:
            self._calibrate_by_folds(score_others, training_scores, is_target)
        else:
            # No clip is its own neighbor, and nothing else is learned from it.
            self._calibrate(training_scores, is_target=is_target)
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
            Higher is more normal; 0 at most, unless `log` or ``domain_method="selective"``.
        """
        check_is_fitted(self)
        features: np.ndarray = validate_data(self, X, dtype=np.float64, reset=False)
        return self._score(features)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Detectors from before these parameters did what the defaults do.
        before: dict[str, Any] = {"density_neighbors": None, "shrinkage": "ledoit_wolf"}
        before |= {"log": False, "domain_method": None}
        if "X_fit_" in state:
            before["is_target_"] = None
        if "neighbors_" in state:
            points = state["neighbors_"]._fit_X
            before["points_"] = directions(points) if state["metric"] == "cosine" else points
            state = {name: value for name, value in state.items() if name != "neighbors_"}
        super().__setstate__({**before, **state})

    def _check_fitted(self) -> None:
        super()._check_fitted()
        if self.metric == "mahalanobis":
            check_fitted(self, {"whitening_": Array(("n_features_in_", "n_features_in_"), "f8")})
        if self.density_neighbors is not None:
            check_fitted(self, {"density_": Array((len(self.X_fit_),), "f8", above=0)})
        if self.n_neighbors >= len(self.X_fit_):
            raise ValueError(f"there are no {self.n_neighbors} neighbors")
        if self.is_target_ is not None:
            table = {"domain_means_": Array((2,), "f8"), "domain_stds_": Array((2,), "f8", above=0)}
            check_fitted(self, table)
            if min(map(len, self._domains())) < FEWEST_APART:
                raise ValueError("is_target_ leaves too few clips to a domain")


def _check_apart(is_target: np.ndarray) -> None:
    """Refuse a domain that is too small to be judged apart; members may see less of it."""
    for name, n_clips in (("source", np.sum(~is_target)), ("target", np.sum(is_target))):
        if 0 < n_clips < FEWEST_APART:
            raise ValueError(
                f"domain_method='selective' needs {FEWEST_APART} clips of each domain, got "
                f"{n_clips} of the {name}. Record more, or pass domain_method='smote'."
            )
