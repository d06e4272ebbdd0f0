"""The Mahalanobis distance to the healthy clips of the nearer domain."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skasd._sklearn import StrOptions, fit_context
from skasd._utils.fitted import Array, Number
from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._calibrated import THRESHOLD_CONSTRAINTS
from skasd.detection._covariance import (
    REG_COVAR,
    SHRINKAGES,
    precision_factor,
    scale_of,
    shrunk_covariance,
)
from skasd.detection._domains import healthy_clips_of


class MahalanobisDetector(AnomalyDetectorMixin, BaseEstimator):
    """Score clips by their Mahalanobis distance to the healthy clips of the nearer domain.

    Each domain has a mean and a shrunk covariance of its own: the source domain, with many clips,
    and the target domain, with few, such as those of another microphone, season or product. The
    smaller distance counts, as in the selective Mahalanobis mode of the challenge's baseline of
    2023. If `fit` is not told the domains, all clips are taken as one domain.

    Parameters
    ----------
    shrinkage : {"oas", "ledoit_wolf"}, default="oas"
        How each covariance is estimated: scikit-learn's functions of these names.
    contamination : float, default=0.1
        Share of healthy clips that may be called anomalous, in (0, 0.5].
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the scores of left-out clips themselves,
        ``"gamma"`` from a gamma distribution fitted to them, as the DCASE baselines do since 2021.

    Attributes
    ----------
    location_ : ndarray of shape (n_domains, n_features_in_)
        Mean of the clips of each domain; the source comes first, if there are two.
    whitening_ : ndarray of shape (n_domains, n_features_in_, n_features_in_)
        Matrix by which centered features are multiplied; times its transpose, it is the inverse of
        the domain's covariance.
    offset_ : float
        Threshold of `score_samples`.
    training_scores_ : ndarray of shape (n_clips,)
        Scores of the training clips, on the scale of `score_samples`, from twenty folds: each by a
        fit on the other clips.
    calibration_scores_ : ndarray of shape (n_calibration_clips,)
        Scores from which the threshold and the p-values are computed.
    calibration_is_target_ : ndarray of shape (n_calibration_clips,), bool, or None
        Which of these clips are from the target domain, if `fit` was told the clips' domains.
    calibrated_on_ : {"left out", "seen in training", "new"}
        How the clips of those scores relate to what scored them. As a member of an ensemble, the
        detector leaves no clips out, since the ensemble does.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    GaussianMixtureDetector : Scores by a density, to which the width of a Gaussian matters as well.
    NearestNeighborsDetector : Assumes no form of the density.

    Notes
    -----
    The features are standardized by all clips before a covariance is shrunk. For a domain of one or
    two clips, the covariance is a sphere with the mean variance of all clips within their domains.
    The baseline takes the distance of an autoencoder's errors; this detector takes any features.

    References
    ----------
    Harada et al., "First-shot anomaly sound detection for machine condition monitoring: A domain
    generalization baseline", EUSIPCO 2023, arXiv:2303.00455.

    Chen et al., "Shrinkage algorithms for MMSE covariance estimation", IEEE Transactions on Signal
    Processing 58(10), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import MahalanobisDetector
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, size=(60, 2)), rng.normal(9, 1, size=(10, 2))])
    >>> detector = MahalanobisDetector().fit(X, domain=["source"] * 60 + ["target"] * 10)
    >>> detector.predict([[0.0, 0.0], [4.0, 4.0], [9.0, 9.0]])
    array([ 1, -1,  1])
    """

    _parameter_constraints = {
        "shrinkage": [StrOptions(set(SHRINKAGES))],
        **THRESHOLD_CONSTRAINTS,
    }

    _fitted = {
        **AnomalyDetectorMixin._fitted,
        "n_features_in_": Number("i", low=1),
        "location_": Array(("n_domains", "n_features_in_"), "f8"),
        "whitening_": Array(("n_domains", "n_features_in_", "n_features_in_"), "f8"),
    }

    def __init__(
        self,
        *,
        shrinkage: str = "oas",
        contamination: float = 0.1,
        threshold_rule: str = "percentile",
    ):
        self.shrinkage = shrinkage
        self.contamination = contamination
        self.threshold_rule = threshold_rule

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, domain: ArrayLike | None = None) -> Self:
        """Fit the mean and the covariance of each domain, and the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of healthy clips; at least 2.
        y : array-like of shape (n_clips,), default=None
            If it holds +1 (normal) and -1 (anomalous) alone, the anomalous clips are left out.
            Other labels, such as 0 and 1, are refused.
        domain : array-like of shape (n_clips,), default=None
            ``"source"`` or ``"target"`` for each clip. None takes all clips as one domain.

        Returns
        -------
        self : MahalanobisDetector

        Raises
        ------
        ValueError
            If the features are not finite, or a domain is neither source nor target.
        """
        features: np.ndarray = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        features, _, is_target = healthy_clips_of(features, y, domain)
        groups = np.zeros(len(features), dtype=bool) if is_target is None else is_target
        self.location_, self.whitening_ = self._fit_domains(features, groups)

        def score_others(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            """Score clips by a fit on others."""
            return _normality(features[test], *self._fit_domains(features[train], groups[train]))

        training_scores = _normality(features, self.location_, self.whitening_)
        self._calibrate_by_folds(score_others, training_scores, is_target)
        return self

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Compute the smaller Mahalanobis distance, with a negative sign.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Higher is more normal; at most 0.
        """
        check_is_fitted(self)
        features: np.ndarray = validate_data(self, X, dtype=np.float64, reset=False)
        return _normality(features, self.location_, self.whitening_)

    def _check_fitted(self) -> None:
        super()._check_fitted()
        if not 1 <= len(self.location_) <= 2:
            raise ValueError(f"location_ has {len(self.location_)} domains")

    def _fit_domains(
        self, features: np.ndarray, groups: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of each domain that has clips, and what whitens the clips around it."""
        center, scale = features.mean(axis=0), scale_of(features)
        standardized = (features - center) / scale
        parts = [standardized[groups == group] for group in np.unique(groups)]
        deviations = [part - part.mean(axis=0) for part in parts]
        variance = float(np.mean(np.concatenate(deviations) ** 2))
        covariances = [
            shrunk_covariance(each, self.shrinkage, REG_COVAR, variance) for each in deviations
        ]
        factors = np.array([precision_factor(covariance) for covariance in covariances])
        means = center + scale * np.array([part.mean(axis=0) for part in parts])
        return means, factors / scale[:, np.newaxis]


def _normality(features: np.ndarray, location: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    whitened = (features - location[:, np.newaxis]) @ whitening
    return -np.sqrt(np.min(np.sum(whitened**2, axis=2), axis=0))
