"""Statistics of spectrograms as means over time, which are sums over cells."""

from collections.abc import Callable

import numpy as np

from skasd.features._statistics import (
    FLOOR,
    LAGS,
    LOUD,
    QUANTILES,
    QUIET,
    interpolation_error,
    rank_weights,
)

Term = tuple[np.ndarray, np.ndarray]
"""What each cell adds to a mean over time, and its weight in that mean."""


def _unchanged(values: np.ndarray) -> np.ndarray:
    """Return the values."""
    return values


def _ranked(levels: np.ndarray, wide: np.ndarray, of_ranks: np.ndarray) -> Term:
    """Weight frames by their rank in the band, starting with the quietest."""
    weights = np.empty(levels.shape)
    ranks = np.argsort(wide, axis=0, kind="stable")
    np.put_along_axis(weights, ranks, of_ranks[:, np.newaxis], axis=0)
    return weights * levels, weights


def _product(narrow: np.ndarray, of_wide: np.ndarray, before: int, after: int) -> Term:
    """Split a product over a wide band among its bands, whose mean is one of the factors."""
    terms = np.pad(narrow * of_wide / len(narrow), ((before, after), (0, 0)))
    return terms, np.full(terms.shape, 1 / len(terms))


def _changed(levels: np.ndarray, wide: np.ndarray, lag: int, factor: Callable = _unchanged) -> Term:
    """Split differences in time evenly between the two frames."""
    narrow, of_wide = levels[lag:] - levels[:-lag], factor(wide[lag:] - wide[:-lag])
    earlier, later = (_product(narrow, of_wide, *pad) for pad in ((0, lag), (lag, 0)))
    return (earlier[0] + later[0]) / 2, later[1]


def _dynamics(levels: np.ndarray, wide: np.ndarray) -> list[Term]:
    """Treat each quantile as the mean of the frames that are nearest to it."""
    ranks = (np.arange(len(levels)) + 0.5) / len(levels)
    nearest = np.abs(np.subtract.outer(ranks, QUANTILES)).argmin(axis=1)
    near = [(nearest == index).astype(np.float64) for index in range(len(QUANTILES))]
    quantiles = [_ranked(levels, wide, each / max(each.sum(), 1)) for each in near]
    return [*quantiles, _changed(levels, wide, 1, np.sign)]


def _interpolation(levels: np.ndarray, wide: np.ndarray) -> list[Term]:
    return [_product(interpolation_error(levels), interpolation_error(wide), 2, 2)]


TERMS: dict[str, Callable[[np.ndarray, np.ndarray], list[Term]]] = {
    "level": lambda levels, wide: [_ranked(levels, wide, rank_weights(1, len(levels)))],
    "quiet": lambda levels, wide: [_ranked(levels, wide, rank_weights(QUIET, len(levels)))],
    "loud": lambda levels, wide: [_ranked(levels, wide, rank_weights(LOUD, len(levels))[::-1])],
    "spread": lambda levels, wide: [
        _product(levels - levels.mean(axis=0), wide - wide.mean(axis=0), 0, 0)
    ],
    "flux": lambda levels, wide: [_changed(levels, wide, 1, np.sign)],
    "modulation": lambda levels, wide: [_changed(levels, wide, lag) for lag in LAGS],
    "interpolation": _interpolation,
    "dynamics": _dynamics,
}
"""Statistic → the means over time of which its features consist, one for each part."""

MEANS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "spread": lambda features: (np.exp(features) - FLOOR) ** 2,
    **dict.fromkeys(
        ("flux", "modulation", "interpolation"), lambda features: np.exp(features) - FLOOR
    ),
}
"""Statistic → function that turns its features back into such means, if they are not."""
