"""Autoencoders over windows of spectrogram frames, trained with Keras and run without it."""

from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from typing import Self

import numpy as np
from scipy import stats
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skasd._windows import WindowBatches
from skasd.spectrogram import check_spectrograms

STATISTICS = {
    "mean": np.mean,
    "std": np.std,
    "median": np.median,
    "max": np.max,
    "iqr": stats.iqr,
}
"""What `InterpolationAutoencoder` can say of the errors in a clip."""

_WINDOWS_AT_A_TIME = 4096  # bounds the memory that a long clip takes


class InterpolationAutoencoder(TransformerMixin, BaseEstimator):
    """Predict the middle frame of each window from the others; describe a clip by the errors.

    A dense network sees all but the middle one of `n_frames` consecutive frames of a spectrogram
    and predicts that one. It learns this on a healthy machine; where a machine sounds otherwise,
    the prediction is worse. The squared error, averaged over bands, is one number for each window,
    and `statistics` of these numbers are the features of the clip.

    Parameters
    ----------
    encoder_units : sequence of int, default=(256, 128, 64, 32)
        Units of the encoder's layers, the bottleneck last. The decoder mirrors the encoder without
        its bottleneck. All of them are ReLU; the output is linear.
    n_frames : int, default=5
        Frames in a window; odd, and at least 3.
    statistics : sequence of str, default=("mean", "std", "median", "max", "iqr")
        Features of a clip.
    epochs : int, default=30
        Passes over the training windows.
    batch_size : int, default=512
        Windows in a training step. Not in the report; 512 is the DCASE baseline's.
    learning_rate : float, default=1e-3
        Of Adam.
    batch_norm : bool, default=True
        Whether a batch normalisation stands between each hidden layer and its ReLU, as in the
        DCASE baseline. The report does not say. After `fit` it is folded into the layers.
    input_noise : float, default=0.5
        Standard deviation of Gaussian noise added to the standardised input in training. Not in
        the report: it lowers the error on healthy clips held out. 0 turns it off.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, of the order of the windows and of the noise. The same int
        gives the same bits where the number of cores is the same, and nothing global is seeded.
    verbose : int, default=0
        1 shows a progress bar over epochs, with the loss.

    Attributes
    ----------
    coefs_ : list of ndarrays of shape (n_inputs, n_outputs), float32
        Weights of each layer.
    intercepts_ : list of ndarrays of shape (n_outputs,), float32
        Biases of each layer.
    loss_curve_ : list of float
        Mean squared error in each epoch, in the bands' variances.
    scale_ : ndarray of shape (n_features_in_,), float32
        Standard deviation of each band over the training frames, in dB for spectrograms in dB.
        Errors are in units of its square.
    n_features_in_ : int
        Number of bands of the spectrograms.
    n_parameters_ : int
        Parameters of the network while it was trained, batch normalisation's four for each unit
        among them.

    See Also
    --------
    LogMelSpectrogram : Computes the spectrograms.
    GaussianMixtureDetector : Turns the features into a score.

    Notes
    -----
    Three things that the report leaves open are decided so. The network sees, and errs in, bands
    standardised by mean and standard deviation of the training frames, so that each band counts
    alike; `coefs_` have it folded in, and predict in the units of the spectrograms. Batch
    normalisation takes its mean and variance from the finished network over training windows (of
    100 batches at most), and the weights are an exponential average over about the last fifth of
    the training steps: both lower the error on healthy clips held out, and what one seed differs
    from another.

    Keras trains, on JAX unless ``KERAS_BACKEND`` says otherwise; `transform` is NumPy, and a
    pickle holds arrays only.

    References
    ----------
    Section 3.1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Suefusa et al., "Anomalous sound detection based on interpolation deep neural network",
    ICASSP 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import InterpolationAutoencoder
    >>> spectrograms = np.random.default_rng(0).normal(size=(4, 50, 16))
    >>> autoencoder = InterpolationAutoencoder((8, 4), epochs=2, random_state=0)
    >>> autoencoder.fit_transform(spectrograms).shape
    (4, 5)
    >>> autoencoder.get_feature_names_out()[:2]
    array(['error_mean', 'error_std'], dtype=object)
    """

    _parameter_constraints = {
        "encoder_units": ["array-like"],
        "n_frames": [Interval(Integral, 3, None, closed="left")],
        "statistics": ["array-like"],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_norm": ["boolean"],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        encoder_units=(256, 128, 64, 32),
        n_frames=5,
        statistics=("mean", "std", "median", "max", "iqr"),
        epochs=30,
        batch_size=512,
        learning_rate=1e-3,
        batch_norm=True,
        input_noise=0.5,
        random_state=None,
        verbose=0,
    ):
        self.encoder_units = encoder_units
        self.n_frames = n_frames
        self.statistics = statistics
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.batch_norm = batch_norm
        self.input_noise = input_noise
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Sequence[np.ndarray] | np.ndarray, y=None) -> Self:
        """Train the network on the windows of all clips.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.
        y : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        self : InterpolationAutoencoder

        Raises
        ------
        AudioError
            Where a clip has fewer frames than a window.
        ValueError
            Where a parameter or a spectrogram is invalid, or the training diverges.
        """
        encoder_units = self._check_encoder_units()
        self._check_window_and_statistics()
        spectrograms = check_spectrograms(X, min_frames=self.n_frames)
        n_mels = spectrograms[0].shape[1]
        random_state = check_random_state(self.random_state)

        from skasd._keras import train_dense_network

        batches = WindowBatches(
            spectrograms,
            n_frames=self.n_frames,
            input_frames=self._input_frames,
            target_frames=[self._target_frame],
            batch_size=self.batch_size,
            input_noise=self.input_noise,
            random_state=random_state,
        )
        n_inputs = len(self._input_frames) * n_mels
        network = train_dense_network(
            batches,
            [n_inputs, *encoder_units, *reversed(encoder_units[:-1]), n_mels],
            batch_norm=self.batch_norm,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            random_state=random_state,
            verbose=self.verbose,
        ).fold_standardisation(batches)
        self.n_features_in_ = n_mels
        self.coefs_ = network.coefs
        self.intercepts_ = network.intercepts
        self.loss_curve_ = network.loss_curve
        self.n_parameters_ = network.n_parameters
        self.scale_ = batches.scale
        return self

    def transform(self, X: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Describe each clip by statistics of its errors.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.

        Returns
        -------
        ndarray of shape (n_clips, n_statistics), float64

        Raises
        ------
        AudioError
            Where a clip has fewer frames than a window.
        """
        errors = self.reconstruction_error(X)
        return np.array(
            [[STATISTICS[name](error) for name in self.statistics] for error in errors],
            dtype=np.float64,
        )

    def reconstruction_error(self, X: Sequence[np.ndarray] | np.ndarray) -> list[np.ndarray]:
        """Compute the mean squared error of each window.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.

        Returns
        -------
        list of n_clips ndarrays of shape (n_windows,), float64
            In the bands' variances; ``n_windows = n_frames_of_clip - n_frames + 1``.
        """
        return [
            np.concatenate([block.mean(axis=1, dtype=np.float64) for block in blocks])
            for blocks in self._squared_errors(X)
        ]

    def error_map(self, X: Sequence[np.ndarray] | np.ndarray) -> list[np.ndarray]:
        """Compute the squared error of each window in each band.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.

        Returns
        -------
        list of n_clips ndarrays of shape (n_windows, n_mels), float32
            In the band's variance; times ``scale_**2`` it is in dB², for spectrograms in dB. Row i
            is about frame ``i + n_frames // 2``.
        """
        return [np.concatenate(list(blocks)) for blocks in self._squared_errors(X)]

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Name the features: ``error_mean``, and so on.

        Parameters
        ----------
        input_features : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        ndarray of shape (n_statistics,), dtype object
        """
        check_is_fitted(self)
        return np.array([f"error_{name}" for name in self.statistics], dtype=object)

    @property
    def _target_frame(self) -> int:
        return self.n_frames // 2

    @property
    def _input_frames(self) -> list[int]:
        return [frame for frame in range(self.n_frames) if frame != self._target_frame]

    def _squared_errors(self, X) -> Iterator[Iterator[np.ndarray]]:
        check_is_fitted(self)
        spectrograms = check_spectrograms(X, min_frames=self.n_frames, n_mels=self.n_features_in_)
        return (self._squared_error_blocks(spectrogram) for spectrogram in spectrograms)

    def _squared_error_blocks(self, spectrogram: np.ndarray) -> Iterator[np.ndarray]:
        n_windows = len(spectrogram) - self.n_frames + 1
        for start in range(0, n_windows, _WINDOWS_AT_A_TIME):
            stop = min(start + _WINDOWS_AT_A_TIME, n_windows)
            frames = spectrogram[start : stop + self.n_frames - 1]
            target = frames[self._target_frame :][: stop - start]
            yield np.square((self._predict(frames) - target) / self.scale_)

    def _predict(self, frames: np.ndarray) -> np.ndarray:
        n_windows = len(frames) - self.n_frames + 1
        # A product for each frame of the window, and the windows need not be laid out.
        kernels = np.split(self.coefs_[0], len(self._input_frames))
        activation = self.intercepts_[0] + sum(
            frames[frame : frame + n_windows] @ kernel
            for frame, kernel in zip(self._input_frames, kernels, strict=True)
        )
        for coefs, intercepts in zip(self.coefs_[1:], self.intercepts_[1:], strict=True):
            activation = np.maximum(activation, 0) @ coefs + intercepts
        return activation

    def _check_encoder_units(self) -> list[int]:
        units = list(self.encoder_units)
        if not units or not all(isinstance(n, Integral) and n > 0 for n in units):
            raise ValueError(
                f"encoder_units={self.encoder_units!r}: expected one positive int for each layer."
            )
        return [int(n) for n in units]

    def _check_window_and_statistics(self) -> None:
        if self.n_frames % 2 == 0:
            raise ValueError(f"n_frames={self.n_frames}: only an odd number has a middle frame.")
        if not len(self.statistics) or not set(self.statistics) <= set(STATISTICS):
            raise ValueError(
                f"statistics={self.statistics!r}: expected some of {', '.join(STATISTICS)}."
            )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags
