"""Windows of consecutive frames, gathered from the spectrograms as they are needed."""

from collections.abc import Sequence

import numpy as np


class WindowBatches:
    """Batches of every window of `n_frames` consecutive frames, in random order.

    Parameters
    ----------
    spectrograms : sequence of ndarrays of shape (n_frames_of_clip, n_mels)
        No window crosses from one spectrogram into the next.
    n_frames : int
        Frames in a window.
    input_frames, target_frames : sequence of int
        Which frames of a window are the network's input, and which its target.
    batch_size : int
        Windows in a batch. Windows left over after the last full batch of an epoch are skipped;
        they are others in each epoch.
    standardize : bool
        Whether each band is standardized by its mean and standard deviation over the frames.
    input_noise : float
        Standard deviation of the noise added to the inputs.
    random_state : RandomState
        Source of the order and of the noise.

    Attributes
    ----------
    center : ndarray of shape (n_mels,), float32
        Mean of each band, which is subtracted; 0 without `standardize`.
    scale : ndarray of shape (n_mels,), float32
        Standard deviation of each band, by which it is divided; 1 without `standardize`.
    """

    def __init__(
        self,
        spectrograms: Sequence[np.ndarray],
        *,
        n_frames: int,
        input_frames: Sequence[int],
        target_frames: Sequence[int],
        batch_size: int,
        standardize: bool,
        input_noise: float,
        random_state: np.random.RandomState,
    ):
        self.frames = np.concatenate(spectrograms)
        self.center: np.ndarray = np.zeros(self.frames.shape[1], np.float32)
        self.scale: np.ndarray = np.ones(self.frames.shape[1], np.float32)
        if standardize:
            self._standardize(spectrograms)
        lengths = np.array([len(spectrogram) for spectrogram in spectrograms])
        is_start = np.ones(len(self.frames), dtype=bool)
        for end in np.cumsum(lengths):
            is_start[end - n_frames + 1 : end] = False
        self.starts = np.flatnonzero(is_start)
        self.input_frames = np.asarray(input_frames)
        self.target_frames = np.asarray(target_frames)
        self.batch_size = min(batch_size, len(self.starts))
        self.random_state = random_state
        self._noise = self._make_noise(input_noise) if input_noise else None
        self.shuffle()

    def _standardize(self, spectrograms: Sequence[np.ndarray]) -> None:
        n_frames = len(self.frames)
        # Clip by clip, float32 sums are short enough to be accurate, and stay in the cache.
        sums = (spectrogram.sum(axis=0) for spectrogram in spectrograms)
        self.center = np.asarray(sum(sums, np.float64(0)) / n_frames, np.float32)
        squares = (np.square(spectrogram - self.center).sum(axis=0) for spectrogram in spectrograms)
        deviation = np.sqrt(sum(squares, np.float64(0)) / n_frames)
        # A band that hardly varies, such as an empty mel filter's, must not outweigh the others.
        floor = 0.01 * np.sqrt(np.mean(deviation**2)) or 1.0
        self.scale = np.maximum(deviation, floor).astype(np.float32)
        self.frames -= self.center
        self.frames /= self.scale

    def __len__(self) -> int:
        return len(self.starts) // self.batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return input and target of a batch, the input with its noise."""
        inputs, targets = self.without_noise(index)
        if self._noise is not None:
            start = self._noise_starts[index]
            inputs += self._noise[start : start + inputs.size].reshape(inputs.shape)
        return inputs, targets

    def without_noise(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return input and target of a batch as they are."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        starts = self.starts[index * self.batch_size : (index + 1) * self.batch_size, np.newaxis]
        return self._gather(starts + self.input_frames), self._gather(starts + self.target_frames)

    def _gather(self, rows: np.ndarray) -> np.ndarray:
        return np.take(self.frames, rows, axis=0).reshape(len(rows), -1)

    def _make_noise(self, deviation: float) -> np.ndarray:
        """Make enough noise for four batches; each batch takes another stretch of it.

        New noise for each batch would cost more than gathering it.
        """
        rng = np.random.default_rng(self.random_state.randint(2**31))
        size = 4 * self.batch_size * len(self.input_frames) * self.frames.shape[1]
        return np.float32(deviation) * rng.standard_normal(size, dtype=np.float32)

    def shuffle(self) -> None:
        """Put the windows in a new order, with other noise."""
        self.random_state.shuffle(self.starts)
        if self._noise is not None:
            # Drawn here, the noise does not depend on when or how often Keras looks at a batch.
            largest = self._noise.size * 3 // 4
            self._noise_starts = self.random_state.randint(largest, size=len(self))
