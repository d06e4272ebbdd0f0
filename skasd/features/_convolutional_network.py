"""The convolutional network of `MachineIDEmbedding`, in NumPy."""

from typing import NamedTuple

import numpy as np

KERNEL, STRIDE = 3, 2
"""Size and step of every convolution, in both directions."""


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
            padded = np.pad(activation, [_padding(n) for n in activation.shape[:2]] + [(0, 0)])
            patches = np.lib.stride_tricks.sliding_window_view(padded, (KERNEL, KERNEL), (0, 1))
            patches = patches[::STRIDE, ::STRIDE].transpose(0, 1, 3, 4, 2)
            shape = patches.shape[:2]
            product = patches.reshape(np.prod(shape), -1) @ kernel.reshape(-1, kernel.shape[-1])
            activation = np.maximum(product + bias, 0).reshape(*shape, -1)
        return activation.mean(axis=0).ravel() @ self.coefs + self.intercepts


def _padding(length: int) -> tuple[int, int]:
    """Return how much Keras' ``padding="same"`` adds before and after."""
    n_steps = -(-length // STRIDE)
    total = max((n_steps - 1) * STRIDE + KERNEL - length, 0)
    return total // 2, total - total // 2
