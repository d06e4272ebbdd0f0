"""Embeddings of networks that tell machines apart as ONNX operators."""

from collections.abc import Sequence

import numpy as np

from skasd.export._graph import Features, Spectrograms, Tensor
from skasd.features._convolutional_network import SPECTRUM_STRIDES, STRIDE
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._spectrum_embedding import SpectrumEmbedding


def spectrogram_embedding(step: MachineIDEmbedding, data: Spectrograms) -> Features:
    """Convolve over time and frequency, average over time, and apply the dense layer."""
    activation = ((data.tensor - step.mean_) / step.scale_).apply("Unsqueeze", np.array([1]))
    for kernel, bias in zip(step.kernels_, step.biases_, strict=True):
        activation = _convolved(activation, kernel, bias, (STRIDE, STRIDE))
    # The channels of a band are side by side.
    pooled = activation.reduce("Mean", 2).apply("Transpose", perm=(0, 2, 1)).apply("Flatten")
    return Features(_dense(pooled, [step.coefs_], [step.intercepts_]).cast(np.float64))


def spectrum_embedding(step: SpectrumEmbedding, data: Features) -> Features:
    """Convolve over frequency, and apply the dense layers."""
    standardized = (data.tensor.cast(np.float32) - step.mean_) / step.scale_
    activation = standardized.apply("Unsqueeze", np.array([1, 2]))
    for kernel, bias, stride in zip(step.kernels_, step.biases_, SPECTRUM_STRIDES, strict=True):
        activation = _convolved(activation, kernel[np.newaxis], bias, (1, stride))
    units = activation.apply("Transpose", perm=(0, 2, 3, 1)).apply("Flatten")
    return Features(_dense(units, step.coefs_, step.intercepts_).cast(np.float64))


def _convolved(
    activation: Tensor, kernel: np.ndarray, bias: np.ndarray, strides: tuple[int, int]
) -> Tensor:
    """Convolve (n_clips, n_channels, n_rows, n_columns), and take the positive part."""
    # ONNX has channels first.
    kernel = kernel.transpose(3, 2, 0, 1)
    sums = activation.apply("Conv", kernel, bias, auto_pad="SAME_UPPER", strides=strides)
    return sums.apply("Relu")


def _dense(units: Tensor, coefs: Sequence[np.ndarray], intercepts: Sequence[np.ndarray]) -> Tensor:
    for weights, biases in zip(coefs[:-1], intercepts[:-1], strict=True):
        units = (units @ weights + biases).apply("Relu")
    return units @ coefs[-1] + intercepts[-1]
