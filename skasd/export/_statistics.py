"""`SpectrogramStatistics` as ONNX operators."""

from collections.abc import Callable, Sequence

import numpy as np

from skasd.export._graph import Features, Spectrograms, Tensor, quantile_weights
from skasd.features._spectrogram_statistics import SpectrogramStatistics
from skasd.features._statistics import (
    FLOOR,
    LAGS,
    LOUD,
    NEIGHBORS,
    QUANTILES,
    QUIET,
    bands_averaged,
    rank_weights,
)


def spectrogram_statistics(step: SpectrogramStatistics, data: Spectrograms) -> Features:
    """Describe each clip by one statistic over time; refuse clips with too few frames."""
    if data.n_frames < step.min_frames:
        raise ValueError(
            f"A clip of {data.n_frames} frames is too short for statistic={step.statistic!r}, "
            f"which needs {step.min_frames} frames. Pass a longer duration, or more n_frames."
        )
    levels = data.tensor.cast(np.float64)
    if step._n_wide_bands is not None and step._n_wide_bands < data.n_mels:
        levels = levels @ bands_averaged(np.eye(data.n_mels), step._n_wide_bands)
    features = STATISTICS[step.statistic](levels, data.n_frames)
    return Features(levels.graph.concatenate(features, axis=1))


def _level(levels: Tensor, n_frames: int) -> list[Tensor]:
    return [levels.reduce("Mean", 1)]


def _quiet(levels: Tensor, n_frames: int) -> list[Tensor]:
    return [_sorted_sums(levels, n_frames, [rank_weights(QUIET, n_frames)[::-1]])]


def _loud(levels: Tensor, n_frames: int) -> list[Tensor]:
    return [_sorted_sums(levels, n_frames, [rank_weights(LOUD, n_frames)])]


def _spread(levels: Tensor, n_frames: int) -> list[Tensor]:
    return [_log(levels.std(1))]


def _flux(levels: Tensor, n_frames: int) -> list[Tensor]:
    return [_log(_mean_step(levels, n_frames))]


def _modulation(levels: Tensor, n_frames: int) -> list[Tensor]:
    return [_log(_mean_square(_difference(levels, n_frames, lag))) for lag in LAGS]


def _interpolation(levels: Tensor, n_frames: int) -> list[Tensor]:
    n_middle = n_frames - len(NEIGHBORS) + 1

    def shifted(n: int) -> Tensor:
        return levels.cut(1, n, n + n_middle)

    outer, inner = shifted(0) + shifted(4), shifted(1) + shifted(3)
    errors = shifted(2) - (inner * NEIGHBORS[1] + outer * NEIGHBORS[0])
    return [_log(_mean_square(errors))]


def _dynamics(levels: Tensor, n_frames: int) -> list[Tensor]:
    weights = [quantile_weights(quantile, n_frames) for quantile in QUANTILES]
    return [_sorted_sums(levels, n_frames, weights), _mean_step(levels, n_frames)]


def _sorted_sums(levels: Tensor, n_frames: int, weights: Sequence[np.ndarray]) -> Tensor:
    """Sum the sorted levels, largest first, with each set of weights, one after the other."""
    largest_first = levels.largest_first(1, n_frames)
    return (levels.graph.constant(np.array(weights)) @ largest_first).apply("Flatten")


def _difference(levels: Tensor, n_frames: int, lag: int) -> Tensor:
    return levels.cut(1, lag, n_frames) - levels.cut(1, 0, n_frames - lag)


def _mean_step(levels: Tensor, n_frames: int) -> Tensor:
    return _difference(levels, n_frames, 1).apply("Abs").reduce("Mean", 1)


def _mean_square(values: Tensor) -> Tensor:
    return (values * values).reduce("Mean", 1)


def _log(values: Tensor) -> Tensor:
    return (values + FLOOR).apply("Log")


STATISTICS: dict[str, Callable[[Tensor, int], list[Tensor]]] = {
    "level": _level,
    "quiet": _quiet,
    "loud": _loud,
    "spread": _spread,
    "flux": _flux,
    "modulation": _modulation,
    "interpolation": _interpolation,
    "dynamics": _dynamics,
}
"""Name → function from levels, (n_clips, n_frames, n_bands), to parts of the features."""
