"""Covariances of few clips, for detectors that standardize their features first."""

import numpy as np
from scipy import linalg
from sklearn.covariance import OAS, LedoitWolf

SHRINKAGES = {"ledoit_wolf": LedoitWolf, "oas": OAS}

REG_COVAR = 1e-6
"""Added to the variances by default, as in scikit-learn's GaussianMixture."""

FEWEST_CLIPS = 3
"""Two clips lie on a line, and Ledoit-Wolf's estimate then mistakes the line for the truth."""


def shrunk_covariance(
    deviations: np.ndarray, shrinkage: str, reg_covar: float, variance: float
) -> np.ndarray:
    """Estimate the covariance of standardized features, shrunk toward a sphere.

    Parameters
    ----------
    deviations : ndarray of shape (n_clips, n_features)
        Differences of the clips from their mean.
    shrinkage : {"ledoit_wolf", "oas"}
        How much to shrink: scikit-learn's functions of these names.
    reg_covar : float
        Added to the diagonal.
    variance : float
        Variance of the sphere that is returned for fewer clips than `FEWEST_CLIPS`.

    Returns
    -------
    ndarray of shape (n_features, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._covariance import shrunk_covariance
    >>> shrunk_covariance(np.array([[1.0, 1.0], [-1.0, -1.0]]), "oas", 0.0, variance=1.0)
    array([[1., 0.],
           [0., 1.]])
    """
    n_clips, n_features = deviations.shape
    if n_clips < FEWEST_CLIPS:
        return (variance + reg_covar) * np.eye(n_features)
    # Its inverse takes longer than the estimate, and is not used.
    estimator = SHRINKAGES[shrinkage](store_precision=False, assume_centered=True).fit(deviations)
    covariance = estimator.covariance_
    if not 0 <= estimator.shrinkage_ <= 1:
        # If the clips form a sphere already, OAS divides one rounding error by another.
        covariance = np.mean(deviations**2) * np.eye(n_features)
    return covariance + reg_covar * np.eye(n_features)


def scale_of(X: np.ndarray) -> np.ndarray:
    """Return what standardizes features: their standard deviations, 1 for those that are constant.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_features)
        Features.

    Returns
    -------
    ndarray of shape (n_features,)

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._covariance import scale_of
    >>> scale_of(np.array([[0.0, 0.1], [4.0, 0.1], [8.0, 0.1]]) + 0.2).round(3)
    array([3.266, 1.   ])
    """
    scale = X.std(axis=0)
    # What rounding makes of clips that are alike is no scale, as in scikit-learn's StandardScaler.
    rounding = len(X) * np.finfo(np.float64).eps * np.abs(X).max(axis=0)
    return np.where(scale <= np.maximum(rounding, 10 * np.finfo(np.float64).eps), 1.0, scale)


def precision_factor(covariance: np.ndarray) -> np.ndarray:
    """Factorize the inverse of a covariance.

    Parameters
    ----------
    covariance : ndarray of shape (n_features, n_features)
        Symmetric.

    Returns
    -------
    ndarray of shape (n_features, n_features)
        Upper triangular; times its transpose, it is the inverse. Centered clips times it have
        the identity for their covariance.

    Raises
    ------
    ValueError
        If the covariance is singular.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.detection._covariance import precision_factor
    >>> precision_factor(np.diag([4.0, 16.0]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    try:
        cholesky = linalg.cholesky(covariance, lower=True)
    except linalg.LinAlgError as error:
        raise ValueError(
            "The clips' covariance is singular: too few of them differ, or a feature is constant. "
            f"Pass a larger reg_covar, such as {REG_COVAR:g}, or drop constant features."
        ) from error
    return linalg.solve_triangular(cholesky, np.eye(len(covariance)), lower=True).T
