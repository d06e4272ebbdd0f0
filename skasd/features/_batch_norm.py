"""Batch normalization of a trained network, reduced to a scale and a shift."""

import numpy as np


def scale_and_shift(
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Write a batch normalization as ``scale * x + shift``, to fold into the layer before it.

    Parameters
    ----------
    gamma, beta, mean, variance : ndarray of shape (n_units,)
        Parameters of the trained normalization.
    epsilon : float
        The constant that it adds to the variance.

    Returns
    -------
    scale, shift : ndarray of shape (n_units,)
        In the precision of the input arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.features._batch_norm import scale_and_shift
    >>> scale_and_shift(np.array(6.0), np.array(1.0), np.array(5.0), np.array(3.0), epsilon=1.0)
    (np.float64(3.0), np.float64(-14.0))
    """
    scale = gamma / np.sqrt(variance + epsilon)
    return scale, beta - mean * scale
