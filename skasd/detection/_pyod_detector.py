"""Detectors of PyOD, with the signs and the threshold of scikit-learn."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from skasd._sklearn import HasMethods, fit_context
from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._calibrated import THRESHOLD_CONSTRAINTS
from skasd.detection._domains import healthy_clips_of

FOLDS = 5
"""Fits that give the threshold, besides the one on all clips. PyOD's detectors may be slow."""


class PyODDetector(AnomalyDetectorMixin, BaseEstimator):
    """Score clips by a detector of PyOD, at the end of a pipeline or in an ensemble.

    PyOD's detectors count the other way: their `decision_function` is higher for anomalous clips,
    and their `predict` gives 1 for them. This adapter has the methods and signs of scikit-learn's.

    Parameters
    ----------
    detector : detector of PyOD
        Anything with `fit`, `decision_function` and, once it is fitted, `decision_scores_`. It is
        cloned, never fitted itself.
    contamination : float, default=0.1
        Share of healthy clips that may be called anomalous, in (0, 0.5]. It takes the place of the
        detector's own.
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the scores of left-out clips themselves,
        ``"gamma"`` from a gamma distribution fitted to them.

    Attributes
    ----------
    detector_ : detector of PyOD
        The fitted one.
    offset_ : float
        Threshold of `score_samples`.
    training_scores_ : ndarray of shape (n_clips,)
        Scores of the training clips, as `score_samples` counts, in five folds: each by a detector
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
    NearestNeighborsDetector : Distances to the nearest training clips, without PyOD.

    Notes
    -----
    `skasd.save` does not save it, since `skasd.load` could not check what PyOD's detectors hold.
    Save it with `joblib.dump`, and load only files that nobody else can write.

    References
    ----------
    Zhao et al., "PyOD: A Python toolbox for scalable outlier detection", Journal of Machine
    Learning Research 20(96), 2019.

    Examples
    --------
    >>> from pyod.models.ecod import ECOD  # doctest: +SKIP
    >>> from skasd import PyODDetector
    >>> detector = PyODDetector(ECOD()).fit([[0.0], [1.0], [2.0]])  # doctest: +SKIP
    >>> detector.predict([[1.0], [50.0]])  # doctest: +SKIP
    array([ 1, -1])
    """

    _parameter_constraints = {
        "detector": [HasMethods(["fit", "decision_function", "get_params"])],
        **THRESHOLD_CONSTRAINTS,
    }

    def __init__(
        self, detector: Any, *, contamination: float = 0.1, threshold_rule: str = "percentile"
    ):
        self.detector = detector
        self.contamination = contamination
        self.threshold_rule = threshold_rule

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Any = None, *, domain: ArrayLike | None = None) -> Self:
        """Fit the detector and the threshold.

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
        self : PyODDetector

        Raises
        ------
        ValueError
            If the features are not finite, or the detector cannot be fitted on them.
        """
        features: np.ndarray = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        healthy, _, is_target = healthy_clips_of(features, y, domain)
        self.detector_ = clone(self.detector).fit(healthy)
        training_scores = -np.asarray(self.detector_.decision_scores_, dtype=np.float64)

        def score_others(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            """Score clips by a fit on others."""
            return _normality(clone(self.detector).fit(healthy[train]), healthy[test])

        self._calibrate_by_folds(score_others, training_scores, is_target, n_folds=FOLDS)
        return self

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Compute the detector's outlier score, with the opposite sign.

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
        return _normality(self.detector_, features)


def _normality(detector: Any, features: np.ndarray) -> np.ndarray:
    return -np.asarray(detector.decision_function(features), dtype=np.float64)
