"""The convolutional network of `MachineIDEmbedding`: what it is trained on, and inference."""

from typing import NamedTuple

import numpy as np

KERNEL, STRIDE = 3, 2
"""Size and step of every convolution, in both directions."""


class ConvolutionalNetwork(NamedTuple):
    """Strided convolutions, an average over time, and a dense layer; batch norm folded in.

    Parameters
    ----------
    kernels : list of ndarrays of shape (3, 3, n_channels_in, n_channels_out)
        Of each convolution, which a ReLU follows.
    biases : list of ndarrays of shape (n_channels_out,)
        Of each convolution.
    coefs : ndarray of shape (n_bands * n_channels, embedding_size)
        Of the dense layer.
    intercepts : ndarray of shape (embedding_size,)
        Of the dense layer.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    coefs: np.ndarray
    intercepts: np.ndarray

    def embed(self, spectrogram: np.ndarray) -> np.ndarray:
        """Compute the embedding of one standardised spectrogram (n_frames, n_mels)."""
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
    """Return what Keras' ``padding="same"`` adds before and after."""
    n_steps = -(-length // STRIDE)
    total = max((n_steps - 1) * STRIDE + KERNEL - length, 0)
    return total // 2, total - total // 2


class MixedClips:
    """Batches of clips, rolled in time and mixed in pairs, and of how much of each machine is in.

    Parameters
    ----------
    spectrograms : list of ndarrays of shape (n_frames_of_clip, n_mels), float32
        Standardised. The shortest one's length is taken from each.
    classes : ndarray of shape (n_clips,), int
        Which machine each clip is of.
    batch_size : int
        Clips in a batch.
    mixup : float
        Of Beta(mixup, mixup), which the share of the first clip of a pair is drawn from; 0 mixes
        none.
    random_state : RandomState
        Source of everything that varies.
    """

    def __init__(self, spectrograms, classes, *, batch_size, mixup, random_state):
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
