"""ONNX operators that compute, project, scale and join features."""

from collections.abc import Sequence

import numpy as np
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import StandardScaler

from skasd.export._graph import Features, Spectrograms, Tensor, quantile_weights
from skasd.features._principal_components import PrincipalComponents
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features._window_autoencoder import WindowAutoencoder


def pooled_levels(step: TimeWeightedPooling, data: Spectrograms) -> Features:
    """Average the sorted levels of each band with the weights of each decay."""
    levels = data.tensor.largest_first(1, data.n_frames).cast(np.float64)
    weights = levels.graph.constant(step._rank_weights(data.n_frames))
    pooled = (weights @ levels).apply("Flatten")
    if step.std:
        deviations = data.tensor.cast(np.float64).std(1)
        pooled = pooled.graph.concatenate([pooled, deviations], axis=1)
    if step.projection_ is None:
        return Features(pooled)
    return principal_components(step.projection_, Features(pooled))


def principal_components(step: PrincipalComponents, data: Features) -> Features:
    """Project centered features onto the components."""
    return Features((data.tensor - step.pca_.mean_) @ step.pca_.components_.T)


def standardized(step: StandardScaler, data: Features) -> Features:
    """Center and scale, whichever of these the scaler does."""
    tensor = data.tensor
    if step.with_mean:
        tensor = tensor - step.mean_
    if step.with_std:
        tensor = tensor / step.scale_
    return Features(tensor)


def joined(step: FeatureUnion, parts: list[Features]) -> Features:
    """Put the features of all parts side by side, with their weights."""
    names = [name for name, part in step.transformer_list if part != "drop"]
    weights = step.transformer_weights or {}
    columns = [
        part.tensor * weights[name] if name in weights else part.tensor
        for name, part in zip(names, parts, strict=True)
    ]
    return Features(columns[0].graph.concatenate(columns, axis=1))


def error_statistics(step: WindowAutoencoder, data: Spectrograms) -> Features:
    """Describe each clip by statistics of the errors in its windows."""
    n_windows = data.n_frames - step.n_frames + 1
    if n_windows < 1:
        raise ValueError(
            f"A clip of {data.n_frames} frames is too short for windows of {step.n_frames} frames. "
            "Pass a longer duration, or more n_frames."
        )
    errors = _window_errors(step, data, n_windows)
    columns = [STATISTICS[name](errors, n_windows) for name in step.statistics]
    return Features(data.tensor.graph.concatenate(columns, axis=1))


def _window_errors(step: WindowAutoencoder, data: Spectrograms, n_windows: int) -> Tensor:
    """Compute the mean squared error of each window, (n_clips, n_windows), float64."""

    def frames(firsts: Sequence[int]) -> Tensor:
        cuts = [data.tensor.cut(1, first, first + n_windows) for first in firsts]
        return data.tensor.graph.concatenate(cuts, axis=2)

    # In float32, rounding depends on the order of a sum; this is the order of `_predict`.
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
