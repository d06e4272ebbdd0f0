"""Reading each clip only once for all transformers that analyze it."""

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

import numpy as np
from joblib import delayed
from sklearn.utils import get_tags

from skasd._utils.threads import parallel_threads
from skasd.audio._clips import Clip
from skasd.features._clip_transformer import ClipTransformer
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._power_spectrum import PowerSpectrum


def analyze_in_one_reading(
    clips: Sequence[Clip], listeners: Sequence[Any], n_jobs: int | None = None
) -> None:
    """Analyze clips with several transformers, reading each clip only once.

    The clips remember the results. Otherwise, each transformer would read every clip by itself,
    which takes about as long as computing a spectrogram.

    Parameters
    ----------
    clips : sequence of Clip
        Clips that are about to be fitted on, or scored.
    listeners : sequence of estimators
        First steps of an ensemble's members. Only `ClipTransformer` instances that analyze clips
        one by one, without learning anything first, take part.
    n_jobs : int or None, default=None
        Number of threads.

    Raises
    ------
    AudioError
        If a clip cannot be read or analyzed.
    """
    by_key = {each._analysis_key(): each for each in listeners if _analyzes_alone(each)}
    for listener in by_key.values():
        listener._validate_params()
        listener._check_parameters()
    parallel_threads(n_jobs, (delayed(_analyze)(clip, by_key) for clip in clips))


def are_spectrograms(listeners: Sequence[Any]) -> bool:
    """Tell whether analyses are skasd's own, which do not mind in which thread they run.

    Parameters
    ----------
    listeners : sequence of estimators
        First steps of an ensemble's members.

    Returns
    -------
    bool
        A subclass may rely on what belongs to a thread, such as PyTorch's `no_grad`.
    """
    return all(type(each) in (LogMelSpectrogram, PowerSpectrum) for each in listeners)


def _analyze(clip: Clip, listeners: dict[Hashable, ClipTransformer]) -> None:
    heard: dict[Hashable, np.ndarray] = {}
    # The first one reads the clip for all of them, so let it be the one that needs most samples.
    for key, listener in sorted(listeners.items(), key=lambda item: -_seconds_needed(item[1])):
        clip.analyze(key, partial(_analyze_heard, clip, listener, heard))


def _analyze_heard(
    clip: Clip, listener: ClipTransformer, heard: dict[Hashable, np.ndarray]
) -> np.ndarray:
    hears = (
        listener.sample_rate,
        listener.input_sample_rate,
        listener.channel,
        listener.max_seconds,
    )
    if hears not in heard:
        heard[hears] = listener._read(clip)
    return listener._analyze_samples(clip, heard[hears])


def _seconds_needed(listener: ClipTransformer) -> float:
    return listener.min_samples / listener.sample_rate


def _analyzes_alone(step: Any) -> bool:
    return isinstance(step, ClipTransformer) and not get_tags(step).requires_fit
