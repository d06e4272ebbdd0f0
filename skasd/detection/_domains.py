"""The two domains of healthy clips: many from the source, and few from the target."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state

from skasd.metrics._labels import DOMAINS, check_domains, healthy_clips

SOURCE, TARGET = DOMAINS

SMOTE_NEIGHBORS = 5
"""Nearest clips of the target, one of which a synthetic clip lies on the way to."""

TARGET_SHARE = 0.9
"""What a clip of the target counts in a mixture with one of the source."""

Whiten = Callable[[np.ndarray], np.ndarray]
"""Turns features into points whose distances count."""


def check_domain(domain: Any, X: Any) -> np.ndarray | None:
    """Check which domain each clip is from.

    Parameters
    ----------
    domain : array-like of shape (n_clips,) or None
        Each ``"source"`` or ``"target"``; None if nobody has said so.
    X : sequence of n_clips
        The clips to fit on.

    Returns
    -------
    ndarray of shape (n_clips,), bool, or None
        True for clips of the target.

    Raises
    ------
    ValueError
        If there is not one domain for each clip, or one is neither.

    Examples
    --------
    >>> from skasd.detection._domains import check_domain
    >>> check_domain(["source", "target"], ["a.wav", "b.wav"])
    array([False,  True])
    """
    return None if domain is None else check_domains(domain, X) == TARGET


def healthy_clips_of(X: Any, y: Any, domain: Any) -> tuple[Any, Any, np.ndarray | None]:
    """Return what a detector is fitted on, and which of the clips are of the target.

    Parameters
    ----------
    X : sequence of n_clips
        Clips, spectrograms or features.
    y : array-like of shape (n_clips,) or None
        What `fit` takes for y.
    domain : array-like of shape (n_clips,) or None
        Each ``"source"`` or ``"target"``.

    Returns
    -------
    X, y
        As of `healthy_clips`.
    is_target : ndarray of shape (n_healthy_clips,), bool, or None
        Of the same clips; None if nobody has said so.
    """
    is_target = check_domain(domain, X)
    if is_target is not None:
        is_target, _ = healthy_clips(is_target, y)
    return *healthy_clips(X, y), is_target


def smote(target: np.ndarray, n_new: int, whiten: Whiten, metric: str) -> np.ndarray:
    """Make clips between those of the target.

    Parameters
    ----------
    target : ndarray of shape (n_target, n_features)
        Features of the clips of the target.
    n_new : int
        How many to make.
    whiten : callable
        Turns features into points whose distances count.
    metric : str
        Of these distances.

    Returns
    -------
    ndarray of shape (n_new, n_features)
        Each ``x + gap * (z - x)``, where x are the clips in turn, z is any of the five nearest
        clips of x, and gap is uniform in [0, 1). None if there is one clip alone. They are the same
        in each call.

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
    """Mix each clip of the target with its nearest clips of the source.

    Parameters
    ----------
    target, source : ndarray of shape (n_target, n_features) or (n_source, n_features)
        Features of the clips of each domain.
    n_each : int
        Number of nearest clips; at most all of the source.
    whiten : callable
        Turns features into points whose distances count.
    metric : str
        Of these distances.

    Returns
    -------
    ndarray of shape (n_target * n_each, n_features)
        Each ``0.9 * t + 0.1 * s``, for the target's clips in turn, and the source's from the
        nearest.

    References
    ----------
    Saengthong and Shinozaki, "Deep generic representations for domain-generalized anomalous sound
    detection", ICASSP 2025, arXiv:2409.05035. The share of 0.9 is that of its code.

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
    """Make clips of the target until there are about as many as of the source.

    Parameters
    ----------
    features : ndarray of shape (n_clips, n_features)
        Of the clips of both domains.
    is_target : ndarray of shape (n_clips,), bool
        Which clips are of the target.
    method : {"smote", "memmixup"}
        How they are made: see `smote` and `mem_mixup`.
    whiten : callable
        Turns features into points whose distances count.
    metric : str
        Of these distances.

    Returns
    -------
    ndarray of shape (n_new, n_features)
        None if a domain has no clips, or the target has as many as the source.
    """
    target, source = features[is_target], features[~is_target]
    n_new = len(source) - len(target)
    if n_new <= 0 or not len(target):
        return np.empty((0, features.shape[1]))
    if method == "smote":
        return smote(target, n_new, whiten, metric)
    return mem_mixup(target, source, -(-n_new // len(target)), whiten, metric)
