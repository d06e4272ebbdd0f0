"""Gaussian mixtures that work with few clips."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from skasd._sklearn import Interval, StrOptions, fit_context
from skasd._utils.fitted import Estimator, Number
from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._calibrated import THRESHOLD_CONSTRAINTS
from skasd.detection._covariance import (
    FEWEST_CLIPS,
    REG_COVAR,
    SHRINKAGES,
    precision_factor,
    shrunk_covariance,
)
from skasd.detection._domains import healthy_clips_of

EM_REG_COVAR = 1e-2
"""Minimum added to the variances of standardized features while EM assigns the clips."""

N_FOLDS = 5


class GaussianMixtureDetector(AnomalyDetectorMixin, BaseEstimator):
    """Score clips by their log-density under a mixture of Gaussians with shrunk covariances.

    A covariance of many features needs many clips: 128 features have 8,256 variances and
    covariances, and the clips of one machine are often 200 or fewer. So each covariance is shrunk
    towards a sphere, by as much as the clips call for, and held-out clips tell how many Gaussians
    they support. With ``shrinkage=None`` and a number of components, this is scikit-learn's
    `GaussianMixture`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Number of Gaussians. ``"auto"`` takes that of 1 to `max_components` with the highest mean
        log-density of held-out clips, in a 5-fold cross-validation; fewer folds and fewer
        components if there are few clips.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Form of their covariances. All but ``"full"`` need ``shrinkage=None``.
    shrinkage : {"oas", "ledoit_wolf"} or None, default="oas"
        How each covariance is shrunk, as scikit-learn's `OAS` or `LedoitWolf` do. None means no
        shrinkage.
    reg_covar : float, default=1e-6
        Added to the diagonal of each covariance; if there is shrinkage, to that of the
        standardized features.
    max_components : int, default=3
        Maximum number of components for ``n_components="auto"``.
    contamination : float, default=0.1
        Share of healthy clips that may be called anomalous, in (0, 0.5].
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the scores of left-out clips themselves,
        ``"gamma"`` from a gamma distribution fitted to them, as the DCASE baselines do since 2021.
    n_init : int, default=1
        Number of initializations, the best of which counts.
    random_state : int, RandomState instance or None, default=None
        Source of the initialization. The folds of ``"auto"`` are always the same.

    Attributes
    ----------
    mixture_ : GaussianMixture
        scikit-learn's mixture, in the units of the features.
    n_components_ : int
        Number of Gaussians: fewer than `n_components` if no clip belongs to one.
    offset_ : float
        Threshold of `score_samples`.
    training_scores_ : ndarray of shape (n_clips,)
        Scores of the training clips, as `score_samples` counts, in twenty folds: each by a mixture
        that is fitted on the other clips.
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
    NearestNeighborsDetector : Assumes no form of the density.
    FeatureDetector : Uses one feature as the anomaly score.

    Notes
    -----
    With shrinkage, the features are standardized first, so that an error and a level in dB shrink
    alike. scikit-learn's EM then assigns the clips, with at least 0.01 added to each variance,
    so that it does not collapse. Each clip belongs to its most probable component, whose weight,
    mean and shrunk covariance are those of its clips. A component of one or two clips is a sphere
    with the mean variance of all clips within their components. All this is turned back
    into the units of the features, so `score_samples` is the log-density of the features that came
    in. A constant feature keeps its unit.

    References
    ----------
    Section 3.1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
    Journal of Multivariate Analysis 88(2), 2004.

    Chen et al., "Shrinkage algorithms for MMSE covariance estimation", IEEE Transactions on Signal
    Processing 58(10), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import GaussianMixtureDetector
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(40, 2)), rng.normal(9, 1, size=(40, 2))])
    >>> detector = GaussianMixtureDetector(random_state=0).fit(X)
    >>> detector.n_components_
    2
    >>> detector.predict([[0.0, 0.0], [5.0, 5.0], [9.0, 9.0]])
    array([ 1, -1,  1])
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "covariance_type": [StrOptions({"full", "tied", "diag", "spherical"})],
        "shrinkage": [StrOptions(set(SHRINKAGES)), None],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_components": [Interval(Integral, 1, None, closed="left")],
        **THRESHOLD_CONSTRAINTS,
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    _fitted = {
        **AnomalyDetectorMixin._fitted,
        "n_features_in_": Number("i", low=1),
        "mixture_": Estimator(GaussianMixture),
        "n_components_": Number("i", low=1),
    }

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        covariance_type: str = "full",
        shrinkage: str | None = "oas",
        reg_covar: float = REG_COVAR,
        max_components: int = 3,
        contamination: float = 0.1,
        threshold_rule: str = "percentile",
        n_init: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.shrinkage = shrinkage
        self.reg_covar = reg_covar
        self.max_components = max_components
        self.contamination = contamination
        self.threshold_rule = threshold_rule
        self.n_init = n_init
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, domain: ArrayLike | None = None) -> Self:
        """Fit the mixture and the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of healthy clips; at least 2.
        y : array-like of shape (n_clips,), default=None
            If it holds +1 (normal) and -1 (anomalous) alone, the anomalous clips are left out.
            Other labels, such as 0 and 1, are refused.
        domain : array-like of shape (n_clips,), default=None
            ``"source"`` or ``"target"`` for each clip. The threshold and the p-values then hold in
            both.

        Returns
        -------
        self : GaussianMixtureDetector

        Raises
        ------
        ValueError
            If there are fewer clips than components, `shrinkage` does not go with
            `covariance_type`, a covariance is singular, or the features are not finite.
        """
        features: np.ndarray = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        features, _, is_target = healthy_clips_of(features, y, domain)
        if self.shrinkage is not None and self.covariance_type != "full":
            raise ValueError(
                f"shrinkage={self.shrinkage!r} is for covariance_type='full', got "
                f"{self.covariance_type!r}. Pass shrinkage=None."
            )
        if isinstance(self.n_components, str):
            n_components = self._select_n_components(features)
        elif self.n_components <= len(features):
            n_components = self.n_components
        else:
            raise ValueError(
                f"n_components={self.n_components} needs as many clips, got "
                f"n_samples={len(features)}. Fit on more clips or with fewer components."
            )
        self.mixture_ = self._fit_mixture(features, n_components)
        self.n_components_ = len(self.mixture_.weights_)
        training_scores = self.mixture_.score_samples(features)

        def score_others(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            """Score clips by a fit on others."""
            n_components = min(self.n_components_, len(train))
            return self._fit_mixture(features[train], n_components).score_samples(features[test])

        self._calibrate_by_folds(score_others, training_scores, is_target)
        return self

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Compute the log-density of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Higher is more normal.
        """
        check_is_fitted(self)
        features: np.ndarray = validate_data(self, X, dtype=np.float64, reset=False)
        return self.mixture_.score_samples(features)

    def _check_fitted(self) -> None:
        super()._check_fitted()
        if self.mixture_.means_.shape != (self.n_components_, self.n_features_in_):
            raise ValueError(f"mixture_ has means of the shape {self.mixture_.means_.shape}")

    def _select_n_components(self, X: np.ndarray) -> int:
        n_folds = min(N_FOLDS, len(X))
        folds = list(KFold(n_folds, shuffle=True, random_state=0).split(X))
        n_fitted = min(len(train) for train, _ in folds)
        most = min(self.max_components, n_fitted // FEWEST_CLIPS)
        if most < 2:
            return 1
        held_out = [
            np.concatenate(
                [self._fit_mixture(X[train], n).score_samples(X[test]) for train, test in folds]
            ).mean()
            for n in range(1, most + 1)
        ]
        return 1 + int(np.argmax(held_out))

    def _fit_mixture(self, X: np.ndarray, n_components: int) -> GaussianMixture:
        mixture = GaussianMixture(
            n_components,
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            n_init=self.n_init,
            random_state=self.random_state,
        )
        if self.shrinkage is None:
            return mixture.fit(X)
        scaler = StandardScaler().fit(X)
        standardized = scaler.transform(X)
        component = np.zeros(len(X), dtype=int)
        if n_components > 1:
            mixture.set_params(reg_covar=max(self.reg_covar, EM_REG_COVAR)).fit(standardized)
            _, component = np.unique(mixture.predict(standardized), return_inverse=True)
        shares = np.bincount(component) / len(X)
        means = np.array([standardized[component == k].mean(axis=0) for k in range(len(shares))])
        deviations = standardized - means[component]
        covariances = np.array(
            [
                shrunk_covariance(
                    deviations[component == k],
                    self.shrinkage,
                    self.reg_covar,
                    variance=np.mean(deviations**2),
                )
                for k in range(len(shares))
            ]
        )
        factors = np.array([precision_factor(covariance) for covariance in covariances])
        mixture.set_params(n_components=len(shares), reg_covar=self.reg_covar)
        mixture.n_features_in_ = X.shape[1]
        mixture.weights_ = shares
        mixture.means_ = scaler.inverse_transform(means)
        mixture.covariances_ = covariances * np.outer(scaler.scale_, scaler.scale_)
        mixture.precisions_cholesky_ = factors / scaler.scale_[:, np.newaxis]
        mixture.precisions_ = mixture.precisions_cholesky_ @ np.swapaxes(
            mixture.precisions_cholesky_, 1, 2
        )
        return mixture
