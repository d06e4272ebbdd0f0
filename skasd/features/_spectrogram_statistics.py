"""One view of a clip: a statistic over time of the levels in its bands."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Tags

from skasd._sklearn import Interval, StrOptions
from skasd._utils.fitted import Number
from skasd.features._spectrogram_transformer import (
    MOST_BANDS,
    Spectrograms,
    SpectrogramTransformer,
    check_spectrograms,
)
from skasd.features._statistics import (
    MIN_FRAMES,
    PARTS,
    SORTED,
    STATISTICS,
    WIDE_BANDS,
    band_edges,
    bands_averaged,
)


class SpectrogramStatistics(SpectrogramTransformer):
    """Describe a clip by one statistic over time of the levels in its bands.

    Each statistic is a view that hears a different kind of fault. Apart from chance, none depends
    on the length of the clip. `make_views_detector` combines several.

    Parameters
    ----------
    statistic : str, default="level"
        What is computed in each band; in wide bands for the last two:

        - ``"level"``: the mean over time, in dB.
        - ``"quiet"``: the mean of the quieter half of the frames: what the machine never falls
          below, while the factory around it comes and goes.
        - ``"loud"``: the mean of the loudest tenth of the frames: what it only does for moments.
        - ``"spread"``: the logarithm of the standard deviation over time.
        - ``"flux"``: the logarithm of the mean absolute difference of consecutive frames.
        - ``"interpolation"``: the logarithm of the mean squared error of estimating each frame
          by a cubic through the two frames before it and the two after it.
        - ``"modulation"``: logarithms of the mean squared differences between frames that are 1,
          2, 4, 8 and 16 apart: how fast the level changes.
        - ``"dynamics"``: the 5, 25, 50, 75 and 95 % quantiles over time, and the mean absolute
          difference of consecutive frames.
    n_bands : int or None, default=None
        Number of wide bands, each an average of adjacent bands, in which the statistic is computed.
        None means 8 for ``"modulation"`` and ``"dynamics"``, and all bands for the others.

    Attributes
    ----------
    n_features_in_ : int
        Number of bands of the spectrograms.

    See Also
    --------
    LogMelSpectrogram : Computes the spectrograms.
    TimeWeightedPooling : Averages sorted levels with weights that fall off.
    InterpolationAutoencoder : Learns to predict each middle frame.

    Notes
    -----
    Stateless: `fit` validates, and an unfitted instance transforms.

    References
    ----------
    The squared differences at several distances are the structure function of turbulence:
    Kolmogorov, "The local structure of turbulence in incompressible viscous fluid for very large
    Reynolds numbers", Doklady Akademii Nauk SSSR 30, 1941.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import SpectrogramStatistics
    >>> spectrogram = np.array([[0.0, 3.0], [6.0, 9.0], [3.0, 0.0], [3.0, 0.0]])
    >>> SpectrogramStatistics("level").transform([spectrogram])
    array([[3., 3.]])
    >>> SpectrogramStatistics("quiet").transform([spectrogram])
    array([[1.5, 0. ]])
    """

    _parameter_constraints = {
        "statistic": [StrOptions(set(STATISTICS))],
        "n_bands": [Interval(Integral, 1, None, closed="left"), None],
    }

    _fitted = {"n_features_in_": Number("i", low=1, high=MOST_BANDS, optional=True)}

    def __init__(self, statistic: str = "level", *, n_bands: int | None = None):
        self.statistic = statistic
        self.n_bands = n_bands

    @property
    def min_frames(self) -> int:
        """Number of frames that a clip needs."""
        return MIN_FRAMES.get(self.statistic, 1)

    def transform_spectrogram(self, spectrogram: np.ndarray) -> np.ndarray:
        """Compute the statistic of one clip.

        Parameters
        ----------
        spectrogram : ndarray of shape (n_frames, n_mels)
            At least `min_frames` frames.

        Returns
        -------
        ndarray of shape (n_features,), float64
            One feature for each band, or several sets of such features, one after the other.
        """
        levels = bands_averaged(spectrogram, self._n_wide_bands)
        # Sorting does not change the levels, and is twice as fast in float32.
        exact = levels if self.statistic in SORTED else levels.astype(np.float64)
        return STATISTICS[self.statistic](exact)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features: ``level_mel_0``, ``modulation_lag1_band_0``.

        Parameters
        ----------
        input_features : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of shape (n_features,), dtype object

        Raises
        ------
        AttributeError
            If it is not fitted, and thus does not know the number of bands.
        """
        n_bands = len(band_edges(self.n_features_in_, self._n_wide_bands)) - 1
        parts: Sequence[str] = PARTS.get(self.statistic, [self.statistic])
        kind = "mel" if n_bands == self.n_features_in_ else "band"
        names = [f"{part}_{kind}_{band}" for part in parts for band in range(n_bands)]
        return np.array(names, dtype=object)

    @property
    def _n_wide_bands(self) -> int | None:
        return WIDE_BANDS if self.n_bands is None and self.statistic in PARTS else self.n_bands

    def _check_spectrograms(self, X: Spectrograms) -> list[np.ndarray]:
        self._validate_params()
        n_mels = getattr(self, "n_features_in_", None)
        return check_spectrograms(X, min_frames=self.min_frames, n_mels=n_mels)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
