"""OpenL3's audio network, described once for all engines: eight convolutions and a pooling."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from skasd.features._batch_norm import scale_and_shift

FILTERS = (64, 64, 128, 128, 256, 256, 512, 512)
"""Output channels of the convolutions, all of which are 3 by 3.

A pooling of 2 by 2 follows every second convolution except the last.
"""

INPUT_SHAPES = {"linear": (257, 197), "mel128": (128, 199), "mel256": (256, 199)}
"""Bands and frames of a window."""

FINAL_POOLING = {
    ("linear", 512): (32, 24),
    ("linear", 6144): (8, 8),
    ("mel128", 512): (16, 24),
    ("mel128", 6144): (4, 8),
    ("mel256", 512): (32, 24),
    ("mel256", 6144): (8, 8),
}
EPSILON = 1e-3  # of Keras' batch normalization


class Convolution(NamedTuple):
    """A 3 by 3 convolution, zero-padded, with the batch normalization after it folded in."""

    kernel: np.ndarray  # (3, 3, n_input_channels, n_output_channels)
    bias: np.ndarray  # (n_output_channels,)
    relu: bool
    halve: bool  # whether a maximum pooling of 2 by 2 follows


class Network(NamedTuple):
    """What an engine needs to run OpenL3: ``scale * x + shift``, convolutions, maximum pooling.

    The normalization of the input cannot be folded into the first convolution, whose zero-padding
    comes after it.
    """

    input_shape: tuple[int, int]
    scale: float
    shift: float
    convolutions: tuple[Convolution, ...]
    pooling: tuple[int, int]
    embedding_size: int
    digest: str


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of each array in a weights file, under the names that `Network` uses.

    Returns
    -------
    dict of str to tuple of int
        ``norm_0/gamma`` … ``norm_7/moving_variance``, ``conv_0/kernel`` … ``conv_7/bias``.
    """
    inputs = (1, *FILTERS[:-1])
    shapes: dict[str, tuple[int, ...]] = {
        f"norm_{i}/{name}": (n,)
        for i, n in enumerate(inputs)
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    }
    for i, (n_in, n_out) in enumerate(zip(inputs, FILTERS, strict=True)):
        shapes[f"conv_{i}/kernel"] = (3, 3, n_in, n_out)
        shapes[f"conv_{i}/bias"] = (n_out,)
    return shapes


def build_network(
    weights: Mapping[str, np.ndarray], input_repr: str, embedding_size: int
) -> Network:
    """Describe the network with batch normalization folded in.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Arrays with the shapes of `expected_shapes`.
    input_repr : {"linear", "mel128", "mel256"}
        Kind of spectrogram that the network sees.
    embedding_size : {512, 6144}
        Length of an embedding.

    Returns
    -------
    Network
    """
    scale, shift = _scale_and_shift(weights, 0)
    last = len(FILTERS) - 1
    convolutions = []
    for i in range(len(FILTERS)):
        kernel, bias = weights[f"conv_{i}/kernel"], weights[f"conv_{i}/bias"]
        if i < last:
            factor, offset = _scale_and_shift(weights, i + 1)
            kernel, bias = kernel * factor, bias * factor + offset
        convolutions.append(
            Convolution(
                kernel.astype(np.float32),
                bias.astype(np.float32),
                relu=i < last,
                halve=i % 2 == 1 and i < last,
            )
        )
    return Network(
        input_shape=INPUT_SHAPES[input_repr],
        scale=float(scale[0]),
        shift=float(shift[0]),
        convolutions=tuple(convolutions),
        pooling=FINAL_POOLING[input_repr, embedding_size],
        embedding_size=embedding_size,
        digest=weights_digest(weights),
    )


def weights_digest(weights: Mapping[str, np.ndarray]) -> str:
    """Return a fingerprint of the weights that does not depend on their file.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Arrays with the shapes of `expected_shapes`.

    Returns
    -------
    str
        SHA-256 over all arrays, in hexadecimal.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights[name], dtype="<f4").data)
    return digest.hexdigest()


def _scale_and_shift(
    weights: Mapping[str, np.ndarray], index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scale and the shift of a batch normalization, in float64."""
    gamma, beta, mean, variance = (
        weights[f"norm_{index}/{name}"].astype(np.float64)
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return scale_and_shift(gamma, beta, mean, variance, EPSILON)
