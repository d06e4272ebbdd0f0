"""Pooling of an encoder's frames over time."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

Pooling = str | float | Sequence[str | float]

POOLINGS: dict[str, Callable[..., np.ndarray]] = {"mean": np.mean, "std": np.std, "max": np.max}


def poolings_of(pooling: Any) -> list[str | float]:
    """Return the poolings to compute, one after the other, or refuse what is none.

    Parameters
    ----------
    pooling : {"mean", "std", "max"}, float, or a sequence of these
        A number is the decay of a rank-weighted mean, from 0 to 1.

    Returns
    -------
    list of str or float

    Raises
    ------
    ValueError
        If it is anything else, or a value is repeated.

    Examples
    --------
    >>> from skasd.features.encoders._pooling import poolings_of
    >>> poolings_of(("mean", 0.9))
    ['mean', 0.9]
    """
    each = list(pooling) if isinstance(pooling, list | tuple) else [pooling]
    if not each or len(set(map(str, each))) < len(each) or not all(map(_is_pooling, each)):
        raise ValueError(
            f"pooling={pooling!r}: expected 'mean', 'std', 'max', a number from 0 to 1 (the decay "
            "of a rank-weighted mean), or several of them, each once."
        )
    return each


def _is_pooling(value: Any) -> bool:
    if isinstance(value, str):
        return value in POOLINGS
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= 1


def pool(frames: np.ndarray, pooling: Pooling) -> np.ndarray:
    """Pool frames over time.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_features)
        At least one frame.
    pooling : {"mean", "std", "max"}, float, or a sequence of these
        See `poolings_of`.

    Returns
    -------
    ndarray of shape (n_poolings * n_features,), float32

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.features.encoders._pooling import pool
    >>> pool(np.array([[0.0], [6.0], [3.0]]), ("mean", "max", 0.5))
    array([3.      , 6.      , 4.285714], dtype=float32)
    """
    exact = frames.astype(np.float64)
    parts = [_pooled(exact, each) for each in poolings_of(pooling)]
    return np.concatenate(parts).astype(np.float32)


def _pooled(frames: np.ndarray, pooling: str | float) -> np.ndarray:
    if isinstance(pooling, str):
        return POOLINGS[pooling](frames, axis=0)
    weights = float(pooling) ** np.arange(len(frames))
    return weights @ np.sort(frames, axis=0)[::-1] / weights.sum()


def feature_names(prefix: str, pooling: Pooling, n_features: int, n_bands: int = 1) -> np.ndarray:
    """Name pooled features: ``prefix_mean_0``, or ``prefix_mean_0_band_3`` if there are bands.

    Parameters
    ----------
    prefix : str
        What all names start with.
    pooling : {"mean", "std", "max"}, float, or a sequence of these
        See `poolings_of`.
    n_features : int
        Number of features in total.
    n_bands : int, default=1
        Bands of each channel, which are next to each other.

    Returns
    -------
    ndarray of shape (n_features,), dtype object
    """
    kinds = [k if isinstance(k, str) else f"decay{float(k):.12g}" for k in poolings_of(pooling)]
    of_each = range(n_features // len(kinds))
    if n_bands > 1:
        places = [f"{i // n_bands}_band_{i % n_bands}" for i in of_each]
    else:
        places = [str(i) for i in of_each]
    names = [f"{prefix}_{kind}_{place}" for kind in kinds for place in places]
    return np.array(names, dtype=object)
