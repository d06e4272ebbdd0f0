"""An embedding of spectra, learned from several machines."""

from collections.abc import Sequence
from functools import partial
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skasd._sklearn import Interval, fit_context
from skasd._utils.fitted import Array, ListOf, Number, check_chain
from skasd.features._convolutional_network import (
    SPECTRUM_KERNELS,
    SPECTRUM_STRIDES,
    SpectrumNetwork,
    n_steps,
)
from skasd.features._machine_classifier import MachineClassifierMixin


class SpectrumEmbedding(
    MachineClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Embed spectra of whole clips by a network that has learned to tell machines apart.

    `MachineIDEmbedding` for spectra: three convolutions over frequency and dense layers learn, on
    normal clips of several machines, which machine a spectrum comes from. A `FeatureUnion` joins
    the two.

    Parameters
    ----------
    n_channels : int, default=128
        Channels of each of the three convolutions, which have kernels of 256, 64 and 16, and
        strides of 64, 32 and 4.
    hidden_units : sequence of int, default=(128, 128, 128, 128)
        Units of the dense layers between the convolutions and the embedding.
    embedding_size : int, default=128
        Number of features.
    loss : {"arcface", "adacos"}, default="arcface"
        ``"arcface"`` has one direction for each machine, and a margin. ``"adacos"`` is
        sub-cluster AdaCos: `n_subclusters` directions for each machine, and the fixed scale
        √2 ln(n_machines · n_subclusters - 1).
    scale : float, default=16.0
        Factor by which ArcFace multiplies the cosines.
    margin : float, default=0.3
        ArcFace's margin, in radians.
    n_subclusters : int, default=16
        Trainable directions of each machine in AdaCos; at least 2.
    mixup : float, default=0.5
        Pairs of clips are mixed in training, in proportions drawn from Beta(mixup, mixup); 0 turns
        it off.
    epochs : int, default=30
        Passes over the clips.
    batch_size : int, default=32
        Clips in a training step.
    learning_rate : float, default=1e-3
        Initial learning rate of Adam; it falls to 0 along a cosine.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights and of everything else that is random in training. The same
        int gives bit-identical results on the same number of cores. No global seed is set.
    verbose : int, default=0
        1 shows a progress bar over epochs, with the loss.

    Attributes
    ----------
    classes_ : ndarray of shape (n_machines,)
        The machines.
    kernels_, biases_ : lists of 3 ndarrays, float32
        Kernels and biases of the convolutions with batch normalization folded in, of shapes
        (kernel_size, n_channels_in, n_channels_out) and (n_channels_out,).
    coefs_, intercepts_ : lists of ndarrays, float32
        Weights and biases of the dense layers with batch normalization folded in, of shapes
        (n_units_in, n_units_out) and (n_units_out,).
    mean_ : ndarray of shape (n_features_in_,), float32
        Mean of each bin over all clips, which is subtracted.
    scale_ : ndarray of shape (n_features_in_,), float32
        Root mean square of the differences over all clips and bins, by which they are divided;
        the same number for each bin.
    loss_curve_ : list of float
        Mean loss in each epoch.
    n_features_in_ : int
        Number of bins of the spectra.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the bins, if X has names that are all strings.

    See Also
    --------
    PowerSpectrum : Computes the spectra.
    MachineIDEmbedding : Embeds spectrograms.
    NearestNeighborsDetector : Scores clips by the nearest embeddings.

    Notes
    -----
    The layers are those of the spectrum branch of Wilkinghoff's network. There, both branches are
    trained together, with one loss of the joined embeddings, and the spectra are magnitudes. Here,
    each branch is trained by itself, so that it can be used alone, and the spectra are in dB.

    Training uses Keras, on JAX unless ``KERAS_BACKEND`` says otherwise. `transform` uses NumPy
    alone, and a pickle holds only arrays.

    References
    ----------
    Wilkinghoff, "Design choices for learning embeddings from auxiliary tasks for domain
    generalization in anomalous sound detection", ICASSP 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import SpectrumEmbedding

    Three machines, each of which is louder in a band of its own:

    >>> machines = np.arange(90) % 3
    >>> spectra = np.random.default_rng(0).normal(-30, 6, size=(90, 300))
    >>> for machine in range(3):
    ...     spectra[machines == machine, 90 * machine + 40 : 90 * machine + 60] += 20
    >>> embedding = SpectrumEmbedding(4, hidden_units=(4,), embedding_size=6, epochs=10,
    ...                               batch_size=15, mixup=0, learning_rate=0.01, random_state=0)
    >>> known = embedding.fit(spectra[:60], machines[:60]).transform(spectra[:60])
    >>> known.shape
    (60, 6)

    The nearest neighbors of new clips are of the same machine:

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> nearest = KNeighborsClassifier(1, metric="cosine").fit(known, machines[:60])
    >>> nearest.score(embedding.transform(spectra[60:]), machines[60:]) > 0.9
    True

    The embedding of clips, beside that of their spectrograms:

    >>> from sklearn.pipeline import make_pipeline, make_union
    >>> from skasd import LogMelSpectrogram, MachineIDEmbedding, PowerSpectrum
    >>> union = make_union(make_pipeline(LogMelSpectrogram(), MachineIDEmbedding()),
    ...                    make_pipeline(PowerSpectrum(), SpectrumEmbedding()))
    """

    _parameter_constraints = {
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "hidden_units": ["array-like"],
        **MachineClassifierMixin._constraints_of_training,
    }

    _fitted = {
        "n_features_in_": Number("i", low=1),
        **MachineClassifierMixin._fitted_in_training,
        "kernels_": ListOf(Array(("kernel_size", "n_channels_in", "n_channels_out")), 3, 3),
        "biases_": ListOf(Array(("n_channels_out",)), 3, 3),
        "coefs_": ListOf(Array(("n_units_in", "n_units_out")), fewest=1),
        "intercepts_": ListOf(Array(("n_units_out",)), fewest=1),
    }

    def __init__(
        self,
        n_channels: int = 128,
        *,
        hidden_units: Sequence[int] = (128, 128, 128, 128),
        embedding_size: int = 128,
        loss: str = "arcface",
        scale: float = 16.0,
        margin: float = 0.3,
        n_subclusters: int = 16,
        mixup: float = 0.5,
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.n_channels = n_channels
        self.hidden_units = hidden_units
        self.embedding_size = embedding_size
        self.loss = loss
        self.scale = scale
        self.margin = margin
        self.n_subclusters = n_subclusters
        self.mixup = mixup
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn to tell the machines apart.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins)
            Spectra of normal clips of several machines, in dB.
        y : array-like of shape (n_clips,)
            The machine that each clip comes from: any labels, as in `MachineIDEmbedding`.

        Returns
        -------
        self : SpectrumEmbedding

        Raises
        ------
        ValueError
            If a parameter or a spectrum is invalid, there are fewer than two machines, or the
            training diverges.
        """
        hidden_units = list(self.hidden_units)
        if not all(isinstance(n, Integral) and n > 0 for n in hidden_units):
            raise ValueError(
                f"hidden_units={self.hidden_units!r}: expected one positive int for each layer."
            )
        spectra, machines = validate_data(self, X, y, dtype=np.float32, ensure_min_samples=2)

        from skasd.features._training.machine_classifier import spectrum_layers

        make_layers = partial(
            spectrum_layers,
            n_channels=int(self.n_channels),
            hidden_units=[int(n) for n in hidden_units],
            embedding_size=self.embedding_size,
        )
        # A spectrum is a single frame.
        weights = self._train(spectra[:, np.newaxis], machines, make_layers)
        n_convolutions = len(SPECTRUM_KERNELS)
        self.kernels_ = [kernel[0] for kernel, _ in weights[:n_convolutions]]
        self.biases_ = [bias for _, bias in weights[:n_convolutions]]
        self.coefs_, self.intercepts_ = map(list, zip(*weights[n_convolutions:], strict=True))
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Embed each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_bins)
            Spectra, in dB.

        Returns
        -------
        ndarray of shape (n_clips, embedding_size), float64
            Embeddings.
        """
        check_is_fitted(self)
        spectra: np.ndarray = validate_data(self, X, dtype=np.float32, reset=False)
        network = SpectrumNetwork(self.kernels_, self.biases_, self.coefs_, self.intercepts_)
        # One by one, so that no clip's embedding depends on the others'.
        embeddings = [network.embed(self._standardize(spectrum)) for spectrum in spectra]
        return np.array(embeddings, dtype=np.float64)

    def _deviation(self, frames: np.ndarray) -> np.ndarray:
        # With its own, a bin of nothing but noise would be as loud as one of a tone.
        deviation = np.sqrt(np.mean(frames.var(axis=0, dtype=np.float64)))
        return np.full(frames.shape[1], deviation)

    def _check_fitted(self) -> None:
        sizes = tuple(map(len, self.kernels_))
        if sizes != SPECTRUM_KERNELS:
            raise ValueError(f"kernels_ are of {sizes} steps")
        # A convolution is a layer whose inputs are the channels under its kernel.
        layers = [kernel[0] for kernel in self.kernels_]
        n_channels = layers[-1].shape[1]
        check_chain(layers, self.biases_, 1, n_channels)
        n_inputs = n_steps(self.n_features_in_, *SPECTRUM_STRIDES) * n_channels
        check_chain(self.coefs_, self.intercepts_, n_inputs, self._n_features_out)

    @property
    def _n_features_out(self) -> int:
        return len(self.intercepts_[-1])
