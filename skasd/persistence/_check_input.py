"""Noise that any detector can score: the same when it is saved as when it is loaded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skasd._steps import first_steps, reads_clips, takes_spectrograms
from skasd.audio._channels import far_channel
from skasd.audio._clips import Clip
from skasd.audio._reading import ASSUMED_RATE
from skasd.features._clip_transformer import ClipTransformer
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features.openl3._openl3_embedding import OpenL3Embedding

N_CLIPS = 2

MOST_NUMBERS = 2**23
"""In a clip: nine minutes at 16 kHz, which no analysis needs."""

MOST_IN_FRAMES = 2**29
"""In the frames of a clip, which overlap, for all spectrograms."""


def make_check_input(detector: BaseEstimator) -> np.ndarray | list[Clip]:
    """Make noise in the form that the detector takes: clips, spectrograms or features.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        What is to score the noise.

    Returns
    -------
    list of 2 Clip, or ndarray of shape (2, n_frames, n_mels) or (2, n_features)
        The noise.

    Raises
    ------
    ValueError
        If the shortest clip that it takes is so long, or its analysis so fine, that scoring it
        would take more memory or time than anyone has use for.

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.persistence._check_input import make_check_input
    >>> make_check_input(FeatureDetector().fit([[1.0], [2.0]])).shape
    (2, 1)
    """
    noise = np.random.default_rng(0)
    steps = first_steps(detector)
    if all(map(reads_clips, steps)):
        seconds = max(_shortest_seconds(step) for step in steps)
        sample_rate = steps[0].input_sample_rate or ASSUMED_RATE
        n_samples = round((1 + seconds) * sample_rate)
        _check_size(n_samples, f"clips of {seconds:g} s")
        _check_analyses(steps, 1 + seconds)
        # Handed on as clips, nobody is told that noise is unlike the training set.
        n_channels = (2,) if any(far_channel(step.channel) is not None for step in steps) else ()
        clips = noise.normal(0, 0.1, size=(N_CLIPS, n_samples, *n_channels))
        return [Clip(f"noise {index}", clip, sample_rate) for index, clip in enumerate(clips)]
    if takes_spectrograms(steps[0]):
        n_frames = max(
            10 + getattr(steps[0], "n_frames", 0),
            *(getattr(step, "min_frames", 1) for step in steps),
        )
        _check_size(n_frames * steps[0].n_features_in_, f"spectrograms of {n_frames} frames")
        return noise.normal(-30, 10, size=(N_CLIPS, n_frames, steps[0].n_features_in_))
    _check_size(steps[0].n_features_in_, f"{steps[0].n_features_in_} features")
    return noise.normal(size=(N_CLIPS, steps[0].n_features_in_))


def _check_size(n_numbers: int, what: str) -> None:
    if n_numbers > MOST_NUMBERS:
        raise ValueError(f"it takes {what}, which are too large")


def _check_analyses(steps: Sequence[Any], seconds: float) -> None:
    analyses = {
        (step.sample_rate, step.n_fft, step.hop_length)
        for step in steps
        if isinstance(step, LogMelSpectrogram)
    }
    n_numbers = sum(seconds * rate * n_fft / hop for rate, n_fft, hop in analyses)
    if n_numbers > MOST_IN_FRAMES:
        raise ValueError(
            "its spectrograms are too fine: hop_length is too short for n_fft and sample_rate"
        )


def _shortest_seconds(step: ClipTransformer) -> float:
    if isinstance(step, OpenL3Embedding):
        return 0.0
    if isinstance(step, LogMelSpectrogram):
        # One frame more than needed: files of format 1 hold scores of such noise.
        return max(step.n_fft, step.min_frames * step.hop_length) / step.sample_rate
    return step.min_samples / step.sample_rate
