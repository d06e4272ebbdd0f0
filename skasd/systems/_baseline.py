"""The baseline of DCASE 2020 Task 2."""

import numpy as np
from sklearn.pipeline import Pipeline

from skasd.detection._feature_detector import FeatureDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.features._frame_autoencoder import FrameAutoencoder
from skasd.systems._branches import check_input, log_mel_steps, name_settings


@name_settings
def make_baseline(
    *,
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
    """Make the baseline of DCASE 2020 Task 2: the mean error of an autoencoder of five frames.

    Parameters
    ----------
    input : {"clips", "spectrograms"}, default="clips"
        What is fitted and scored. ``"spectrograms"`` starts at the autoencoder, for log-mel
        spectrograms in dB that were computed elsewhere; the settings from `sample_rate` to
        `channel` then have no effect.
    sample_rate, n_fft, hop_length, n_mels, input_sample_rate, channel
        Settings of `LogMelSpectrogram`.
    epochs : int, default=100
        Training epochs of `FrameAutoencoder`.
    n_repeats, cv, contamination, random_state, n_jobs
        Settings of `RepeatedSeedEnsemble`. The baseline is fitted once, and for the threshold
        in five folds besides; ``cv=None`` leaves these out, as the challenge does.
    verbose : int, default=0
        1 shows a progress bar for each training.

    Returns
    -------
    RepeatedSeedEnsemble
        Not fitted. Whatever else there is to set, `set_params` and `GridSearchCV` set by name: the
        parameters of the ensemble itself and, for example, ``estimator__spectrogram__n_fft`` and
        ``estimator__autoencoder__encoder_units``.

    Raises
    ------
    TypeError
        If a setting does not exist: the message names those that do.
    ValueError
        If `input` has another value.

    Notes
    -----
    The challenge fits one baseline to all ids of a machine type. What is fitted here is up to the
    caller.

    References
    ----------
    Koizumi et al., "Description and discussion on DCASE2020 challenge task2: Unsupervised
    anomalous sound detection for machine condition monitoring", DCASE 2020 Workshop, section 3.

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
    autoencoder = FrameAutoencoder(epochs=epochs, verbose=verbose)
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
