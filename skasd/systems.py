"""Ready systems: the settings of published ones, turned into pipelines."""

from collections.abc import Sequence

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from skasd.autoencoder import InterpolationAutoencoder
from skasd.detection import GaussianMixtureDetector
from skasd.ensemble import RepeatedSeedEnsemble
from skasd.spectrogram import LogMelSpectrogram


def make_iaeo3(
    *,
    openl3: bool = False,
    input: str = "clips",
    sample_rate: int = 16000,
    n_fft: int = 1024,
    hop_length: int = 512,
    n_mels: int = 128,
    input_sample_rate: int = 16000,
    channel: str | int = "mean",
    encoder_units: Sequence[int] = (256, 128, 64, 32),
    n_frames: int = 5,
    epochs: int = 30,
    n_components: int = 3,
    n_repeats: int = 5,
    aggregation: str = "min",
    contamination: float = 0.1,
    threshold: str = "percentile",
    cv: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> RepeatedSeedEnsemble:
    """Make IAEO3's interpolation branch: five seeds of spectrogram, autoencoder and mixture.

    Parameters
    ----------
    openl3 : False
        The report's second branch, OpenL3 embeddings, is not part of this version.
    input : {"clips", "spectrograms"}, default="clips"
        What is fitted and scored. ``"spectrograms"`` starts at the autoencoder, for log-mel
        spectrograms in dB that were computed elsewhere; the settings from `sample_rate` to
        `channel` then have no effect.
    sample_rate, n_fft, hop_length, n_mels, input_sample_rate, channel
        Settings of `LogMelSpectrogram`.
    encoder_units, n_frames, epochs
        Settings of `InterpolationAutoencoder`.
    n_components : int, default=3
        Of `GaussianMixtureDetector`.
    n_repeats, aggregation, contamination, threshold, cv, random_state, n_jobs
        Settings of `RepeatedSeedEnsemble`. `n_jobs` members are fitted at the same time;
        ``cv=2`` gives a threshold that holds for new clips.
    verbose : int, default=0
        1 shows a progress bar for each training.

    Returns
    -------
    RepeatedSeedEnsemble
        Not fitted. Its parameters, as `set_params` and `GridSearchCV` name them, are those of
        the ensemble itself and, for example,

        - ``estimator__features__iae__spectrogram__n_fft``
        - ``estimator__features__iae__autoencoder__encoder_units``
        - ``estimator__detector__n_components``

    Raises
    ------
    ValueError
        Where `openl3` or `input` has another value.

    References
    ----------
    Table 1 and section 3.1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and
    interpolation autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical
    report.

    Examples
    --------
    >>> from skasd import make_iaeo3
    >>> from skasd.datasets import make_machine_sounds
    >>> clips, y = make_machine_sounds("fan", n_normal=12, n_anomalous=3, duration=2.0,
    ...                                random_state=0)
    >>> detector = make_iaeo3(epochs=2, n_components=1, n_repeats=2, random_state=0)
    >>> detector.fit(clips[y == 1]).score_samples(clips).shape
    (15,)
    """
    if openl3 is not False:
        raise ValueError(f"openl3={openl3!r}: this version of skasd has no OpenL3 branch.")
    if input not in ("clips", "spectrograms"):
        raise ValueError(f"input={input!r}: expected 'clips' or 'spectrograms'.")
    spectrogram = LogMelSpectrogram(
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        input_sample_rate=input_sample_rate,
        channel=channel,
        min_frames=n_frames,
    )
    autoencoder = InterpolationAutoencoder(
        encoder_units=encoder_units, n_frames=n_frames, epochs=epochs, verbose=verbose
    )
    iae = Pipeline(
        [
            ("spectrogram", spectrogram if input == "clips" else "passthrough"),
            ("autoencoder", autoencoder),
        ]
    )
    member = Pipeline(
        [
            ("features", FeatureUnion([("iae", iae)])),
            ("detector", GaussianMixtureDetector(n_components=n_components)),
        ]
    )
    return RepeatedSeedEnsemble(
        member,
        n_repeats=n_repeats,
        aggregation=aggregation,
        contamination=contamination,
        threshold=threshold,
        cv=cv,
        n_jobs=n_jobs,
        random_state=random_state,
    )
