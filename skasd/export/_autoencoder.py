"""`InterpolationAutoencoder` and `FrameAutoencoder` in operators."""

from collections.abc import Sequence

import numpy as np

from skasd.export._data import Features, Spectrograms
from skasd.export._graph import Tensor
from skasd.export._ranks import quantile_weights
from skasd.features._window_autoencoder import WindowAutoencoder


def error_statistics(step: WindowAutoencoder, data: Spectrograms) -> Features:
    """Describe each clip by statistics of the errors in its windows."""
    n_windows = data.n_frames - step.n_frames + 1
    if n_windows < 1:
        raise ValueError(
            f"A clip of {data.n_frames} frames is too short for windows of {step.n_frames}. Pass a "
            "longer duration, or more n_frames."
        )
    errors = _window_errors(step, data, n_windows)
    columns = [STATISTICS[name](errors, n_windows) for name in step.statistics]
    return Features(data.tensor.graph.concatenate(columns, axis=1))


def _window_errors(step: WindowAutoencoder, data: Spectrograms, n_windows: int) -> Tensor:
    """Compute the mean squared error of each window, (n_clips, n_windows), float64."""

    def frames(firsts: Sequence[int]) -> Tensor:
        cuts = [data.tensor.cut(1, first, first + n_windows) for first in firsts]
        return data.tensor.graph.concatenate(cuts, axis=2)

    # float32 rounds each order of a sum otherwise: it is the order of `_predict`.
    activation = frames(step._input_frames) @ step.coefs_[0] + step.intercepts_[0]
    for coefs, intercepts in zip(step.coefs_[1:], step.intercepts_[1:], strict=True):
        activation = activation.apply("Relu") @ coefs + intercepts
    scale = np.tile(step.scale_, len(step._target_frames))
    errors = (activation - frames(step._target_frames)) / scale
    return (errors * errors).cast(np.float64).reduce("Mean", 2)


def _quantiles(errors: Tensor, n_windows: int, weights: np.ndarray) -> Tensor:
    return errors.largest_first(1, n_windows) @ weights[:, np.newaxis]


def _mean(errors: Tensor, n_windows: int) -> Tensor:
    return errors.reduce("Mean", 1, keepdims=True)


def _std(errors: Tensor, n_windows: int) -> Tensor:
    return errors.std(1, keepdims=True)


def _max(errors: Tensor, n_windows: int) -> Tensor:
    return errors.reduce("Max", 1, keepdims=True)


def _median(errors: Tensor, n_windows: int) -> Tensor:
    return _quantiles(errors, n_windows, quantile_weights(0.5, n_windows))


def _iqr(errors: Tensor, n_windows: int) -> Tensor:
    upper, lower = quantile_weights(0.75, n_windows), quantile_weights(0.25, n_windows)
    return _quantiles(errors, n_windows, upper - lower)


STATISTICS = {"mean": _mean, "std": _std, "median": _median, "max": _max, "iqr": _iqr}
