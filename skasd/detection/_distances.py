"""Distances of clips to the nearest of others, block by block."""

from collections.abc import Iterator

import numpy as np

BLOCK_BYTES = 2**26
"""Size of the distances that are computed at a time."""


def directions(X: np.ndarray) -> np.ndarray:
    """Scale each row to length 1; a row of zeros has no direction, and stays.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_features)
        Features.

    Returns
    -------
    ndarray of shape (n_clips, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._distances import directions
    >>> directions(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(lengths == 0, 1, lengths)


def nearest_clips(
    points: np.ndarray,
    training: np.ndarray,
    n_nearest: int,
    metric: str,
    density: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest clips by distances that are divided by the density where they lead to.

    Parameters
    ----------
    points : ndarray of shape (n_clips, n_features)
        From where.
    training : ndarray of shape (n_training_clips, n_features)
        To where.
    n_nearest : int
        How many to find.
    metric : {"euclidean", "cosine"}
        Of the distances; ``"cosine"`` takes rows of length 1 or 0.
    density : ndarray of shape (n_training_clips,), default=None
        What the distances to each clip are divided by.

    Returns
    -------
    distances : ndarray of shape (n_clips, n_nearest)
        The smallest first.
    nearest : ndarray of shape (n_clips, n_nearest), int
        Indices of the training clips.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._distances import nearest_clips
    >>> training = np.array([[0.0], [3.0]])
    >>> nearest_clips(np.array([[1.0]]), training, 2, "euclidean", np.array([1.0, 4.0]))
    (array([[0.5, 1. ]]), array([[1, 0]]))
    """
    smallest = np.empty((len(points), n_nearest))
    places = np.empty((len(points), n_nearest), dtype=np.intp)
    for rows, distances in _blocks(points, training, metric):
        if density is not None:
            distances /= density
        each = np.arange(len(distances))
        # A few passes are faster than a partition of each row.
        for column in range(n_nearest):
            place = distances.argmin(axis=1)
            smallest[rows, column], places[rows, column] = distances[each, place], place
            distances[each, place] = np.inf
    return smallest, places


def mean_to_nearest(
    points: np.ndarray, n_recorded: int, n_neighbors: int, metric: str
) -> np.ndarray:
    """Compute the mean distance of each clip to the nearest recorded ones, without itself.

    Parameters
    ----------
    points : ndarray of shape (n_clips, n_features)
        From where.
    n_recorded : int
        How many of them, from the first, count as neighbors.
    n_neighbors : int
        How many neighbors to average over; all others if there are fewer.
    metric : {"euclidean", "cosine"}
        Of the distances; ``"cosine"`` takes rows of length 1 or 0.

    Returns
    -------
    ndarray of shape (n_clips,)

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._distances import mean_to_nearest
    >>> mean_to_nearest(np.array([[0.0], [3.0], [4.0]]), 2, 1, "euclidean")
    array([3., 3., 1.])
    """
    n_neighbors = min(n_neighbors, n_recorded - 1)
    means = np.empty(len(points))
    for rows, distances in _blocks(points, points[:n_recorded], metric):
        own = np.arange(rows.start, min(rows.stop, n_recorded))
        distances[own - rows.start, own] = np.inf
        distances.partition(n_neighbors - 1, axis=1)
        means[rows] = distances[:, :n_neighbors].mean(axis=1)
    return means


def _blocks(
    points: np.ndarray, training: np.ndarray, metric: str
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the distances of some rows at a time, which may be overwritten."""
    squares = (training**2).sum(axis=1)
    n_rows = max(1, BLOCK_BYTES // (squares.itemsize * len(training)))
    for start in range(0, len(points), n_rows):
        rows = slice(start, min(start + n_rows, len(points)))
        products = points[rows] @ training.T
        if metric == "cosine":
            yield rows, np.maximum(1 - products, 0)
        else:
            products *= -2
            products += squares
            products += (points[rows] ** 2).sum(axis=1)[:, np.newaxis]
            # Rounding may leave less than nothing.
            yield rows, np.sqrt(np.maximum(products, 0, out=products), out=products)
