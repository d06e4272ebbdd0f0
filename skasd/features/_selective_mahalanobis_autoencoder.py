"""The autoencoder of the challenge's baseline since 2023, with its Mahalanobis distance."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from skasd._sklearn import fit_context
from skasd._utils.fitted import Array
from skasd._utils.threads import map_side_by_side
from skasd.detection._covariance import REG_COVAR, precision_factor
from skasd.features._spectrogram_transformer import Spectrograms, check_spectrograms
from skasd.features._window_autoencoder import WindowAutoencoder
from skasd.metrics._labels import DOMAINS, check_domains


class SelectiveMahalanobisAutoencoder(WindowAutoencoder):
    """Reproduce windows of frames; describe a clip by the distance of its error from two domains.

    The network is that of `FrameAutoencoder`. Its errors in different bands are correlated, and
    more strongly in one domain (speed, load, noise) than in another. Therefore the mean error of a
    clip is measured by its Mahalanobis distance, once with the covariance of the errors in training
    clips of the source domain and once with that of the target domain, and the smaller distance
    counts.

    Parameters
    ----------
    encoder_units : sequence of int, default=(128, 128, 128, 128, 8)
        Units of the encoder's layers, the bottleneck last. The decoder mirrors the encoder without
        its bottleneck. All layers use ReLU, except for the linear output.
    n_frames : int, default=5
        Frames in a window.
    epochs : int, default=100
        Passes over the training windows.
    batch_size : int, default=256
        Windows in a training step.
    learning_rate : float, default=1e-3
        Learning rate of Adam.
    batch_norm : bool, default=True
        Whether each hidden layer has batch normalization before its ReLU. After `fit`, it is folded
        into the layers.
    standardize : bool, default=False
        Whether bands are standardized by their mean and standard deviation over the training
        frames; errors are then in standardized units as well.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to the input in training.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the order of the windows and the noise. The same int gives
        bit-identical results on the same number of cores. No global seed is set.
    verbose : int, default=0
        1 shows a progress bar over epochs, with the loss.

    Attributes
    ----------
    precision_factors_ : ndarray of shape (2, n_features_in_, n_features_in_), float64
        For the source domain and the target domain, a factor of the inverse covariance of the
        errors: multiplied by its transpose, it gives the inverse.
    coefs_, intercepts_, loss_curve_, scale_, training_error_, n_features_in_, n_parameters_
        See `FrameAutoencoder`.

    See Also
    --------
    FrameAutoencoder : Uses the mean squared error instead.
    skasd.make_baseline : The challenge's baseline, ready to fit.

    Notes
    -----
    The description of the task averages the distances of all frames. The baseline's code, which
    produced the published results, averages the products of the errors of all pairs of frames,
    which amounts to the distance of the mean error. This class does the same.

    `REG_COVAR` times the mean variance is added to the variances; without it, few or short clips
    would have no inverse covariance.

    References
    ----------
    Harada et al., "First-shot anomaly detection for machine condition monitoring: a domain
    generalization baseline", EUSIPCO, 2023, section III.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import SelectiveMahalanobisAutoencoder
    >>> spectrograms = np.random.default_rng(0).normal(size=(4, 50, 16))
    >>> autoencoder = SelectiveMahalanobisAutoencoder((8, 2), epochs=2, random_state=0)
    >>> autoencoder.fit(spectrograms, domain=["source", "source", "target", "target"])
    SelectiveMahalanobisAutoencoder(encoder_units=(8, 2), epochs=2, random_state=0)
    >>> autoencoder.transform(spectrograms).shape
    (4, 1)
    """

    statistics = ("mahalanobis",)
    """Name of the only feature."""

    # A pipeline passes the domains on to this step if metadata routing is enabled.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {"domain": True}

    _fitted = {
        **WindowAutoencoder._fitted,
        "precision_factors_": Array((2, "n_features_in_", "n_features_in_")),
    }

    def __init__(
        self,
        encoder_units: Sequence[int] = (128, 128, 128, 128, 8),
        *,
        n_frames: int = 5,
        epochs: int = 100,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        batch_norm: bool = True,
        standardize: bool = False,
        input_noise: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.encoder_units = encoder_units
        self.n_frames = n_frames
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.batch_norm = batch_norm
        self.standardize = standardize
        self.input_noise = input_noise
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Spectrograms, y: Any = None, *, domain: ArrayLike | None = None) -> Self:
        """Train the network on all clips, and learn the covariance of its errors in each domain.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.
        y : ignored
            Not used, present for API consistency by convention.
        domain : array-like of shape (n_clips,) or None, default=None
            ``"source"`` or ``"target"`` for each clip. If it is None, or a domain has no clips,
            both domains use the covariance of all clips.

        Returns
        -------
        self : autoencoder

        Raises
        ------
        AudioError
            If a clip has fewer frames than a window.
        ValueError
            If a parameter, a spectrogram or a domain is invalid, or the training diverges.
        """
        domains = np.full(len(X), DOMAINS[0]) if domain is None else check_domains(domain, X)
        super().fit(X)
        spectrograms = check_spectrograms(X, min_frames=self.min_frames)
        of_domain = {
            name: self._precision_factor(
                [each for each, own in zip(spectrograms, domains, strict=True) if own == name]
            )
            for name in np.unique(domains)
        }
        present = next(iter(of_domain.values()))
        self.precision_factors_ = np.array([of_domain.get(name, present) for name in DOMAINS])
        return self

    def transform_spectrogram(self, spectrogram: np.ndarray) -> np.ndarray:
        """Describe one clip by its error's distance from the nearer domain.

        Parameters
        ----------
        spectrogram : ndarray of shape (n_frames, n_mels), float32
            At least `n_frames` frames.

        Returns
        -------
        ndarray of shape (1,), float64
            Squared Mahalanobis distance.
        """
        total, _, n_rows = self._moments([spectrogram])
        whitened = total / n_rows @ self.precision_factors_
        return np.square(whitened).sum(axis=1).min(keepdims=True)

    def _transform_spectrograms(self, spectrograms: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([self.transform_spectrogram(each) for each in spectrograms])

    def _check_statistics(self) -> None:
        """Accept the only statistic there is."""

    def _precision_factor(self, spectrograms: Sequence[np.ndarray]) -> np.ndarray:
        """Factorize the inverse covariance of the errors in the clips of one domain."""
        total, products, n_rows = self._moments(spectrograms)
        covariance = products / n_rows - np.outer(total, total) / n_rows**2
        ridge = REG_COVAR * np.trace(covariance) / len(covariance)
        return precision_factor(covariance + ridge * np.eye(len(covariance)))

    def _moments(self, spectrograms: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
        """Return the sum of the errors over all frames of all windows, that of products, and n."""
        n_mels = self.n_features_in_
        total, products, n_rows = np.zeros(n_mels), np.zeros((n_mels, n_mels)), 0
        for spectrogram in spectrograms:
            for moments in map_side_by_side(self._block_moments, self._blocks(spectrogram)):
                total += moments[0]
                products += moments[1]
                n_rows += moments[2]
        return total, products, n_rows

    def _block_moments(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        errors = self._errors(frames).reshape(-1, self.n_features_in_).astype(np.float64)
        return errors.sum(axis=0), errors.T @ errors, len(errors)
