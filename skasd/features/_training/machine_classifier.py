"""Training of the networks that tell machines apart."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skasd.features._batch_norm import scale_and_shift
from skasd.features._convolutional_network import (
    KERNEL,
    SPECTRUM_KERNELS,
    SPECTRUM_STRIDES,
    STRIDE,
    n_steps,
)
from skasd.features._training.backend import glorot_uniform, import_keras
from skasd.features._training.losses import Loss
from skasd.features._training.program import fit_in_keras
from skasd.features._training.progress import watch_epochs


class MixedClips:
    """Batches of clips, rolled in time and mixed in pairs, with the share of each machine in them.

    Parameters
    ----------
    spectrograms : list of ndarrays of shape (n_frames_of_clip, n_mels), float32
        Standardized. All are cut to the length of the shortest one.
    classes : ndarray of shape (n_clips,), int
        Which machine each clip comes from.
    batch_size : int
        Clips in a batch.
    mixup : float
        Parameter of Beta(mixup, mixup), from which the share of a pair's first clip is drawn; 0
        turns mixing off.
    random_state : RandomState
        Source of everything that is random.
    """

    def __init__(
        self,
        spectrograms: Sequence[np.ndarray],
        classes: np.ndarray,
        *,
        batch_size: int,
        mixup: float,
        random_state: np.random.RandomState,
    ):
        self.spectrograms = spectrograms
        self.targets = np.eye(classes.max() + 1, dtype=np.float32)[classes]
        self.n_frames = min(len(spectrogram) for spectrogram in spectrograms)
        self.batch_size = min(batch_size, len(spectrograms))
        self.mixup = mixup
        self.random_state = random_state
        self.shuffle()

    def __len__(self) -> int:
        return len(self.order) // self.batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return input (batch, n_frames, n_mels, 1) and target (batch, n_machines) of a batch."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        clips = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        inputs, targets = np.stack([self._rolled(clip) for clip in clips]), self.targets[clips]
        if self.mixup:
            partner = self.random_state.permutation(self.batch_size)
            share = self.random_state.beta(self.mixup, self.mixup, size=(self.batch_size, 1))
            share = share.astype(np.float32)
            targets = share * targets + (1 - share) * targets[partner]
            share = share[..., np.newaxis]
            inputs = share * inputs + (1 - share) * inputs[partner]
        return inputs[..., np.newaxis], targets

    def _rolled(self, clip: int) -> np.ndarray:
        frames = self.spectrograms[clip]
        start = self.random_state.randint(len(frames))
        return frames.take(np.arange(start, start + self.n_frames), axis=0, mode="wrap")

    def shuffle(self) -> None:
        """Put the clips in a new order."""
        self.order = self.random_state.permutation(len(self.spectrograms))


Layers = list[Any]
"""Layers of Keras, from a batch of clips to their embeddings."""


def spectrogram_layers(
    random_state: np.random.RandomState,
    *,
    n_frames: int,
    channels: Sequence[int],
    embedding_size: int,
) -> Layers:
    """Return convolutions over time and frequency, an average over time, and a dense layer.

    Parameters
    ----------
    random_state : RandomState
        Source of the initial weights.
    n_frames : int
        Frames of each clip.
    channels : sequence of int
        Channels of each convolution.
    embedding_size : int
        Units of the dense layer.

    Returns
    -------
    list of keras.Layer
    """
    layers = import_keras().layers
    result = []
    for n_channels in channels:
        result += _convolution(random_state, n_channels, (KERNEL, KERNEL), (STRIDE, STRIDE))
    n_pooled = n_steps(n_frames, *[STRIDE] * len(channels))
    result += [layers.AveragePooling2D((n_pooled, 1)), layers.Flatten()]
    return [*result, _dense(random_state, embedding_size)]


def spectrum_layers(
    random_state: np.random.RandomState,
    *,
    n_channels: int,
    hidden_units: Sequence[int],
    embedding_size: int,
) -> Layers:
    """Return convolutions over frequency, and dense layers, of spectra that are single frames.

    Parameters
    ----------
    random_state : RandomState
        Source of the initial weights.
    n_channels : int
        Channels of each convolution.
    hidden_units : sequence of int
        Units of each dense layer before the last.
    embedding_size : int
        Units of the last dense layer.

    Returns
    -------
    list of keras.Layer
    """
    layers = import_keras().layers
    result = []
    for kernel, stride in zip(SPECTRUM_KERNELS, SPECTRUM_STRIDES, strict=True):
        result += _convolution(random_state, n_channels, (1, kernel), (1, stride))
    result.append(layers.Flatten())
    for units in hidden_units:
        result += [_dense(random_state, units, use_bias=False), *_normalized()]
    return [*result, _dense(random_state, embedding_size)]


def _convolution(
    random_state: np.random.RandomState, n_channels: int, size: tuple, strides: tuple
) -> Layers:
    convolution = import_keras().layers.Conv2D(
        n_channels,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=glorot_uniform(random_state),
    )
    return [convolution, *_normalized()]


def _dense(random_state: np.random.RandomState, units: int, *, use_bias: bool = True) -> Any:
    initializer = glorot_uniform(random_state)
    return import_keras().layers.Dense(units, use_bias=use_bias, kernel_initializer=initializer)


def _normalized() -> Layers:
    layers = import_keras().layers
    # The default momentum of 0.99 is too slow for a few hundred steps.
    return [layers.BatchNormalization(momentum=0.9), layers.ReLU()]


def train_machine_classifier(
    batches: MixedClips,
    make_layers: Callable[[np.random.RandomState], Layers],
    *,
    loss: Loss,
    n_subclusters: int,
    learning_rate: float,
    epochs: int,
    random_state: np.random.RandomState,
    verbose: int,
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[float]]:
    """Train a network to tell machines apart by angles between embeddings and directions.

    Parameters
    ----------
    batches : MixedClips
        Inputs and targets.
    make_layers : callable
        Takes the source of the initial weights, and returns the layers up to the embedding.
    loss : callable
        Loss of the cosines, from `skasd.features._training.losses`.
    n_subclusters : int
        Directions of each machine.
    learning_rate : float
        Initial learning rate of Adam; it falls to 0 along a cosine.
    epochs : int
        Passes over the clips.
    random_state : RandomState
        Source of the initial weights. No global seed is set.
    verbose : int
        Whether to show a progress bar over epochs.

    Returns
    -------
    weights : list of (ndarray, ndarray)
        Weights and biases of each layer that has some, batch normalization folded in.
    loss_curve : list of float
        Mean loss in each epoch.

    Raises
    ------
    ValueError
        If the loss of an epoch is not finite.
    """
    keras = import_keras()
    inputs, targets = batches[0]

    class Cosines(keras.layers.Layer):  # type: ignore[name-defined]
        """Cosines between the embedding and the directions of all machines."""

        def build(self, shape: tuple[int, ...]) -> None:
            self.directions = self.add_weight(
                shape=(shape[-1], targets.shape[1] * n_subclusters),
                initializer=glorot_uniform(random_state),
            )

        def call(self, embedding: Any) -> Any:
            return _unit(embedding, axis=1) @ _unit(self.directions, axis=0)

    layers = make_layers(random_state)
    network = keras.Sequential([keras.Input(inputs.shape[1:]), *layers, Cosines()])
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(batches))
    network.compile(optimizer=keras.optimizers.Adam(schedule), loss=loss)
    with watch_epochs(epochs, learning_rate=learning_rate, verbose=verbose) as watched:
        loss_curve, after_epoch = watched
        # Step by step: a compiled loop over convolutions is ten times slower on a CPU.
        fit_in_keras(network, batches, epochs, after_epoch)
    return _folded(layers), loss_curve


def _unit(vectors: Any, axis: int) -> Any:
    """Divide vectors by their norms. Keras' own has no gradient where a clip is embedded as 0."""
    ops = import_keras().ops
    squares = ops.sum(ops.square(vectors), axis=axis, keepdims=True)
    return vectors * ops.rsqrt(ops.where(squares > 0, squares, 1.0))


def _folded(layers: Layers) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the weights and biases of the layers that have some, batch normalization folded in."""
    keras = import_keras()
    folded: list[Any] = []
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # The layer before has no bias of its own.
            (kernel,) = folded.pop()
            gamma, beta, mean, variance = layer.get_weights()
            factor, offset = scale_and_shift(gamma, beta, mean, variance, layer.epsilon)
            folded.append((kernel * factor, offset))
        elif layer.get_weights():
            folded.append(tuple(layer.get_weights()))
    return folded
