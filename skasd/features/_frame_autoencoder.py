"""The autoencoder of the DCASE 2020 challenge's baseline."""

from collections.abc import Sequence

import numpy as np

from skasd.features._window_autoencoder import WindowAutoencoder


class FrameAutoencoder(WindowAutoencoder):
    """Reproduce each window of frames through a bottleneck; describe a clip by the errors.

    A dense network sees `n_frames` consecutive frames of a spectrogram and reproduces them through
    a bottleneck of a few units. It learns to do so on a healthy machine; when the machine sounds
    different, it fails. The squared error, averaged over frames and bands, is one number for each
    window, and `statistics` of these numbers are the features of the clip.

    Parameters
    ----------
    encoder_units : sequence of int, default=(128, 128, 128, 128, 8)
        Units of the encoder's layers, the bottleneck last. The decoder mirrors the encoder without
        its bottleneck. All layers use ReLU, except for the linear output.
    n_frames : int, default=5
        Frames in a window.
    statistics : sequence of str, default=("mean",)
        Features of a clip, any of ``"mean"`` (the baseline's anomaly score), ``"std"``,
        ``"median"``, ``"max"`` and ``"iqr"``.
    epochs : int, default=100
        Passes over the training windows.
    batch_size : int, default=512
        Windows in a training step.
    learning_rate : float, default=1e-3
        Learning rate of Adam.
    batch_norm : bool, default=True
        Whether each hidden layer has batch normalization before its ReLU. After `fit`, it is folded
        into the layers.
    standardize : bool, default=False
        Whether bands are standardized by their mean and standard deviation over the training
        frames; errors are then in standardized units as well. The baseline does not standardize:
        its errors are in dB².
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to the input in training.
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
        Standard deviation of each band over the training frames with `standardize`, otherwise ones.
        Errors are in units of its square.
    training_error_ : ndarray of shape (n_features_in_,), float64
        Mean squared error of each band over the windows of up to 100 training clips, in units of
        ``scale_**2``. Error maps are compared with it.
    n_features_in_ : int
        Number of bands of the spectrograms.
    n_parameters_ : int
        Number of parameters of the network during training: 269,992 for 128 bands.

    See Also
    --------
    InterpolationAutoencoder : Predicts the middle frame from the others.
    skasd.make_baseline : The challenge's baseline, ready to fit.

    Notes
    -----
    There are three differences from the baseline's code: batch normalization uses the mean and
    variance of the finished network, the weights are averaged over about the last fifth of the
    training steps (see `InterpolationAutoencoder`), and no tenth of the windows is set aside for
    validation.

    References
    ----------
    Koizumi et al., "Description and discussion on DCASE2020 challenge task2: Unsupervised
    anomalous sound detection for machine condition monitoring", DCASE 2020 Workshop, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import FrameAutoencoder
    >>> spectrograms = np.random.default_rng(0).normal(size=(4, 50, 16))
    >>> autoencoder = FrameAutoencoder((8, 2), epochs=2, random_state=0).fit(spectrograms)
    >>> autoencoder.transform(spectrograms).shape
    (4, 1)
    """

    def __init__(
        self,
        encoder_units: Sequence[int] = (128, 128, 128, 128, 8),
        *,
        n_frames: int = 5,
        statistics: Sequence[str] = ("mean",),
        epochs: int = 100,
        batch_size: int = 512,
        learning_rate: float = 1e-3,
        batch_norm: bool = True,
        standardize: bool = False,
        input_noise: float = 0.0,
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
