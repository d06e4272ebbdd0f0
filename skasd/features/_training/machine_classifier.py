"""Training of the network that tells machines apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skasd.features._batch_norm import scale_and_shift
from skasd.features._convolutional_network import KERNEL, STRIDE, ConvolutionalNetwork
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


def train_machine_classifier(
    batches: MixedClips,
    *,
    channels: Sequence[int],
    embedding_size: int,
    loss: Loss,
    n_subclusters: int,
    learning_rate: float,
    epochs: int,
    random_state: np.random.RandomState,
    verbose: int,
) -> tuple[ConvolutionalNetwork, list[float]]:
    """Train a network to tell machines apart by angles between embeddings and directions.

    Parameters
    ----------
    batches : MixedClips
        Inputs and targets.
    channels : sequence of int
        Channels of each convolution.
    embedding_size : int
        Units of the dense layer.
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
    network : ConvolutionalNetwork
        The network up to the embedding.
    loss_curve : list of float
        Mean loss in each epoch.

    Raises
    ------
    ValueError
        If the loss of an epoch is not finite.
    """
    keras = import_keras()
    layers, ops = keras.layers, keras.ops
    inputs, targets = batches[0]

    class Cosines(layers.Layer):  # type: ignore[name-defined]
        """Cosines between the embedding and the directions of all machines."""

        def build(self, shape: tuple[int, ...]) -> None:
            self.directions = self.add_weight(
                shape=(shape[-1], targets.shape[1] * n_subclusters),
                initializer=glorot_uniform(random_state),
            )

        def call(self, embedding: Any) -> Any:
            return ops.normalize(embedding) @ ops.normalize(self.directions, axis=0)

    network = keras.Sequential([keras.Input(inputs.shape[1:])])
    convolutions, norms = [], []
    for n_channels in channels:
        convolution = layers.Conv2D(
            n_channels,
            KERNEL,
            strides=STRIDE,
            padding="same",
            use_bias=False,
            kernel_initializer=glorot_uniform(random_state),
        )
        # The default momentum of 0.99 is too slow for a few hundred steps.
        norm = layers.BatchNormalization(momentum=0.9)
        convolutions.append(convolution)
        norms.append(norm)
        for layer in (convolution, norm, layers.ReLU()):
            network.add(layer)
    shape = network.output_shape
    dense = layers.Dense(embedding_size, kernel_initializer=glorot_uniform(random_state))
    network.add(layers.AveragePooling2D((shape[1], 1)))
    for layer in (layers.Flatten(), dense, Cosines()):
        network.add(layer)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(batches))
    network.compile(optimizer=keras.optimizers.Adam(schedule), loss=loss)
    with watch_epochs(epochs, learning_rate=learning_rate, verbose=verbose) as watched:
        loss_curve, after_epoch = watched
        # Step by step: a compiled loop over convolutions is ten times slower on a CPU.
        fit_in_keras(network, batches, epochs, after_epoch)
    kernels, biases = [], []
    for convolution, norm in zip(convolutions, norms, strict=True):
        gamma, beta, mean, variance = norm.get_weights()
        factor, offset = scale_and_shift(gamma, beta, mean, variance, norm.epsilon)
        kernels.append(convolution.get_weights()[0] * factor)
        biases.append(offset)
    return ConvolutionalNetwork(kernels, biases, *dense.get_weights()), loss_curve
