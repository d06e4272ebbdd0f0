"""The two domains of healthy clips: many from the source, and few from the target."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state

from skasd.metrics._labels import DOMAINS, check_domains, healthy_clips

SOURCE, TARGET = DOMAINS

SMOTE_NEIGHBORS = 5
"""Number of nearest target clips to choose from when a synthetic clip is made between two."""

TARGET_SHARE = 0.9
"""Share of the target clip in a mixture with a source clip."""

Whiten = Callable[[np.ndarray], np.ndarray]
"""Turns features into points between which distances are computed."""


def check_domain(domain: Any, X: Any) -> np.ndarray | None:
    """Check which domain each clip is from.

    Parameters
    ----------
    domain : array-like of shape (n_clips,) or None
        ``"source"`` or ``"target"`` for each clip; None if the domains are unknown.
    X : sequence of n_clips
        The clips to fit on.

    Returns
    -------
    ndarray of shape (n_clips,), bool, or None
        True for clips of the target domain.

    Raises
    ------
    ValueError
        If there is not one domain for each clip, or a domain is neither.

    Examples
    --------
    >>> from skasd.detection._domains import check_domain
    >>> check_domain(["source", "target"], ["a.wav", "b.wav"])
    array([False,  True])
    """
    return None if domain is None else check_domains(domain, X) == TARGET


def healthy_clips_of(X: Any, y: Any, domain: Any) -> tuple[Any, Any, np.ndarray | None]:
    """Return what to fit a detector on, and which of the clips are from the target domain.

    Parameters
    ----------
    X : sequence of n_clips
        Clips, spectrograms or features.
    y : array-like of shape (n_clips,) or None
        Labels, as `fit` takes them.
    domain : array-like of shape (n_clips,) or None
        ``"source"`` or ``"target"`` for each clip.

    Returns
    -------
    X, y
        See `healthy_clips`.
    is_target : ndarray of shape (n_healthy_clips,), bool, or None
        Which of these clips are from the target domain; None if this is unknown.
    """
    is_target = check_domain(domain, X)
    if is_target is not None:
        is_target, _ = healthy_clips(is_target, y)
    return *healthy_clips(X, y), is_target


def smote(target: np.ndarray, n_new: int, whiten: Whiten, metric: str) -> np.ndarray:
    """Make synthetic clips between those of the target domain.

    Parameters
    ----------
    target : ndarray of shape (n_target, n_features)
        Features of the clips of the target domain.
    n_new : int
        Number of clips to make.
    whiten : callable
        Turns features into points between which distances are computed.
    metric : str
        Metric of these distances.

    Returns
    -------
    ndarray of shape (n_new, n_features)
        Each is ``x + gap * (z - x)``, where x runs through the clips in turn, z is one of the five
        nearest clips to x, and gap is uniform in [0, 1). None if there is only one clip. Every call
        returns the same clips.

    References
    ----------
    Chawla et al., "SMOTE: Synthetic minority over-sampling technique", Journal of Artificial
    Intelligence Research 16, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._domains import smote
    >>> new = smote(np.array([[0.0], [1.0]]), 4, whiten=lambda X: X, metric="euclidean")
    >>> new.shape, bool(((new >= 0) & (new <= 1)).all())
    ((4, 1), True)
    """
    n_neighbors = min(SMOTE_NEIGHBORS, len(target) - 1)
    if n_neighbors < 1:
        return np.empty((0, target.shape[1]))
    search = NearestNeighbors(algorithm="brute", metric=metric).fit(whiten(target))
    neighbors = search.kneighbors(n_neighbors=n_neighbors, return_distance=False)
    random_state = check_random_state(0)
    base = np.arange(n_new) % len(target)
    other = neighbors[base, random_state.randint(n_neighbors, size=n_new)]
    gap = random_state.uniform(size=(n_new, 1))
    return target[base] + gap * (target[other] - target[base])


def mem_mixup(
    target: np.ndarray, source: np.ndarray, n_each: int, whiten: Whiten, metric: str
) -> np.ndarray:
    """Mix each clip of the target domain with its nearest clips of the source domain.

    Parameters
    ----------
    target, source : ndarray of shape (n_target, n_features) or (n_source, n_features)
        Features of the clips of each domain.
    n_each : int
        Number of nearest clips; at most all of the source domain.
    whiten : callable
        Turns features into points between which distances are computed.
    metric : str
        Metric of these distances.

    Returns
    -------
    ndarray of shape (n_target * n_each, n_features)
        Each is ``0.9 * t + 0.1 * s``, where t runs through the target clips in turn, and s through
        the source clips from the nearest on.

    References
    ----------
    Saengthong and Shinozaki, "Deep generic representations for domain-generalized anomalous sound
    detection", ICASSP 2025, arXiv:2409.05035. The share of 0.9 is from its code.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._domains import mem_mixup
    >>> target, source = np.array([[10.0]]), np.array([[0.0], [2.0]])
    >>> mem_mixup(target, source, 2, whiten=lambda X: X, metric="euclidean")
    array([[9.2],
           [9. ]])
    """
    search = NearestNeighbors(algorithm="brute", metric=metric).fit(whiten(source))
    nearest = search.kneighbors(whiten(target), n_each, return_distance=False)
    mixed = TARGET_SHARE * target[:, np.newaxis] + (1 - TARGET_SHARE) * source[nearest]
    return mixed.reshape(-1, target.shape[1])


def add_target_clips(
    features: np.ndarray, is_target: np.ndarray, method: str, whiten: Whiten, metric: str
) -> np.ndarray:
    """Make target clips until there are about as many as source clips.

    Parameters
    ----------
    features : ndarray of shape (n_clips, n_features)
        Features of the clips of both domains.
    is_target : ndarray of shape (n_clips,), bool
        Which clips are from the target domain.
    method : {"smote", "memmixup"}
        How clips are made; see `smote` and `mem_mixup`.
    whiten : callable
        Turns features into points between which distances are computed.
    metric : str
        Metric of these distances.

    Returns
    -------
    ndarray of shape (n_new, n_features)
        None if a domain has no clips, or the target domain has as many as the source domain.
    """
    target, source = features[is_target], features[~is_target]
    n_new = len(source) - len(target)
    if n_new <= 0 or not len(target):
        return np.empty((0, features.shape[1]))
    if method == "smote":
        return smote(target, n_new, whiten, metric)
    return mem_mixup(target, source, -(-n_new // len(target)), whiten, metric)
