"""Statistics over time: each turns the levels of bands, (n_frames, n_bands), into features."""

from collections.abc import Callable, Sequence

import numpy as np

LAGS = (1, 2, 4, 8, 16)
"""Distances, in frames, between the levels that ``"modulation"`` compares; each doubles."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of the levels of each band that ``"dynamics"`` takes."""

QUIET, LOUD = 0.5, 0.1
"""Shares of the frames, quietest and loudest, that ``"quiet"`` and ``"loud"`` average."""

FLOOR = 1e-3
"""In dB, or dB² for squares; added before taking a logarithm, so that silence has one."""

WIDE_BANDS = 8
"""Number of bands in which ``"modulation"`` and ``"dynamics"`` work."""

NEIGHBORS = (-1 / 6, 4 / 6, 0.0, 4 / 6, -1 / 6)
"""Weights by which a cubic through the other four of five frames estimates the middle one."""


def rank_weights(share: float, n_frames: int) -> np.ndarray:
    """Return the weight of each frame in the mean of a share of the sorted frames.

    Parameters
    ----------
    share : float
        The share, in (0, 1].
    n_frames : int
        Number of sorted frames.

    Returns
    -------
    ndarray of shape (n_frames,)
        The last frame that counts may count in part, so that the mean does not jump with
        `n_frames`.

    Examples
    --------
    >>> from skasd.features._statistics import rank_weights
    >>> rank_weights(0.5, 3).round(3)
    array([0.667, 0.333, 0.   ])
    """
    return np.clip(share * n_frames - np.arange(n_frames), 0, 1) / (share * n_frames)


def bands_averaged(levels: np.ndarray, n_bands: int | None) -> np.ndarray:
    """Average adjacent bands down to `n_bands`, or to as many as there are.

    Parameters
    ----------
    levels : ndarray of shape (n_frames, n_mels)
        In dB.
    n_bands : int or None
        None leaves all bands as they are.

    Returns
    -------
    ndarray of shape (n_frames, n_bands)
        Averages, in float64.
    """
    if n_bands is None or n_bands >= levels.shape[1]:
        return levels
    edges = band_edges(levels.shape[1], n_bands)
    return np.add.reduceat(levels.astype(np.float64), edges[:-1], axis=1) / np.diff(edges)


def band_edges(n_mels: int, n_bands: int | None) -> np.ndarray:
    """Return the first band of each wide band, and the end of the last one."""
    n_wide = n_mels if n_bands is None else min(n_bands, n_mels)
    return np.linspace(0, n_mels, n_wide + 1).astype(int)


def _mean_square(differences: np.ndarray) -> np.ndarray:
    return np.square(differences).mean(axis=0)


def level(levels: np.ndarray) -> np.ndarray:
    """Average over time."""
    return levels.mean(axis=0)


def quiet(levels: np.ndarray) -> np.ndarray:
    """Average the quieter half of the frames of each band."""
    return rank_weights(QUIET, len(levels)) @ np.sort(levels, axis=0)


def loud(levels: np.ndarray) -> np.ndarray:
    """Average the loudest tenth of the frames of each band."""
    return rank_weights(LOUD, len(levels)) @ np.sort(levels, axis=0)[::-1]


def spread(levels: np.ndarray) -> np.ndarray:
    """Compute the logarithm of the standard deviation over time."""
    return np.log(levels.std(axis=0) + FLOOR)


def flux(levels: np.ndarray) -> np.ndarray:
    """Compute the logarithm of the mean absolute difference of consecutive frames."""
    return np.log(mean_change(levels) + FLOOR)


def mean_change(levels: np.ndarray) -> np.ndarray:
    """Return the mean absolute difference of consecutive frames."""
    return np.abs(np.diff(levels, axis=0)).mean(axis=0)


def modulation(levels: np.ndarray) -> np.ndarray:
    """Compute the logarithm of the mean squared difference between frames `LAGS` apart."""
    return np.concatenate(
        [np.log(_mean_square(levels[lag:] - levels[:-lag]) + FLOOR) for lag in LAGS]
    )


def interpolation(levels: np.ndarray) -> np.ndarray:
    """Compute the logarithm of the mean squared error of a cubic through four of five frames."""
    return np.log(_mean_square(interpolation_error(levels)) + FLOOR)


def interpolation_error(levels: np.ndarray) -> np.ndarray:
    """Return how far each frame is from its estimate by the two frames on either side."""
    outer = levels[:-4] + levels[4:]
    inner = levels[1:-3] + levels[3:-1]
    return levels[2:-2] - (NEIGHBORS[1] * inner + NEIGHBORS[0] * outer)


def dynamics(levels: np.ndarray) -> np.ndarray:
    """Take quantiles over time, and the mean absolute difference of consecutive frames."""
    quantiles = np.quantile(levels, QUANTILES, axis=0)
    return np.concatenate([quantiles.ravel(), mean_change(levels)])


STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "level": level,
    "quiet": quiet,
    "loud": loud,
    "spread": spread,
    "flux": flux,
    "modulation": modulation,
    "interpolation": interpolation,
    "dynamics": dynamics,
}
"""Name → function from levels, (n_frames, n_bands), to features, (n_features,)."""

SORTED = {"quiet", "loud"}
"""Statistics that only sort before they average."""

MIN_FRAMES = {"flux": 2, "modulation": LAGS[-1] + 1, "interpolation": 5, "dynamics": 2}
"""Number of frames that a statistic needs, if more than one."""

PARTS: dict[str, Sequence[str]] = {
    "modulation": [f"modulation_lag{lag}" for lag in LAGS],
    "dynamics": [*(f"dynamics_q{100 * quantile:02.0f}" for quantile in QUANTILES), "dynamics_flux"],
}
"""Names of the features of those statistics that have several for each band."""
