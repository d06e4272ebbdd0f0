"""The default system: several views of the log-mel spectrogram, fused."""

from typing import Any, NamedTuple

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from skasd.audio._reading import ASSUMED_RATE
from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._spectrogram_statistics import SpectrogramStatistics
from skasd.features._statistics import MIN_FRAMES
from skasd.features.encoders._by_name import make_encoder
from skasd.systems._branches import DENSITY_NEIGHBORS, check_input, name_settings
from skasd.systems._encoder_neighbors import neighbors_steps

FASTER = 4
"""The fast views have frames this many times shorter, and this many times fewer bands."""

ENCODER_WEIGHT = 4
"""Weight of an encoder: that of the level, which is the strongest view without an encoder."""


class View(NamedTuple):
    """A statistic, whether it is of the fast or the slow analysis, and its weight."""

    statistic: str
    is_fast: bool
    weight: float


VIEWS = {
    "level": View("level", is_fast=False, weight=4),
    "quiet": View("quiet", is_fast=False, weight=4),
    "loud": View("loud", is_fast=False, weight=1),
    "modulation": View("modulation", is_fast=False, weight=1),
    "flux": View("flux", is_fast=False, weight=1),
    "interpolation": View("interpolation", is_fast=False, weight=1),
    "fast_level": View("level", is_fast=True, weight=2),
    "fast_quiet": View("quiet", is_fast=True, weight=2),
    "fast_modulation": View("modulation", is_fast=True, weight=1),
}
"""The views by name. docs/default.md gives the reason for each."""


@name_settings
def make_views_detector(
    *,
    input: str = "clips",
    sample_rate: int = 16000,
    n_fft: int = 1024,
    hop_length: int = 512,
    win_length: int | None = None,
    n_mels: int = 128,
    input_sample_rate: int | None = None,
    channel: str | int = "mean",
    domain_method: str | None = None,
    encoder: str | BaseEstimator | None = None,
    contamination: float = 0.1,
    n_jobs: int | None = None,
) -> FusionDetector:
    """Make the default system: nine views of a clip, and a rule that hears whichever stands out.

    Each view is a statistic over time of the log-mel spectrogram, and has a detector of its own,
    which takes whitened distances to the nearest healthy clips and normalizes them by local
    density. Six views use the spectrogram that the settings describe. The other three use a
    spectrogram with frames four times shorter, which hears what comes and goes with each turn of a
    shaft. A soft maximum joins all scores on one scale. Nothing is trained by gradients, nothing is
    random, and keras is not needed.

    Parameters
    ----------
    input : {"clips", "spectrograms"}, default="clips"
        What is fitted and scored. With ``"spectrograms"``, pass log-mel spectrograms in dB that
        were computed elsewhere: the three fast views, which need shorter frames, are left out, and
        the settings from `sample_rate` to `channel` have no effect.
    sample_rate, n_fft, hop_length, win_length, n_mels, input_sample_rate, channel
        Settings of `LogMelSpectrogram`. The fast views use a quarter of `n_fft`, `hop_length`,
        `win_length` and `n_mels`.
    domain_method : {"smote", "memmixup", "selective"} or None, default=None
        Setting of each `NearestNeighborsDetector`, used if `fit` is told the clips' domains. The
        local density helps even without it.
    encoder : str, transformer of clips, or None, default=None
        A pretrained encoder, as in `make_encoder_neighbors`, for one more view with a weight of 4.
        An encoder given by name also uses `input_sample_rate` and `channel`.
    contamination, n_jobs
        Settings of `FusionDetector`.

    Returns
    -------
    FusionDetector
        An unfitted detector. All other parameters can be set by name with `set_params` or
        `GridSearchCV`: those of the fusion itself and, for example,

        - ``quiet``, which may be replaced by another detector
        - ``level__spectrogram__n_fft``
        - ``modulation__statistics__n_bands``
        - ``loud__detector__density_neighbors``

    Raises
    ------
    TypeError
        If a setting does not exist; the message lists those that do.
    ValueError
        If `input` is not one of the values above, or does not go with `encoder`.

    See Also
    --------
    make_iaeo3_plus : An autoencoder and pooled levels, which takes a minute to train.
    SpectrogramStatistics : Computes the views.
    NearestNeighborsDetector : Scores each view.
    FusionDetector : Joins the scores of the views.

    Notes
    -----
    Clips of fewer than 17 frames (0.51 s at the default settings) are refused. The views, their
    weights and the way they are joined are the same for all machines. They were chosen by
    reasoning, and by checking thirteen times how well they find the anomalous clips of two toy
    cars, one fan and synthetic machines.

    References
    ----------
    Wilkinghoff et al., "Local density-based anomaly score normalization for domain generalization",
    2025.

    Examples
    --------
    >>> from skasd import make_views_detector
    >>> from skasd.datasets import make_machine_sounds
    >>> clips, y = make_machine_sounds("fan", n_normal=30, n_anomalous=3, duration=2.0,
    ...                                random_state=0)
    >>> detector = make_views_detector().fit(clips[y == 1])
    >>> detector.predict(clips[-1:])
    array([-1])
    """
    check_input(input, openl3=False)
    if encoder is not None and input == "spectrograms":
        raise ValueError(
            "encoder= needs recordings, but input='spectrograms' provides none. Pass encoder=None."
        )
    common = {
        "sample_rate": sample_rate,
        "input_sample_rate": input_sample_rate,
        "channel": channel,
        "min_frames": MIN_FRAMES["modulation"],
    }
    slow = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length, "n_mels": n_mels}
    fast = {
        name: value if value is None else max(value // FASTER, 1) for name, value in slow.items()
    }
    views = {name: view for name, view in VIEWS.items() if input == "clips" or not view.is_fast}
    detectors: list[tuple[str, Any]] = [
        (
            name,
            _view_detector(
                view, input, domain_method, {**common, **(fast if view.is_fast else slow)}
            ),
        )
        for name, view in views.items()
    ]
    weights = [view.weight for view in views.values()]
    if isinstance(encoder, str):
        # If the sample rate is a guess, the views report it wherever it matters to them.
        rate = ASSUMED_RATE if input_sample_rate is None else input_sample_rate
        encoder = make_encoder(encoder, channel=channel, input_sample_rate=rate)
    if encoder is not None:
        steps = neighbors_steps(
            encoder, density_neighbors=DENSITY_NEIGHBORS, domain_method=domain_method
        )
        detectors.append(("encoder", Pipeline(steps)))
        weights.append(ENCODER_WEIGHT)
    return FusionDetector(
        detectors,
        aggregation="soft_max",
        weights=weights,
        contamination=contamination,
        n_jobs=n_jobs,
    )


def _view_detector(
    view: View, input: str, domain_method: str | None, settings: dict[str, Any]
) -> Pipeline:
    spectrogram = LogMelSpectrogram(**settings) if input == "clips" else "passthrough"
    neighbors = NearestNeighborsDetector(
        1,
        density_neighbors=DENSITY_NEIGHBORS,
        shrinkage="oas",
        log=True,
        domain_method=domain_method,
    )
    return Pipeline(
        [
            ("spectrogram", spectrogram),
            ("statistics", SpectrogramStatistics(view.statistic)),
            ("detector", neighbors),
        ]
    )
