"""Metrics of one machine's test clips."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from skasd._sklearn import Interval, validate_params
from skasd.metrics._labels import validate


def auc(y: ArrayLike, anomaly_scores: ArrayLike) -> float:
    """Compute the area under the ROC curve.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        +1 for normal clips, -1 for anomalous ones.
    anomaly_scores : array-like of shape (n_clips,)
        Higher is more anomalous.

    Returns
    -------
    float
        In [0, 1]: the probability that an anomalous clip scores higher than a normal one;
        ties count half.

    Examples
    --------
    >>> from skasd.metrics import auc
    >>> auc([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8])
    0.75
    """
    return float(roc_auc_score(*validate(y, anomaly_scores)))


@validate_params({"max_fpr": [Interval(Real, 0, 1, closed="right")]})
def pauc(y: ArrayLike, anomaly_scores: ArrayLike, max_fpr: float = 0.1) -> float:
    """Compute the area under the ROC curve at low false positive rates, as DCASE does.

    Parameters
    ----------
    y, anomaly_scores
        See `auc`.
    max_fpr : float, default=0.1
        False positive rate at which the area ends, in (0, 1].

    Returns
    -------
    float
        McClish's standardized partial area, ``(1 + (area - least) / (most - least)) / 2`` with
        ``least = max_fpr**2 / 2`` (chance) and ``most = max_fpr``: 0.5 is chance, 1 is perfect.

    Raises
    ------
    ValueError
        If `max_fpr` is out of range.

    Examples
    --------
    >>> from skasd.metrics import pauc
    >>> pauc([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], max_fpr=0.5)
    0.6666666666666666
    """
    is_anomalous, anomaly_scores = validate(y, anomaly_scores)
    return float(roc_auc_score(is_anomalous, anomaly_scores, max_fpr=max_fpr))


def precision(y: ArrayLike, anomaly_scores: ArrayLike, threshold: float) -> float:
    """Compute the share of anomalous clips among those judged anomalous.

    Parameters
    ----------
    y, anomaly_scores
        See `auc`.
    threshold : float
        A clip is judged anomalous if its score is higher. ``-detector.offset_`` judges as
        ``detector.predict`` does.

    Returns
    -------
    float
        In [0, 1]; 0 if no clip is judged anomalous.

    Raises
    ------
    ValueError
        If `threshold` is NaN.

    Examples
    --------
    >>> from skasd.metrics import precision
    >>> precision([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], threshold=0.2)
    0.6666666666666666
    """
    return float(precision_score(*_judge(y, anomaly_scores, threshold), zero_division=0))


def recall(y: ArrayLike, anomaly_scores: ArrayLike, threshold: float) -> float:
    """Compute the share of the anomalous clips that are judged anomalous.

    Parameters
    ----------
    y, anomaly_scores, threshold
        See `precision`.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> from skasd.metrics import recall
    >>> recall([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], threshold=0.5)
    0.5
    """
    return float(recall_score(*_judge(y, anomaly_scores, threshold)))


def f1(y: ArrayLike, anomaly_scores: ArrayLike, threshold: float) -> float:
    """Compute the harmonic mean of precision and recall.

    Parameters
    ----------
    y, anomaly_scores, threshold
        See `precision`.

    Returns
    -------
    float
        In [0, 1]; 0 if no clip is judged anomalous.

    Examples
    --------
    >>> from skasd.metrics import f1
    >>> f1([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], threshold=0.2)
    0.8
    """
    return float(f1_score(*_judge(y, anomaly_scores, threshold)))


def _judge(y: ArrayLike, anomaly_scores: ArrayLike, threshold: float) -> Any:
    is_anomalous, anomaly_scores = validate(y, anomaly_scores)
    if np.isnan(threshold):
        raise ValueError("threshold is NaN. Pass a number, such as -detector.offset_.")
    return is_anomalous, anomaly_scores > threshold
