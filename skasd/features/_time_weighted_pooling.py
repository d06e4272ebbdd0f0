"""Levels of each band, pooled over time."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import Interval, fit_context
from skasd._utils.fitted import Estimator, Number
from skasd.features._principal_components import PrincipalComponents
from skasd.features._spectrogram_transformer import (
    Spectrograms,
    SpectrogramTransformer,
    check_spectrograms,
)


class TimeWeightedPooling(SpectrogramTransformer):
    """Describe a clip by the level of each band: its mean, its maximum, or another rank average.

    In each band, the levels of all frames are sorted, largest first, and averaged with the weights
    ``decay**rank``, divided by their sum (global weighted ranking pooling). The result depends on
    how loud a band is, but not on when. Ranks count relative to the length of the clip: in a clip
    of twice as many frames as the training clips, the weights fall half as fast.

    Parameters
    ----------
    decay : float or array-like of float, default=1.0
        At least 0. 1 gives the mean over time, and 0 the maximum; 0.99 gives the mean of about the
        100 largest frames of a training clip, and 1.01 that of about the 100 smallest. If there are
        several, each gives its own set of features.
    std : bool, default=False
        Whether the standard deviation over time of each band is a feature as well.
    n_components : int or None, default=None
        Number of principal components of the training clips' features onto which features are
        projected; None does not project them.

    Attributes
    ----------
    n_features_in_ : int
        Number of bands of the spectrograms.
    n_frames_ : int
        Median number of frames of the training clips.
    projection_ : PrincipalComponents or None
        None if `n_components` is None.

    See Also
    --------
    LogMelSpectrogram : Computes the spectrograms.
    InterpolationAutoencoder : Describes a clip by what changes from frame to frame.
    GaussianMixtureDetector : Turns the features into a score.

    Notes
    -----
    Without `n_components`, only the numbers of bands and frames are learned. The weight of a rank
    is ``decay ** (rank * n_frames_ / n_frames)``. In clips as long as the training clips, it is
    that of the paper; in others, the same share of the frames has the same weight, so that the
    length of a clip does not change its levels by itself. Only the maximum of a longer clip is
    higher. The paper chooses `decay` for each machine type, from 0 to 1. Above 1, which the paper
    does not consider, the quiet frames count most: those that the machine never falls below, while
    the factory around it comes and goes.

    References
    ----------
    Guan et al., "Time-weighted Frequency Domain Audio Representation with GMM Estimator for
    Anomalous Sound Detection", ICASSP 2023, arXiv:2305.03328.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import TimeWeightedPooling
    >>> spectrogram = np.array([[0.0, 3.0], [6.0, 9.0], [3.0, 0.0]])
    >>> TimeWeightedPooling(decay=[1, 0.5, 0]).fit_transform([spectrogram]).round(3)
    array([[3.   , 4.   , 4.286, 6.   , 6.   , 9.   ]])
    """

    _parameter_constraints = {
        "decay": [Interval(Real, 0, None, closed="left"), "array-like"],
        "std": ["boolean"],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
    }

    _fitted = {
        **SpectrogramTransformer._fitted,
        "n_frames_": Number("i", low=1, optional=True),
        "projection_": Estimator(PrincipalComponents, optional=True),
    }

    def __init__(
        self,
        decay: float | ArrayLike = 1.0,
        *,
        std: bool = False,
        n_components: int | None = None,
    ):
        self.decay = decay
        self.std = std
        self.n_components = n_components

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Spectrograms, y: Any = None) -> Self:
        """Note the numbers of bands and frames; find principal components if they are requested.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : TimeWeightedPooling

        Raises
        ------
        AudioError
            If a clip has no frame.
        ValueError
            If a parameter or a spectrogram is invalid.

        Warns
        -----
        UserWarning
            If there are fewer clips or features than `n_components`.
        """
        self._check_decays()
        spectrograms = check_spectrograms(X)
        self.n_features_in_ = spectrograms[0].shape[1]
        self.n_frames_ = int(np.median([len(spectrogram) for spectrogram in spectrograms]))
        self.projection_ = None
        if self.n_components is not None:
            self.projection_ = PrincipalComponents(self.n_components).fit(self._pool(spectrograms))
        return self

    def transform(self, X: Spectrograms) -> np.ndarray:
        """Pool each clip over time.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float64
            In the unit of the spectrograms. There are n_mels features for each decay, in the order
            of `decay`, and then n_mels for `std`; with `n_components`, there are n_components in
            all.

        Raises
        ------
        AudioError
            If a clip has no frame.
        """
        pooled = self._pool(self._check_spectrograms(X))
        return pooled if self.projection_ is None else self.projection_.transform(pooled)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features: ``decay1_mel_0``, ``std_mel_0``; ``component_0`` if projected.

        Parameters
        ----------
        input_features : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of shape (n_features,), dtype object
        """
        check_is_fitted(self)
        if self.projection_ is not None:
            n_components = self.projection_.pca_.n_components_
            return np.array([f"component_{i}" for i in range(n_components)], dtype=object)
        kinds = [f"decay{decay:.12g}" for decay in self._check_decays()]
        kinds += ["std"] if self.std else []
        return np.array(
            [f"{kind}_mel_{band}" for kind in kinds for band in range(self.n_features_in_)],
            dtype=object,
        )

    def _check_fitted(self) -> None:
        n_features = (len(self._check_decays()) + self.std) * self.n_features_in_
        if self.projection_ is not None and self.projection_.n_features_in_ != n_features:
            raise ValueError(f"projection_ is for {self.projection_.n_features_in_} features")

    def _pool(self, spectrograms: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([self.transform_spectrogram(spectrogram) for spectrogram in spectrograms])

    def transform_spectrogram(self, spectrogram: np.ndarray) -> np.ndarray:
        """Pool one clip over time, without the projection.

        Parameters
        ----------
        spectrogram : ndarray of shape (n_frames, n_mels)
            At least one frame.

        Returns
        -------
        ndarray of shape (n_features,), float64
            In the unit of the spectrogram.
        """
        largest_first = np.sort(spectrogram.astype(np.float64), axis=0)[::-1]
        features = [(self._rank_weights(len(spectrogram)) @ largest_first).ravel()]
        if self.std:
            features.append(largest_first.std(axis=0))
        return np.concatenate(features)

    def _rank_weights(self, n_frames: int) -> np.ndarray:
        """Return the weight of each rank, (n_decays, n_frames)."""
        decays = self._check_decays()
        # An instance fitted by a version without n_frames_ takes each clip's own length.
        rank = np.arange(n_frames) * (getattr(self, "n_frames_", n_frames) / n_frames)
        # Exponents relative to the rank of the largest weight cannot overflow.
        from_largest = np.where(decays > 1, rank[-1], 0)[:, np.newaxis]
        weights = decays[:, np.newaxis] ** (rank - from_largest)
        return weights / weights.sum(axis=1, keepdims=True)

    def _check_decays(self) -> np.ndarray:
        try:
            decays = np.atleast_1d(np.asarray(self.decay, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise ValueError(f"decay={self.decay!r}: expected numbers of at least 0.") from error
        if (
            decays.ndim != 1
            or len(decays) == 0
            or not (decays >= 0).all()
            or np.isinf(decays).any()
        ):
            raise ValueError(
                f"decay={self.decay!r}: expected one or more numbers of at least 0, where 0 is the "
                "maximum over time, and 1 is the mean."
            )
        if len(set(decays)) < len(decays):
            raise ValueError(f"decay={self.decay!r}: pass each number only once.")
        return decays
