"""Detectors over feature matrices, and the threshold that every detector of skasd shares.

Scores follow scikit-learn: higher is more normal, and `predict` gives +1 for normal clips and -1
for anomalous ones. The field counts the other way: its number is `anomaly_score`.
"""

from numbers import Integral, Real
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context
from sklearn.mixture import GaussianMixture
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

THRESHOLD_CONSTRAINTS = {
    "contamination": [Interval(Real, 0, 0.5, closed="right")],
    "threshold": [StrOptions({"percentile", "gamma"})],
}


class AnomalyDetectorMixin(OutlierMixin):
    """What follows from `score_samples` and `offset_` in every detector.

    A class with this mixin has the parameters `contamination` and `threshold`, a method
    `score_samples`, and ends its `fit` with `self._fit_offset(scores of the training clips)`.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import FeatureDetector
    >>> detector = FeatureDetector(contamination=0.25).fit(np.array([[1.0], [2.0], [3.0], [9.0]]))
    >>> detector.anomaly_score([[5.0]]), detector.predict([[5.0]])
    (array([5.]), array([-1]))
    """

    def anomaly_score(self, X: ArrayLike) -> np.ndarray:
        """Compute how anomalous each clip is: the number that DCASE and its CSV files mean.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,)
            ``-score_samples(X)``; higher is more anomalous.
        """
        return -self.score_samples(X)

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Compute the distance from the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,)
            ``score_samples(X) - offset_``; negative for anomalous clips.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Decide which clips are anomalous.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features), or what the detector was fitted on
            The clips.

        Returns
        -------
        ndarray of shape (n_clips,), int
            +1 for normal clips, -1 for anomalous ones.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _fit_offset(self, training_scores: np.ndarray) -> None:
        if self.threshold == "percentile":
            self.offset_ = np.percentile(training_scores, 100 * self.contamination)
            return
        if np.ptp(training_scores) == 0:
            raise ValueError(
                "threshold='gamma' fits a distribution to the training scores, but all of them "
                f"are {training_scores[0]:.6g}. Use threshold='percentile'."
            )
        distribution = stats.gamma(*stats.gamma.fit(-training_scores))
        self.offset_ = -distribution.ppf(1 - self.contamination)


class GaussianMixtureDetector(AnomalyDetectorMixin, BaseEstimator):
    """Score clips by their weighted log-probability under a Gaussian mixture.

    Parameters
    ----------
    n_components : int, default=3
        Number of Gaussians.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Form of their covariances.
    reg_covar : float, default=1e-6
        Added to the diagonal of each covariance.
    contamination : float, default=0.1
        Share of the training clips beyond the threshold, in (0, 0.5].
    threshold : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes it from the training scores themselves, ``"gamma"`` from a gamma
        distribution fitted to the training clips' anomaly scores, as the DCASE baselines do since
        2021.
    n_init : int, default=1
        Number of initialisations, of which the best counts.
    random_state : int, RandomState instance or None, default=None
        Source of the initialisation.

    Attributes
    ----------
    mixture_ : GaussianMixture
        scikit-learn's mixture.
    offset_ : float
        Threshold of `score_samples`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    FeatureDetector : Takes one feature for the anomaly score.

    References
    ----------
    Section 3.1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import GaussianMixtureDetector
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = GaussianMixtureDetector(n_components=1, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0], [5.0, 5.0]])
    array([ 1, -1])
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions({"full", "tied", "diag", "spherical"})],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        **THRESHOLD_CONSTRAINTS,
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=3,
        covariance_type="full",
        reg_covar=1e-6,
        contamination=0.1,
        threshold="percentile",
        n_init=1,
        random_state=None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.contamination = contamination
        self.threshold = threshold
        self.n_init = n_init
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y=None) -> Self:
        """Fit the mixture and the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of healthy clips.
        y : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        self : GaussianMixtureDetector

        Raises
        ------
        ValueError
            Where there are fewer clips than components, or the features are not finite.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if len(X) < self.n_components:
            raise ValueError(
                f"n_components={self.n_components} needs as many clips, got n_samples={len(X)}. "
                "Fit on more clips or with fewer components."
            )
        self.mixture_ = GaussianMixture(
            self.n_components,
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            n_init=self.n_init,
            random_state=self.random_state,
        ).fit(X)
        self._fit_offset(self.mixture_.score_samples(X))
        return self

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Compute the weighted log-probability of each clip.

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
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.mixture_.score_samples(X)


class FeatureDetector(AnomalyDetectorMixin, BaseEstimator):
    """Take one feature for the anomaly score, as the report's system for valves does.

    Parameters
    ----------
    feature : int or str, default=0
        Index of the feature, or its name where X has names.
    contamination : float, default=0.1
        Share of the training clips beyond the threshold, in (0, 0.5].
    threshold : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes it from the training scores themselves, ``"gamma"`` from a gamma
        distribution fitted to them, as the DCASE baselines do since 2021.

    Attributes
    ----------
    feature_index_ : int
        Index of the feature.
    offset_ : float
        Threshold of `score_samples`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    GaussianMixtureDetector : Scores all features together.

    References
    ----------
    Section 3.2 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> FeatureDetector(feature=1).fit([[0, 1], [0, 2]]).anomaly_score([[0, 7]])
    array([7.])
    """

    _parameter_constraints = {
        "feature": [Interval(Integral, 0, None, closed="left"), str],
        **THRESHOLD_CONSTRAINTS,
    }

    def __init__(self, feature=0, contamination=0.1, threshold="percentile"):
        self.feature = feature
        self.contamination = contamination
        self.threshold = threshold

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y=None) -> Self:
        """Fit the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of healthy clips.
        y : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        self : FeatureDetector

        Raises
        ------
        ValueError
            Where there is no such feature, or the features are not finite.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        names = list(getattr(self, "feature_names_in_", []))
        if isinstance(self.feature, str) and self.feature in names:
            self.feature_index_ = names.index(self.feature)
        elif not isinstance(self.feature, str) and self.feature < X.shape[1]:
            self.feature_index_ = int(self.feature)
        else:
            raise ValueError(
                f"feature={self.feature!r}: X has {X.shape[1]} features, "
                f"{'named ' + ', '.join(names) if names else 'without names'}."
            )
        self._fit_offset(-X[:, self.feature_index_])
        return self

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return the feature with its sign turned.

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
        return -validate_data(self, X, dtype=np.float64, reset=False)[:, self.feature_index_]
