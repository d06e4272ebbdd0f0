"""Scorers for scikit-learn's searches."""

from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skasd.metrics._scores import auc, pauc


def auc_scorer(estimator: BaseEstimator, X: Any, y: ArrayLike) -> float:
    """Score a fitted detector by `auc`: ``GridSearchCV(..., scoring=auc_scorer)``.

    Parameters
    ----------
    estimator : fitted detector or pipeline that ends with one
        Anything with `score_samples`.
    X : what `estimator` was fitted on
        Clips, spectrograms or features.
    y : array-like of shape (n_clips,)
        +1 for normal clips, -1 for anomalous ones.

    Returns
    -------
    float
        The AUC.

    See Also
    --------
    skasd.model_selection.NormalKFold : The folds to search with.

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.metrics import auc_scorer
    >>> auc_scorer(FeatureDetector().fit([[0], [1]]), [[0.1], [0.4], [0.3], [0.8]], [1, 1, -1, -1])
    0.75
    """
    return auc(y, -estimator.score_samples(X))


def pauc_scorer(estimator: BaseEstimator, X: Any, y: ArrayLike) -> float:
    """Score a fitted detector by `pauc`: ``GridSearchCV(..., scoring=pauc_scorer)``.

    scikit-learn's own partial AUC would not do: with +1 for normal clips it looks at the end of
    the ROC curve where anomalous clips are missed, not at the one with few false alarms.

    Parameters
    ----------
    estimator, X, y
        See `auc_scorer`.

    Returns
    -------
    float
        The pAUC up to a false positive rate of 0.1.

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.metrics import pauc_scorer
    >>> pauc_scorer(FeatureDetector().fit([[0], [1]]), [[0.1], [0.4], [0.5], [0.8]], [1, 1, -1, -1])
    1.0
    """
    return pauc(y, -estimator.score_samples(X))


def auc_pauc_scorer(estimator: BaseEstimator, X: Any, y: ArrayLike) -> dict[str, float]:
    """Score a fitted detector by `auc` and `pauc`, for ``GridSearchCV(..., refit="pauc")``.

    The clips pass through the detector once.

    Parameters
    ----------
    estimator, X, y
        See `auc_scorer`.

    Returns
    -------
    dict
        ``"auc"`` and ``"pauc"``.

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.metrics import auc_pauc_scorer
    >>> detector = FeatureDetector().fit([[0], [1]])
    >>> auc_pauc_scorer(detector, [[0.1], [0.4], [0.3], [0.8]], [1, 1, -1, -1])
    {'auc': 0.75, 'pauc': 0.7368421052631579}
    """
    anomaly_scores = -estimator.score_samples(X)
    return {"auc": auc(y, anomaly_scores), "pauc": pauc(y, anomaly_scores)}
