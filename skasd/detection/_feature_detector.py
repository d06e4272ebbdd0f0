"""One feature as the anomaly score."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skasd._sklearn import Interval, fit_context
from skasd._utils.fitted import Number
from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._calibrated import THRESHOLD_CONSTRAINTS
from skasd.detection._domains import healthy_clips_of


class FeatureDetector(AnomalyDetectorMixin, BaseEstimator):
    """Use one feature as the anomaly score, as the report's system for valves does.

    Parameters
    ----------
    feature : int or str, default=0
        Index of the feature, or its name if X has names.
    contamination : float, default=0.1
        Share of healthy clips that may be called anomalous, in (0, 0.5].
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the scores of left-out clips themselves,
        ``"gamma"`` from a gamma distribution fitted to them, as the DCASE baselines do since 2021.

    Attributes
    ----------
    feature_index_ : int
        Index of the feature.
    offset_ : float
        Threshold of `score_samples`.
    training_scores_ : ndarray of shape (n_clips,)
        Scores of the training clips, as `score_samples` counts.
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

    _fitted = {
        **AnomalyDetectorMixin._fitted,
        "n_features_in_": Number("i", low=1),
        "feature_index_": Number("i", low=0),
    }

    def __init__(
        self,
        feature: int | str = 0,
        *,
        contamination: float = 0.1,
        threshold_rule: str = "percentile",
    ):
        self.feature = feature
        self.contamination = contamination
        self.threshold_rule = threshold_rule

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, domain: ArrayLike | None = None) -> Self:
        """Fit the threshold.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of healthy clips.
        y : array-like of shape (n_clips,), default=None
            If it holds +1 (normal) and -1 (anomalous) alone, the anomalous clips are left out.
            Other labels, such as 0 and 1, are refused.
        domain : array-like of shape (n_clips,), default=None
            ``"source"`` or ``"target"`` for each clip. The threshold and the p-values then hold in
            both.

        Returns
        -------
        self : FeatureDetector

        Raises
        ------
        ValueError
            If `feature` does not exist, or the features are not finite.
        """
        features: np.ndarray = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        names = list(getattr(self, "feature_names_in_", []))
        if isinstance(self.feature, str) and self.feature in names:
            self.feature_index_ = names.index(self.feature)
        elif not isinstance(self.feature, str) and self.feature < features.shape[1]:
            self.feature_index_ = int(self.feature)
        else:
            raise ValueError(
                f"feature={self.feature!r}: X has {features.shape[1]} features, "
                f"{'named ' + ', '.join(names) if names else 'without names'}."
            )
        healthy, _, is_target = healthy_clips_of(features, y, domain)
        # Nothing is learned from the clips, so that none is known better than a new one.
        self._calibrate(-healthy[:, self.feature_index_], is_target=is_target)
        return self

    def _check_fitted(self) -> None:
        super()._check_fitted()
        if self.feature_index_ >= self.n_features_in_:
            raise ValueError(f"there is no feature {self.feature_index_}")

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Return the feature with the opposite sign.

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
