"""Quantiles as sums: of values that are sorted, the largest first, each counts with its weight."""

import numpy as np


def quantile_weights(quantile: float, n_values: int) -> np.ndarray:
    """Return the weight of each value, the largest first, in NumPy's linear quantile.

    Parameters
    ----------
    quantile : float
        In [0, 1].
    n_values : int
        Number of sorted values.

    Returns
    -------
    ndarray of shape (n_values,)

    Examples
    --------
    >>> from skasd.export._ranks import quantile_weights
    >>> quantile_weights(0.5, 4)
    array([0. , 0.5, 0.5, 0. ])
    """
    rank = (1 - quantile) * (n_values - 1)
    return np.maximum(0.0, 1 - np.abs(np.arange(n_values) - rank))
