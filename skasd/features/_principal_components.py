"""A projection onto principal components."""

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted, validate_data

from skasd._sklearn import Interval, fit_context
from skasd._utils.fitted import Estimator, Number


class PrincipalComponents(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Project features onto their first principal components, or onto as many as there are.

    Unlike scikit-learn's PCA, it warns about having fewer clips than components instead of failing.

    Parameters
    ----------
    n_components : int, default=50
        Number of components to keep, at most.

    Attributes
    ----------
    pca_ : PCA
        scikit-learn's PCA, with at most as many components as the data have.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X has names that are all strings.

    References
    ----------
    Section 3.1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import PrincipalComponents
    >>> X = np.random.default_rng(0).normal(size=(100, 8))
    >>> PrincipalComponents(n_components=2).fit_transform(X).shape
    (100, 2)
    """

    _parameter_constraints = {"n_components": [Interval(Integral, 1, None, closed="left")]}

    _fitted = {"n_features_in_": Number("i", low=1), "pca_": Estimator(PCA)}

    def __init__(
        self,
        n_components: int = 50,
    ):
        self.n_components = n_components

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Find the components.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : PrincipalComponents

        Warns
        -----
        UserWarning
            If there are fewer clips or features than components.
        """
        features: np.ndarray = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        n_clips, n_features = features.shape
        n_components = min(self.n_components, n_clips, n_features)
        if n_components < self.n_components:
            warnings.warn(
                f"{n_clips} clips of {n_features} features have only {n_components} principal "
                f"components, not n_components={self.n_components}. Fit on more clips to get all.",
                stacklevel=2,
            )
        # The full decomposition draws no random numbers.
        self.pca_ = PCA(n_components, svd_solver="full").fit(features)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Project features onto the components.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_clips, n_components), float64
        """
        check_is_fitted(self)
        return self.pca_.transform(validate_data(self, X, dtype=np.float64, reset=False))

    def _check_fitted(self) -> None:
        if self.pca_.components_.shape[1] != self.n_features_in_:
            raise ValueError(f"pca_ is of {self.pca_.components_.shape[1]} features")

    @property
    def _n_features_out(self) -> int:
        return self.pca_.n_components_
