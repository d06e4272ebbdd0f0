"""An embedding learned from several machines."""

from collections.abc import Sequence
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from skasd._sklearn import fit_context
from skasd._utils.fitted import Array, ListOf, check_chain
from skasd.features._convolutional_network import KERNEL, STRIDE, ConvolutionalNetwork, n_steps
from skasd.features._machine_classifier import MachineClassifierMixin
from skasd.features._spectrogram_transformer import (
    Spectrograms,
    SpectrogramTransformer,
    check_spectrograms,
)


class MachineIDEmbedding(
    MachineClassifierMixin, ClassNamePrefixFeaturesOutMixin, SpectrogramTransformer
):
    """Embed clips by a network that has learned to tell machines apart (outlier exposure).

    Whatever distinguishes one healthy machine from its siblings often distinguishes a faulty one as
    well. A small convolutional network learns, on normal clips of several machines, which machine a
    clip comes from; its second-to-last layer describes the clip. It is fitted once for a fleet, and
    can then be a branch of each machine's detector, which is fitted on that machine alone.

    Parameters
    ----------
    channels : sequence of int, default=(16, 32, 64, 96, 128)
        Channels of the convolutions, each of which halves the numbers of frames and bands.
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
    kernels_, biases_ : lists of ndarrays, float32
        Kernels and biases of the convolutions with batch normalization folded in, of shapes (3, 3,
        n_channels_in, n_channels_out) and (n_channels_out,).
    coefs_ : ndarray of shape (n_inputs, embedding_size), float32
        Weights of the dense layer.
    intercepts_ : ndarray of shape (embedding_size,), float32
        Biases of the dense layer.
    mean_, scale_ : ndarrays of shape (n_features_in_,), float32
        Mean and standard deviation of each band over all frames, used to standardize it.
    loss_curve_ : list of float
        Mean loss in each epoch.
    n_features_in_ : int
        Number of bands of the spectrograms.

    See Also
    --------
    skasd.make_iaeo3_plus : Takes a fitted embedding as a branch.
    NearestNeighborsDetector : Scores clips by the nearest embeddings.

    Notes
    -----
    Training uses Keras, on JAX unless ``KERAS_BACKEND`` says otherwise. `transform` uses NumPy
    alone, and a pickle holds only arrays.

    References
    ----------
    Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019.

    Wilkinghoff, "Sub-cluster AdaCos: Learning representations for anomalous sound detection",
    IJCNN 2021.

    Zhang et al., "AdaCos: Adaptively scaling cosine logits for effectively learning deep face
    representations", CVPR 2019.

    Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.

    Giri et al., "Self-supervised classification for detecting anomalous sounds", DCASE 2020
    Workshop.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import MachineIDEmbedding
    >>> spectrograms = np.random.default_rng(0).normal(size=(6, 40, 16))
    >>> machine_ids = ["id_00", "id_02", "id_04"] * 2
    >>> embedding = MachineIDEmbedding((4, 8), embedding_size=5, epochs=1, random_state=0)
    >>> embedding.fit_transform(spectrograms, machine_ids).shape
    (6, 5)
    """

    _parameter_constraints = {
        "channels": ["array-like"],
        **MachineClassifierMixin._constraints_of_training,
    }

    _fitted = {
        **SpectrogramTransformer._fitted,
        **MachineClassifierMixin._fitted_in_training,
        "kernels_": ListOf(Array((KERNEL, KERNEL, "n_channels_in", "n_channels_out")), fewest=1),
        "biases_": ListOf(Array(("n_channels_out",)), fewest=1),
        "coefs_": Array(("n_pooled", "n_outputs")),
        "intercepts_": Array(("n_outputs",)),
    }

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 64, 96, 128),
        *,
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
        self.channels = channels
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
    def fit(self, X: Spectrograms, y: ArrayLike) -> Self:  # type: ignore[override]  # y is needed
        """Learn to tell the machines apart.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array: normal
            clips of several machines.
        y : array-like of shape (n_clips,)
            Which machine each clip comes from: any labels, such as ``"fan_00"``. Finer ones, such
            as ``"fan_00_vel_12"`` for one of its speeds, make the network attend to more details;
            the `classes` of `load_dcase` combine machine type, section and attributes. Concatenate
            those of several machine types.

        Returns
        -------
        self : MachineIDEmbedding

        Raises
        ------
        AudioError
            If a clip has no frame.
        ValueError
            If a parameter or a spectrogram is invalid, there are fewer than two machines, or
            the training diverges.
        """
        channels = list(self.channels)
        if not channels or not all(isinstance(n, Integral) and n > 0 for n in channels):
            raise ValueError(
                f"channels={self.channels!r}: expected one positive int for each convolution."
            )
        spectrograms = check_spectrograms(X)
        self.n_features_in_ = spectrograms[0].shape[1]

        from skasd.features._training.machine_classifier import spectrogram_layers

        make_layers = partial(
            spectrogram_layers,
            n_frames=min(map(len, spectrograms)),
            channels=[int(n) for n in channels],
            embedding_size=self.embedding_size,
        )
        *convolutions, dense = self._train(spectrograms, y, make_layers)
        self.kernels_, self.biases_ = map(list, zip(*convolutions, strict=True))
        self.coefs_, self.intercepts_ = dense
        return self

    def transform_spectrogram(self, spectrogram: np.ndarray) -> np.ndarray:
        """Embed one clip.

        Parameters
        ----------
        spectrogram : ndarray of shape (n_frames, n_mels), float32
            At least one frame.

        Returns
        -------
        ndarray of shape (embedding_size,), float32
            Embedding of the clip.
        """
        network = ConvolutionalNetwork(self.kernels_, self.biases_, self.coefs_, self.intercepts_)
        return network.embed(self._standardize(spectrogram))

    def _check_fitted(self) -> None:
        # A convolution is a layer whose inputs are the channels under its kernel.
        layers = [kernel[0, 0] for kernel in self.kernels_]
        n_channels = layers[-1].shape[1]
        check_chain(layers, self.biases_, 1, n_channels)
        n_pooled = n_steps(self.n_features_in_, *[STRIDE] * len(layers)) * n_channels
        check_chain([self.coefs_], [self.intercepts_], n_pooled, self._n_features_out)

    @property
    def _n_features_out(self) -> int:
        return len(self.intercepts_)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Version 0.1.0.dev0 had no other loss.
        super().__setstate__({"loss": "arcface", "n_subclusters": 16, **state})
