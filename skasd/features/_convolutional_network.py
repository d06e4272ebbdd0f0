"""The convolutional networks of embeddings that tell machines apart, in NumPy."""

from typing import NamedTuple

import numpy as np

KERNEL, STRIDE = 3, 2
"""Size and step of every convolution over a spectrogram, in both directions."""

SPECTRUM_KERNELS, SPECTRUM_STRIDES = (256, 64, 16), (64, 32, 4)
"""Sizes and steps of the convolutions over a spectrum."""


class ConvolutionalNetwork(NamedTuple):
    """Strided convolutions, an average over time, and a dense layer, with batch norm folded in.

    Parameters
    ----------
    kernels : list of ndarrays of shape (3, 3, n_channels_in, n_channels_out)
        Kernels of the convolutions, each of which is followed by a ReLU.
    biases : list of ndarrays of shape (n_channels_out,)
        Biases of the convolutions.
    coefs : ndarray of shape (n_bands * n_channels, embedding_size)
        Weights of the dense layer.
    intercepts : ndarray of shape (embedding_size,)
        Biases of the dense layer.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    coefs: np.ndarray
    intercepts: np.ndarray

    def embed(self, spectrogram: np.ndarray) -> np.ndarray:
        """Compute the embedding of one standardized spectrogram (n_frames, n_mels)."""
        activation = spectrogram[:, :, np.newaxis]
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            activation = _convolve(activation, kernel, bias, (STRIDE, STRIDE))
        return activation.mean(axis=0).ravel() @ self.coefs + self.intercepts


class SpectrumNetwork(NamedTuple):
    """Strided convolutions over frequency, and dense layers, with batch norm folded in.

    Parameters
    ----------
    kernels : list of 3 ndarrays of shape (kernel_size, n_channels_in, n_channels_out)
        Kernels of the convolutions, each of which is followed by a ReLU.
    biases : list of 3 ndarrays of shape (n_channels_out,)
        Biases of the convolutions.
    coefs : list of ndarrays of shape (n_units_in, n_units_out)
        Weights of the dense layers, each but the last of which is followed by a ReLU.
    intercepts : list of ndarrays of shape (n_units_out,)
        Biases of the dense layers.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]

    def embed(self, spectrum: np.ndarray) -> np.ndarray:
        """Compute the embedding of one standardized spectrum (n_bins,)."""
        activation = spectrum[np.newaxis, :, np.newaxis]
        layers = zip(self.kernels, self.biases, SPECTRUM_STRIDES, strict=True)
        for kernel, bias, stride in layers:
            activation = _convolve(activation, kernel[np.newaxis], bias, (1, stride))
        units = activation.ravel()
        for coefs, intercepts in zip(self.coefs[:-1], self.intercepts[:-1], strict=True):
            units = np.maximum(units @ coefs + intercepts, 0)
        return units @ self.coefs[-1] + self.intercepts[-1]


def _convolve(
    activation: np.ndarray, kernel: np.ndarray, bias: np.ndarray, strides: tuple[int, int]
) -> np.ndarray:
    """Convolve (n_rows, n_columns, n_channels_in), and take the positive part."""
    sizes = kernel.shape[:2]
    padding = [_padding(*each) for each in zip(activation.shape, sizes, strides, strict=False)]
    padded = np.pad(activation, [*padding, (0, 0)])
    patches = np.lib.stride_tricks.sliding_window_view(padded, sizes, (0, 1))
    patches = patches[:: strides[0], :: strides[1]].transpose(0, 1, 3, 4, 2)
    shape = patches.shape[:2]
    product = patches.reshape(np.prod(shape), -1) @ kernel.reshape(-1, kernel.shape[-1])
    return np.maximum(product + bias, 0).reshape(*shape, -1)


def _padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how much Keras' ``padding="same"`` adds before and after."""
    total = max((n_steps(length, stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


def n_steps(length: int, *strides: int) -> int:
    """Return what strided convolutions, one after the other, leave of a length."""
    for stride in strides:
        length = -(-length // stride)
    return length
