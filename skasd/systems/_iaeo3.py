"""IAEO3, and IAEO3_opt with its own settings for each machine type."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from skasd.datasets._layout import MACHINES
from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._gaussian_mixture_detector import GaussianMixtureDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.features._interpolation_autoencoder import InterpolationAutoencoder
from skasd.features._window_autoencoder import STATISTICS
from skasd.systems._branches import check_input, log_mel_steps, name_settings, openl3_branch

SETTINGS = ("n_fft", "hop_length", "n_mels", "sample_rate", "encoder_units", "openl3")
"""Columns of Table 1 under the names that `make_iaeo3` gives them."""

_LARGE, _SMALL = (256, 128, 64, 32), (128, 64, 32)

TABLE_1: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        system: MappingProxyType(dict(zip(SETTINGS, row, strict=True)))
        for system, row in {
            "IAEO3": (1024, 512, 128, 16000, _LARGE, True),
            "ToyCar": (1024, 512, 128, 16000, _LARGE, True),
            "ToyConveyor": (512, 256, 128, 16000, _LARGE, True),
            "fan": (1024, 512, 256, 4000, _SMALL, True),
            "pump": (2048, 1024, 128, 16000, _LARGE, True),
            "slider": (1024, 512, 128, 16000, _LARGE, True),
            "valve": (1024, 512, 128, 16000, _LARGE, False),
        }.items()
    }
)
"""Table 1: settings of the general system, and of IAEO3_opt for each machine type."""


@name_settings
def make_iaeo3(
    *,
    machine: str | None = None,
    openl3: bool | None = None,
    score: str | None = None,
    input: str = "clips",
    sample_rate: int | None = None,
    n_fft: int | None = None,
    hop_length: int | None = None,
    n_mels: int | None = None,
    input_sample_rate: int | None = None,
    channel: str | int = "mean",
    weights: str | os.PathLike[str] = "auto",
    epochs: int = 30,
    n_repeats: int = 5,
    cv: str | int | None = "members",
    contamination: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> RepeatedSeedEnsemble:
    """Make IAEO3: interpolation errors and OpenL3 embeddings, a Gaussian mixture, five seeds.

    Parameters
    ----------
    machine : {"ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve"} or None, default=None
        Machine type of DCASE 2020. If given, the report's IAEO3_opt settings for it replace the
        general defaults of all arguments below that are None. For valves, the score is the largest
        error of the interpolation autoencoder, without OpenL3 and without a mixture.
    openl3 : bool or None, default=None
        Whether OpenL3 embeddings, standardized and projected onto 50 principal components, are used
        besides the errors of the autoencoder. They need the published weights (19 MB), which are
        downloaded if they are missing. None means True, except for valves.
    score : {"mixture", "mean", "std", "median", "max", "iqr"} or None, default=None
        ``"mixture"`` scores all features together by a Gaussian mixture. Any other value names one
        of the autoencoder's five error statistics, which is then the anomaly score by itself;
        `openl3` must then be False. None means ``"mixture"``, except for valves, where it means
        ``"max"``.
    input : {"clips", "spectrograms"}, default="clips"
        What is fitted and scored. With ``"spectrograms"``, pass log-mel spectrograms in dB that
        were computed elsewhere: the pipeline starts at the autoencoder, the settings from
        `sample_rate` to `channel` have no effect, and `openl3` must be False.
    sample_rate, n_fft, hop_length, n_mels : int or None, default=None
        Settings of `LogMelSpectrogram`. None means the report's value: 16000, 1024, 512 and 128
        unless `machine` has its own.
    input_sample_rate, channel
        Settings of `LogMelSpectrogram` and `OpenL3Embedding`.
    weights : "auto" or path, default="auto"
        Weights of `OpenL3Embedding`.
    epochs : int, default=30
        Training epochs of `InterpolationAutoencoder`.
    n_repeats, cv, contamination, random_state, n_jobs
        Settings of `RepeatedSeedEnsemble`. `n_jobs` members are fitted at the same time. Each
        member leaves out part of the clips, and the threshold is chosen from the scores of those;
        ``cv=None`` fits all members on all clips, as the report does.
    verbose : int, default=0
        1 shows a progress bar for each training.

    Returns
    -------
    RepeatedSeedEnsemble
        An unfitted detector. All other parameters can be set by name with `set_params` or
        `GridSearchCV`: those of the ensemble itself and, for example,

        - ``estimator__features__iae__spectrogram__n_fft``
        - ``estimator__features__iae__autoencoder__encoder_units``
        - ``estimator__features__openl3``, which may be ``"drop"``
        - ``estimator__features__openl3__embedding__hop_size``
        - ``estimator__features__openl3__pca__n_components``
        - ``estimator__detector__n_components``

    Raises
    ------
    TypeError
        If a setting does not exist; the message lists those that do.
    ValueError
        If `machine`, `input` or `score` is not one of the values above, or does not go with
        `openl3`.

    See Also
    --------
    make_iaeo3_opt : The same system with the settings for a machine type.

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
    >>> detector = make_iaeo3(openl3=False, epochs=2, n_repeats=2, random_state=0)
    >>> _ = detector.set_params(estimator__detector__n_components=1)
    >>> detector.fit(clips[y == 1]).score_samples(clips).shape
    (15,)
    >>> pump = make_iaeo3(machine="pump").get_params()
    >>> pump["estimator__features__iae__spectrogram__n_fft"]
    2048
    """
    if machine is not None:
        _check_machine(machine)
    report = TABLE_1["IAEO3" if machine is None else machine]
    has_openl3: bool = report["openl3"] if openl3 is None else openl3
    if score is None:
        score = "max" if machine == "valve" else "mixture"
    check_input(input, has_openl3)
    if score != "mixture" and score not in STATISTICS:
        raise ValueError(f"score={score!r}: expected 'mixture' or one of {', '.join(STATISTICS)}.")
    if has_openl3 and score != "mixture":
        raise ValueError(
            f"openl3=True adds embeddings, which score={score!r} would ignore. Pass "
            "openl3=False, or score='mixture'."
        )
    autoencoder = InterpolationAutoencoder(
        encoder_units=report["encoder_units"], epochs=epochs, verbose=verbose
    )
    detector: BaseEstimator
    if score == "mixture":
        detector = GaussianMixtureDetector(n_components=3, shrinkage=None)
    else:
        autoencoder.set_params(statistics=(score,))
        detector = FeatureDetector()
    iae = Pipeline(
        log_mel_steps(
            autoencoder,
            input,
            sample_rate=report["sample_rate"] if sample_rate is None else sample_rate,
            n_fft=report["n_fft"] if n_fft is None else n_fft,
            hop_length=report["hop_length"] if hop_length is None else hop_length,
            n_mels=report["n_mels"] if n_mels is None else n_mels,
            input_sample_rate=input_sample_rate,
            channel=channel,
        )
    )
    embedding = openl3_branch(
        weights=weights,
        input_sample_rate=input_sample_rate,
        channel=channel,
        verbose=verbose,
    )
    # OpenL3 comes first, so that missing weights are reported before anything is trained.
    features = FeatureUnion([("openl3", embedding if has_openl3 else "drop"), ("iae", iae)])
    member = Pipeline([("features", features), ("detector", detector)])
    return RepeatedSeedEnsemble(
        member,
        n_repeats=n_repeats,
        contamination=contamination,
        cv=cv,
        n_jobs=n_jobs,
        random_state=random_state,
    )


def make_iaeo3_opt(machine: str, **settings: Any) -> RepeatedSeedEnsemble:
    """Make IAEO3_opt: IAEO3 with the report's settings for a machine type.

    Parameters
    ----------
    machine : {"ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve"}
        Machine type of DCASE 2020.
    **settings
        Settings of `make_iaeo3`, which override those of the report.

    Returns
    -------
    RepeatedSeedEnsemble
        An unfitted detector with the parameters that `make_iaeo3` lists.

    Raises
    ------
    ValueError
        If `machine` is not one of the values above, or the settings do not go together.
    TypeError
        If a setting does not exist.

    References
    ----------
    Table 1 and section 3.2 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and
    interpolation autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical
    report.

    Examples
    --------
    >>> from skasd import make_iaeo3_opt
    >>> pump = make_iaeo3_opt("pump", n_repeats=2).get_params()
    >>> pump["estimator__features__iae__spectrogram__n_fft"], pump["n_repeats"]
    (2048, 2)
    >>> make_iaeo3_opt("valve").get_params()["estimator__detector"]
    FeatureDetector()
    """
    _check_machine(machine)
    return make_iaeo3(machine=machine, **settings)


def _check_machine(machine: str) -> None:
    if machine not in MACHINES:
        raise ValueError(
            f"machine={machine!r}: expected one of {', '.join(MACHINES)}. For any other machine, "
            "pass the settings to make_iaeo3."
        )
