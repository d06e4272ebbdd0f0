"""A pretrained encoder, and distances to the nearest healthy clips."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.features.encoders._by_name import make_encoder
from skasd.systems._branches import DENSITY_NEIGHBORS, name_settings


@name_settings
def make_encoder_neighbors(
    encoder: str | BaseEstimator = "openl3",
    *,
    whiten: bool = True,
    n_neighbors: int = 1,
    density_neighbors: int | None = DENSITY_NEIGHBORS,
    contamination: float = 0.1,
) -> Pipeline:
    """Make a detector that compares clips with the nearest healthy ones, through an encoder.

    The encoder is pretrained: nothing here is trained by gradients, and nothing is random.
    Distances are judged relative to how close the healthy clips around there are to each other, so
    that common and rare modes of operation are treated alike.

    Parameters
    ----------
    encoder : str or transformer, default="openl3"
        A name that `make_encoder` knows, or any transformer from clips or spectrograms to features,
        such as an `ONNXEncoder`, a pipeline of a `LogMelSpectrogram` and an `ONNXEncoder`, or a
        `CallableEncoder`.
    whiten : bool, default=True
        Whether features are whitened by their covariance, which is shrunk because there are few
        clips. Otherwise, they are only standardized.
    n_neighbors, density_neighbors, contamination
        Settings of `NearestNeighborsDetector`.

    Returns
    -------
    Pipeline
        An unfitted detector with the steps ``encoder`` and ``detector``, and ``scaler`` between
        them if ``whiten=False``. All other parameters can be set by name with `set_params` or
        `GridSearchCV`, such as ``encoder__encoder__output`` if `encoder` is a name.

    Raises
    ------
    TypeError
        If a setting does not exist; the message lists those that do.
    ValueError
        If there is no encoder of that name.
    WeightsError
        If the weights of the named encoder are not on this machine.

    See Also
    --------
    make_encoder : Encoders by name.
    make_views_detector : The default system, which takes an encoder as one more view.

    References
    ----------
    Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization",
    2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import CallableEncoder, make_encoder_neighbors
    >>> from skasd.datasets import make_machine_sounds
    >>> clips, y = make_machine_sounds("fan", n_normal=30, n_anomalous=3, duration=2.0,
    ...                                random_state=0)
    >>> def levels(samples):
    ...     return np.log(np.abs(np.fft.rfft(samples.reshape(-1, 500)))).mean(axis=0)[1:64]
    >>> detector = make_encoder_neighbors(CallableEncoder(levels)).fit(clips[y == 1])
    >>> detector.predict(clips[-1:])
    array([-1])
    """
    return Pipeline(
        neighbors_steps(
            encoder,
            whiten=whiten,
            n_neighbors=n_neighbors,
            density_neighbors=density_neighbors,
            contamination=contamination,
        )
    )


def neighbors_steps(
    encoder: str | BaseEstimator, *, whiten: bool = True, n_neighbors: int = 1, **settings: Any
) -> list[tuple[str, BaseEstimator]]:
    """Return the steps from clips to verdicts."""
    transformer = make_encoder(encoder) if isinstance(encoder, str) else encoder
    detector = NearestNeighborsDetector(
        n_neighbors,
        metric="mahalanobis" if whiten else "euclidean",
        shrinkage="oas",
        log=True,
        **settings,
    )
    scaler = [] if whiten else [("scaler", StandardScaler())]
    return [("encoder", transformer), *scaler, ("detector", detector)]
