"""The interpolation autoencoder of IAEO3."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from skasd._sklearn import Interval
from skasd.features._window_autoencoder import MOST_FRAMES, WindowAutoencoder


class InterpolationAutoencoder(WindowAutoencoder):
    """Predict the middle frame of each window from the others; describe a clip by the errors.

    A dense network sees `n_frames` consecutive frames of a spectrogram, except for the middle one,
    and predicts that one. It learns to do so on a healthy machine; when the machine sounds
    different, the prediction gets worse. The squared error, averaged over bands, is one number for
    each window, and `statistics` of these numbers are the features of the clip.

    Parameters
    ----------
    encoder_units : sequence of int, default=(256, 128, 64, 32)
        Units of the encoder's layers, the bottleneck last. The decoder mirrors the encoder without
        its bottleneck. All layers use ReLU, except for the linear output.
    n_frames : int, default=5
        Frames in a window; odd, and at least 3.
    statistics : sequence of str, default=("mean", "std", "median", "max", "iqr")
        Features of a clip.
    epochs : int, default=30
        Passes over the training windows.
    batch_size : int, default=512
        Windows in a training step. The report does not give it; 512 is the DCASE baseline's.
    learning_rate : float, default=1e-3
        Learning rate of Adam.
    batch_norm : bool, default=True
        Whether each hidden layer has batch normalization before its ReLU, as in the DCASE baseline;
        the report does not say. After `fit`, it is folded into the layers.
    standardize : bool, default=True
        Whether bands are standardized by their mean and standard deviation over the training
        frames, so that all bands count equally; errors are then in standardized units as well. Not
        in the report.
    input_noise : float, default=0.5
        Standard deviation of the Gaussian noise added to the standardized input in training; 0
        turns it off. Not in the report: it lowers the error on held-out healthy clips.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the order of the windows and the noise. The same int gives
        bit-identical results on the same number of cores. No global seed is set.
    verbose : int, default=0
        1 shows a progress bar over epochs, with the loss.

    Attributes
    ----------
    coefs_ : list of ndarrays of shape (n_inputs, n_outputs), float32
        Weights of each layer.
    intercepts_ : list of ndarrays of shape (n_outputs,), float32
        Biases of each layer.
    loss_curve_ : list of float
        Mean squared error in each epoch, in units of ``scale_**2``.
    scale_ : ndarray of shape (n_features_in_,), float32
        Standard deviation of each band over the training frames, in dB for spectrograms in dB;
        1 without `standardize`. Errors are in units of its square.
    training_error_ : ndarray of shape (n_features_in_,), float64
        Mean squared error of each band over the windows of up to 100 training clips, in units of
        ``scale_**2``. Error maps are compared with it.
    n_features_in_ : int
        Number of bands of the spectrograms.
    n_parameters_ : int
        Number of parameters of the network during training, including the four of batch
        normalization for each unit.

    See Also
    --------
    FrameAutoencoder : Sees and predicts all frames of a window.
    LogMelSpectrogram : Computes the spectrograms.
    GaussianMixtureDetector : Turns the features into a score.

    Notes
    -----
    `coefs_` have the standardization folded in, and predict in the units of the spectrograms. Two
    more things that the report leaves open are decided as follows: batch normalization uses the
    mean and variance of the finished network over training windows (at most 100 batches), and the
    weights are an exponential average over about the last fifth of the training steps. Both lower
    the error on held-out healthy clips, and the differences between seeds.

    Training uses Keras, on JAX unless ``KERAS_BACKEND`` says otherwise. `transform` uses NumPy
    alone, and a pickle holds only arrays.

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
        **WindowAutoencoder._parameter_constraints,
        "n_frames": [Interval(Integral, 3, MOST_FRAMES, closed="both")],
    }

    def __init__(
        self,
        encoder_units: Sequence[int] = (256, 128, 64, 32),
        *,
        n_frames: int = 5,
        statistics: Sequence[str] = ("mean", "std", "median", "max", "iqr"),
        epochs: int = 30,
        batch_size: int = 512,
        learning_rate: float = 1e-3,
        batch_norm: bool = True,
        standardize: bool = True,
        input_noise: float = 0.5,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.encoder_units = encoder_units
        self.n_frames = n_frames
        self.statistics = statistics
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.batch_norm = batch_norm
        self.standardize = standardize
        self.input_noise = input_noise
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _input_frames(self) -> list[int]:
        return [frame for frame in range(self.n_frames) if frame not in self._target_frames]

    @property
    def _target_frames(self) -> list[int]:
        return [self.n_frames // 2]

    def _check_window(self) -> None:
        if self.n_frames % 2 == 0:
            raise ValueError(f"n_frames={self.n_frames}: only an odd number has a middle frame.")
