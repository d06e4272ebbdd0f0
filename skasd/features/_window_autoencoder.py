"""What the autoencoders share: everything but which frames they see and which they predict."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import Interval, fit_context
from skasd._utils.fitted import Array, ListOf, Number, check_chain
from skasd._utils.threads import map_side_by_side
from skasd.features._spectrogram_transformer import (
    Spectrograms,
    SpectrogramTransformer,
    check_spectrograms,
)
from skasd.features._training.windows import WindowBatches


def _interquartile_range(errors: np.ndarray, axis: int) -> np.ndarray:
    low, high = np.percentile(errors, [25, 75], axis=axis)
    return high - low


STATISTICS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "std": np.std,
    "median": np.median,
    "max": np.max,
    "iqr": _interquartile_range,
}
"""Statistics of the errors in clips, along an axis, that an autoencoder can compute."""

MOST_FRAMES = 4096
"""Most frames in a window: two minutes at the default hop."""

_WINDOWS_AT_A_TIME = 384  # what a layer takes and gives then stays in the cache
_CLIPS_FOR_TRAINING_ERROR = 100  # more would take as long as an epoch and hardly change a mean


class WindowAutoencoder(SpectrogramTransformer):
    """Train a dense network on windows of frames; describe a clip by the network's errors.

    A subclass has the parameters listed in `_parameter_constraints`. The network sees and predicts
    all frames of a window, unless a subclass overrides `_input_frames` and `_target_frames`.
    """

    _parameter_constraints = {
        "encoder_units": ["array-like"],
        "n_frames": [Interval(Integral, 1, MOST_FRAMES, closed="both")],
        "statistics": ["array-like"],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_norm": ["boolean"],
        "standardize": ["boolean"],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _fitted = {
        **SpectrogramTransformer._fitted,
        "coefs_": ListOf(Array(("n_inputs", "n_outputs")), fewest=1),
        "intercepts_": ListOf(Array(("n_outputs",)), fewest=1),
        "loss_curve_": ListOf(Number()),
        "n_parameters_": Number("i", low=1),
        "scale_": Array(("n_features_in_",), above=0),
        "training_error_": Array(("n_features_in_",), low=0, optional=True),
    }

    @property
    def _input_frames(self) -> list[int]:
        """Frames of a window that the network sees."""
        return list(range(self.n_frames))

    @property
    def _target_frames(self) -> list[int]:
        """Frames of a window that the network predicts."""
        return list(range(self.n_frames))

    def _check_window(self) -> None:
        """Refuse a number of frames that leaves nothing to see or to predict."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Spectrograms, y: Any = None) -> Self:
        """Train the network on the windows of all clips.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : autoencoder

        Raises
        ------
        AudioError
            If a clip has fewer frames than a window.
        ValueError
            If a parameter or a spectrogram is invalid, or the training diverges.
        """
        encoder_units = self._check_encoder_units()
        self._check_statistics()
        self._check_window()
        spectrograms = check_spectrograms(X, min_frames=self.min_frames)
        n_mels = spectrograms[0].shape[1]
        random_state = check_random_state(self.random_state)

        from skasd.features._training.dense import train_dense_network

        batches = WindowBatches(
            spectrograms,
            n_frames=self.n_frames,
            input_frames=self._input_frames,
            target_frames=self._target_frames,
            batch_size=self.batch_size,
            standardize=self.standardize,
            input_noise=self.input_noise,
            random_state=random_state,
        )
        n_inputs, n_outputs = len(self._input_frames) * n_mels, len(self._target_frames) * n_mels
        network = train_dense_network(
            batches,
            [n_inputs, *encoder_units, *reversed(encoder_units[:-1]), n_outputs],
            batch_norm=self.batch_norm,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            random_state=random_state,
            verbose=self.verbose,
        ).fold_standardization(batches)
        self.n_features_in_ = n_mels
        self.coefs_ = network.coefs
        self.intercepts_ = network.intercepts
        self.loss_curve_ = network.loss_curve
        self.n_parameters_ = network.n_parameters
        self.scale_ = batches.scale
        self.training_error_ = self._mean_error_by_band(spectrograms)
        return self

    @property
    def min_frames(self) -> int:
        """Number of frames that a clip needs: that of a window."""
        return self.n_frames

    def transform_spectrogram(self, spectrogram: np.ndarray) -> np.ndarray:
        """Describe one clip by statistics of its errors.

        Parameters
        ----------
        spectrogram : ndarray of shape (n_frames, n_mels), float32
            At least `n_frames` frames.

        Returns
        -------
        ndarray of shape (n_statistics,), float64
            In units of ``scale_**2``.
        """
        (features,) = self._transform_spectrograms([spectrogram])
        return features

    def _transform_spectrograms(self, spectrograms: Sequence[np.ndarray]) -> np.ndarray:
        errors = self._window_errors(spectrograms)
        # One call for all clips takes as long as for one, but they must be of one length.
        same_length = len(set(map(len, errors))) == 1
        tables = [np.array(errors)] if same_length else [each[np.newaxis] for each in errors]
        return np.concatenate([self._statistics_of(table) for table in tables])

    def _statistics_of(self, errors: np.ndarray) -> np.ndarray:
        """Return statistics, (n_clips, n_statistics), of errors, (n_clips, n_windows)."""
        return np.column_stack([STATISTICS[name](errors, axis=1) for name in self.statistics])

    def reconstruction_error(self, X: Spectrograms) -> list[np.ndarray]:
        """Compute the mean squared error of each window.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.

        Returns
        -------
        list of n_clips ndarrays of shape (n_windows,), float64
            In units of ``scale_**2``; ``n_windows = n_frames_of_clip - n_frames + 1``.
        """
        return self._window_errors(self._check_spectrograms(X))

    def error_map(self, X: Spectrograms) -> list[np.ndarray]:
        """Compute the squared error of each window in each band.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.

        Returns
        -------
        list of n_clips ndarrays of shape (n_windows, n_mels), float32
            Averaged over the frames that a window predicts, in the band's unit; multiplied by
            ``scale_**2``, it is in dB² for spectrograms in dB. The window of row i is centered on
            frame ``i + n_frames // 2``.
        """
        return [self._error_map(spectrogram) for spectrogram in self._check_spectrograms(X)]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features: ``error_mean``, and so on.

        Parameters
        ----------
        input_features : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of shape (n_statistics,), dtype object
        """
        check_is_fitted(self)
        return np.array([f"error_{name}" for name in self.statistics], dtype=object)

    def _check_fitted(self) -> None:
        self._check_encoder_units()
        self._check_statistics()
        self._check_window()
        n_inputs = len(self._input_frames) * self.n_features_in_
        n_outputs = len(self._target_frames) * self.n_features_in_
        check_chain(self.coefs_, self.intercepts_, n_inputs, n_outputs)

    def _mean_error_by_band(self, spectrograms: Sequence[np.ndarray]) -> np.ndarray:
        total, n_windows = np.zeros(self.n_features_in_), 0
        every = -(-len(spectrograms) // _CLIPS_FOR_TRAINING_ERROR)
        for spectrogram in spectrograms[::every]:
            errors = self._error_map(spectrogram)
            total += errors.sum(axis=0, dtype=np.float64)
            n_windows += len(errors)
        return total / n_windows

    def _error_map(self, spectrogram: np.ndarray) -> np.ndarray:
        return np.concatenate(map_side_by_side(self._squared_errors, self._blocks(spectrogram)))

    def _window_errors(self, spectrograms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return for each clip the mean squared error of each window, (n_windows,), float64."""
        blocks = [block for each in spectrograms for block in self._blocks(each)]
        errors = np.concatenate(map_side_by_side(self._mean_squared_errors, blocks))
        ends = np.cumsum([self._n_windows(each) for each in spectrograms])
        return np.split(errors, ends[:-1])

    def _mean_squared_errors(self, frames: np.ndarray) -> np.ndarray:
        return self._squared_errors(frames).mean(axis=1, dtype=np.float64)

    def _squared_errors(self, frames: np.ndarray) -> np.ndarray:
        """Return the squared errors of windows, averaged over frames: (n_windows, n_mels)."""
        errors = self._errors(frames)
        return np.square(errors, out=errors).mean(axis=1)

    def _errors(self, frames: np.ndarray) -> np.ndarray:
        """Return the errors of windows, (n_windows, n_target_frames, n_mels), float32."""
        errors = self._predict(frames)
        for i, frame in enumerate(self._target_frames):
            errors[:, i] -= frames[frame:][: len(errors)]
        errors /= self.scale_
        return errors

    def _blocks(self, spectrogram: np.ndarray) -> list[np.ndarray]:
        """Split a clip into frames for about as many windows each, so that none is small."""
        n_windows = self._n_windows(spectrogram)
        n_blocks = -(-n_windows // _WINDOWS_AT_A_TIME)
        ends = [n_windows * i // n_blocks for i in range(n_blocks + 1)]
        return [spectrogram[start : stop + self.n_frames - 1] for start, stop in pairwise(ends)]

    def _n_windows(self, frames: np.ndarray) -> int:
        return len(frames) - self.n_frames + 1

    def _predict(self, frames: np.ndarray) -> np.ndarray:
        """Return what the network predicts, (n_windows, n_target_frames, n_mels)."""
        n_windows = self._n_windows(frames)
        rows = np.add.outer(np.arange(n_windows), np.array(self._input_frames))
        activation = np.take(frames, rows, axis=0).reshape(n_windows, -1)
        layers = zip(self.coefs_, self.intercepts_, strict=True)
        for layer, (coefs, intercepts) in enumerate(layers):
            if layer > 0:
                np.maximum(activation, 0, out=activation)
            activation = activation @ coefs
            activation += intercepts
        return activation.reshape(n_windows, len(self._target_frames), self.n_features_in_)

    def _check_encoder_units(self) -> list[int]:
        units = list(self.encoder_units)
        if not units or not all(isinstance(n, Integral) and int(n) > 0 for n in units):
            raise ValueError(
                f"encoder_units={self.encoder_units!r}: expected one positive int for each layer."
            )
        return [int(n) for n in units]

    def _check_statistics(self) -> None:
        if not len(self.statistics) or not set(self.statistics) <= set(STATISTICS):
            raise ValueError(
                f"statistics={self.statistics!r}: expected some of {', '.join(STATISTICS)}."
            )
