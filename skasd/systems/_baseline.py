"""The baselines of the DCASE challenge: that of 2020, and that of 2023 to 2026."""

import numpy as np
from sklearn.pipeline import Pipeline

from skasd.detection._feature_detector import FeatureDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.features._frame_autoencoder import FrameAutoencoder
from skasd.features._selective_mahalanobis_autoencoder import SelectiveMahalanobisAutoencoder
from skasd.systems._branches import check_input, log_mel_steps, name_settings

AUTOENCODERS = {"mse": FrameAutoencoder, "mahalanobis": SelectiveMahalanobisAutoencoder}
"""Score of a clip → the autoencoder that computes it."""


@name_settings
def make_baseline(
    *,
    score: str = "mse",
    input: str = "clips",
    sample_rate: int = 16000,
    n_fft: int = 1024,
    hop_length: int = 512,
    n_mels: int = 128,
    input_sample_rate: int | None = None,
    channel: str | int = "mean",
    epochs: int = 100,
    n_repeats: int = 1,
    cv: str | int | None = "members",
    contamination: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> RepeatedSeedEnsemble:
    """Make the baseline of the DCASE challenge: the error of an autoencoder over five frames.

    Parameters
    ----------
    score : {"mse", "mahalanobis"}, default="mse"
        How a clip is scored from the autoencoder's error. ``"mse"`` takes the mean square of the
        error, as in 2020 and in the simple mode of 2023 to 2026. ``"mahalanobis"`` takes the
        error's Mahalanobis distance from the source or the target domain, whichever is smaller, as
        in the selective Mahalanobis mode of those years: see `SelectiveMahalanobisAutoencoder`. It
        needs `fit` to be given `domain`, ``"source"`` or ``"target"`` for each clip.
    input : {"clips", "spectrograms"}, default="clips"
        What is fitted and scored. With ``"spectrograms"``, pass log-mel spectrograms in dB that
        were computed elsewhere: the pipeline starts at the autoencoder, and the settings from
        `sample_rate` to `channel` have no effect.
    sample_rate, n_fft, hop_length, n_mels, input_sample_rate, channel
        Settings of `LogMelSpectrogram`.
    epochs : int, default=100
        Training epochs of the autoencoder.
    n_repeats, cv, contamination, random_state, n_jobs
        Settings of `RepeatedSeedEnsemble`. The baseline is fitted once, and five more times on
        folds of the clips to choose the threshold; ``cv=None`` skips these folds, as the challenge
        does.
    verbose : int, default=0
        1 shows a progress bar for each training.

    Returns
    -------
    RepeatedSeedEnsemble
        An unfitted detector. All other parameters can be set by name with `set_params` or
        `GridSearchCV`: those of the ensemble itself and, for example,
        ``estimator__spectrogram__n_fft`` and ``estimator__autoencoder__encoder_units``.

    Raises
    ------
    TypeError
        If a setting does not exist; the message lists those that do.
    ValueError
        If `score` or `input` is not one of the values above.

    Notes
    -----
    The challenge of 2020 fits one baseline to all ids of a machine type; here, you decide which
    clips to fit it on. The baselines since 2023 train with batches of 256 windows instead of the
    512 of 2020: ``set_params(estimator__autoencoder__batch_size=256)``.

    References
    ----------
    Koizumi et al., "Description and discussion on DCASE2020 challenge task2: Unsupervised
    anomalous sound detection for machine condition monitoring", DCASE 2020 Workshop, section 3.

    Harada et al., "First-shot anomaly detection for machine condition monitoring: a domain
    generalization baseline", EUSIPCO, 2023.

    Examples
    --------
    >>> from skasd import make_baseline
    >>> from skasd.datasets import make_machine_sounds
    >>> clips, y = make_machine_sounds("fan", n_normal=12, n_anomalous=3, duration=2.0,
    ...                                random_state=0)
    >>> detector = make_baseline(epochs=1, cv=None, random_state=0).fit(clips[y == 1])
    >>> detector.anomaly_score(clips).shape
    (15,)
    """
    check_input(input, openl3=False)
    if score not in AUTOENCODERS:
        raise ValueError(f"score={score!r}: expected 'mse' or 'mahalanobis'.")
    autoencoder = AUTOENCODERS[score](epochs=epochs, verbose=verbose)
    steps = log_mel_steps(
        autoencoder,
        input,
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        input_sample_rate=input_sample_rate,
        channel=channel,
    )
    return RepeatedSeedEnsemble(
        Pipeline([*steps, ("detector", FeatureDetector())]),
        n_repeats=n_repeats,
        contamination=contamination,
        cv=cv,
        n_jobs=n_jobs,
        random_state=random_state,
    )
