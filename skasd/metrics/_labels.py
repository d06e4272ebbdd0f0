"""Checks of labels, and of what every metric takes."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from skasd._sklearn import safe_indexing

LABEL_WORDS = {
    *("normal", "healthy", "ok", "good", "false"),
    *("anomalous", "anomaly", "abnormal", "faulty", "fault", "ng", "bad", "true"),
}
"""What labels say in words, in lower case."""


def check_labels(y: ArrayLike) -> np.ndarray:
    """Check labels: +1 for normal clips, -1 for anomalous ones.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        Labels.

    Returns
    -------
    ndarray of shape (n_clips,), bool
        True for anomalous clips.

    Raises
    ------
    ValueError
        If there are no labels, or any other than +1 and -1.

    Examples
    --------
    >>> from skasd.metrics._labels import check_labels
    >>> check_labels([1, -1])
    array([False,  True])
    """
    y = np.asarray(y)
    if y.ndim != 1 or len(y) == 0:
        raise ValueError(f"Expected one label for each clip, got an array of shape {y.shape}.")
    remedy = (
        "Labels are the numbers +1 (normal) and -1 (anomalous). If they are true or 1 for "
        "anomalous clips, pass np.where(y, -1, 1)."
    )
    if y.dtype.kind not in "iuf":
        raise ValueError(f"y has dtype {y.dtype}. {remedy}")
    unknown = np.flatnonzero((y != 1) & (y != -1))
    if len(unknown):
        raise ValueError(f"y is {y[unknown[0]]} at index {unknown[0]}. {remedy}")
    return y == -1


DOMAINS = ("source", "target")
"""Domains of a machine: where most of its training clips are from, and where few are."""


def check_domains(domains: ArrayLike, X: Any) -> np.ndarray:
    """Check domains, one for each clip.

    Parameters
    ----------
    domains : array-like of shape (n_clips,)
        ``"source"`` or ``"target"``.
    X : sequence of n_clips
        What the domains are of.

    Returns
    -------
    ndarray of shape (n_clips,), str

    Raises
    ------
    ValueError
        If there is not one for each clip, or one is neither of these.

    Examples
    --------
    >>> from skasd.metrics._labels import check_domains
    >>> check_domains(["source", "goal"], [0.1, 0.2])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: domain is 'goal' at index 1: expected 'source', the domain of most clips, ...
    """
    # As objects, a None or NaN among them stays what it is.
    checked = np.asarray(domains, dtype=object)
    if checked.ndim != 1:
        raise ValueError(
            f"domain={domains!r:.80}: expected 'source' or 'target' for each clip, in one sequence."
        )
    check_consistent_length(X, checked)
    for index, each in enumerate(checked):
        if not isinstance(each, str) or each not in DOMAINS:
            raise ValueError(
                f"domain is {each!r} at index {index}: expected 'source', the domain of most "
                "clips, or 'target', that of few."
            )
    return checked.astype(str)


def validate(y: ArrayLike, anomaly_scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Check the labels and scores that every metric takes.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        +1 for normal clips, -1 for anomalous ones; some of both.
    anomaly_scores : array-like of shape (n_clips,)
        Finite; higher is more anomalous.

    Returns
    -------
    is_anomalous : ndarray of shape (n_clips,), bool
        The positive class.
    anomaly_scores : ndarray of shape (n_clips,), float64
        As given.

    Raises
    ------
    ValueError
        If there is not one score for each label, a score is not finite, or a class is missing.

    Examples
    --------
    >>> from skasd.metrics._labels import validate
    >>> validate([1, -1], [0.5, 2])
    (array([False,  True]), array([0.5, 2. ]))
    """
    is_anomalous = check_labels(y)
    anomaly_scores = np.asarray(anomaly_scores, dtype=np.float64)
    if anomaly_scores.shape != is_anomalous.shape:
        raise ValueError(
            f"y has {len(is_anomalous)} labels, anomaly_scores has shape {anomaly_scores.shape}. "
            "Pass one score for each label."
        )
    not_finite = np.flatnonzero(~np.isfinite(anomaly_scores))
    if len(not_finite):
        index = not_finite[0]
        raise ValueError(
            f"anomaly_scores is {anomaly_scores[index]} at index {index}, and not finite for "
            f"{len(not_finite)} clips in all. Leave those clips out or fix the detector."
        )
    if is_anomalous.all() or not is_anomalous.any():
        missing = "normal clip (y = 1)" if is_anomalous.all() else "anomalous clip (y = -1)"
        raise ValueError(f"There is no {missing} in y: a metric needs clips of both classes.")
    return is_anomalous, anomaly_scores


def normal_clips(X: Any, y: ArrayLike) -> Any:
    """Return the clips that `y` says are normal.

    Parameters
    ----------
    X : sequence of n_clips
        Clips, spectrograms or features.
    y : array-like of shape (n_clips,)
        +1 for normal clips, -1 for anomalous ones.

    Returns
    -------
    the same kind of sequence
        The clips whose label is +1.

    Raises
    ------
    ValueError
        If no clip is normal, or `y` does not hold one label for each clip.

    Examples
    --------
    >>> from skasd.metrics._labels import normal_clips
    >>> normal_clips(["1.wav", "2.wav", "3.wav"], [1, -1, 1])
    ['1.wav', '3.wav']
    """
    check_consistent_length(X, y)
    normal = np.flatnonzero(~check_labels(y))
    if len(normal) == 0:
        raise ValueError(
            f"All {len(np.asarray(y))} clips are anomalous (y = -1). Pass normal ones as well."
        )
    return safe_indexing(X, normal)


def healthy_clips(X: Any, y: Any) -> tuple[Any, Any]:
    """Return what a detector is fitted on: with labels, the normal clips alone.

    Parameters
    ----------
    X : sequence of n_clips
        Clips, spectrograms or features.
    y : array-like of shape (n_clips,) or None
        +1 for normal clips, -1 for anomalous ones; or anything else that `fit` is handed.

    Returns
    -------
    X : the same kind of sequence
        The normal clips if `y` holds +1 and -1 alone, otherwise all.
    y : array-like of shape (n_clips,) or None
        None if `y` holds +1 and -1 alone, otherwise as given.

    Raises
    ------
    ValueError
        If `y` labels the clips in another way: by 0 and 1, by booleans or words such as
        ``"normal"``, or partly; or if all clips are anomalous.

    Examples
    --------
    >>> from skasd.metrics._labels import healthy_clips
    >>> healthy_clips(["1.wav", "2.wav", "3.wav"], [1, -1, 1])
    (['1.wav', '3.wav'], None)
    """
    labels = None if y is None else np.asarray(y)
    if labels is None or labels.ndim != 1 or len(labels) == 0:
        return X, y
    if labels.dtype.kind in "iuf" and np.isin(labels, (1, -1)).all():
        return normal_clips(X, labels), None
    # Names of machines, which some transformers learn from, are none of these.
    are_words = any(
        isinstance(label, bool) or (isinstance(label, str) and label.casefold() in LABEL_WORDS)
        for label in labels.tolist()
    )
    are_partial = labels.dtype.kind == "f" and np.isnan(labels).any()
    are_classes = labels.dtype.kind in "iuf" and np.isin(labels, (0, 1)).all()
    if are_words or are_partial or are_classes:
        check_labels(labels)
    return X, y
