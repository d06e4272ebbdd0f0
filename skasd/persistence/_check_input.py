"""Noise that any detector can score: the same when it is saved as when it is loaded."""

import numpy as np
from sklearn.base import BaseEstimator

from skasd._steps import first_steps
from skasd.audio._clips import Clip
from skasd.audio._reading import ASSUMED_RATE
from skasd.features._base import ClipTransformer, SpectrogramTransformer
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features.openl3._openl3_embedding import OpenL3Embedding

N_CLIPS = 2


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

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.persistence._check_input import make_check_input
    >>> make_check_input(FeatureDetector().fit([[1.0], [2.0]])).shape
    (2, 1)
    """
    noise = np.random.default_rng(0)
    steps = first_steps(detector)
    if all(isinstance(step, ClipTransformer) for step in steps):
        seconds = max(_shortest_seconds(step) for step in steps)
        sample_rate = steps[0].input_sample_rate or ASSUMED_RATE
        n_samples = round((1 + seconds) * sample_rate)
        # Handed on as clips, nobody is told that noise is unlike the training set.
        clips = noise.normal(0, 0.1, size=(N_CLIPS, n_samples))
        return [Clip(f"noise {index}", clip, sample_rate) for index, clip in enumerate(clips)]
    if isinstance(steps[0], SpectrogramTransformer):
        n_frames = max(10 + getattr(steps[0], "n_frames", 0), *(step.min_frames for step in steps))
        return noise.normal(-30, 10, size=(N_CLIPS, n_frames, steps[0].n_features_in_))
    return noise.normal(size=(N_CLIPS, steps[0].n_features_in_))


def _shortest_seconds(step: ClipTransformer) -> float:
    if isinstance(step, OpenL3Embedding):
        return 0.0
    if isinstance(step, LogMelSpectrogram):
        # One frame more than needed: files of format 1 hold scores of such noise.
        return max(step.n_fft, step.min_frames * step.hop_length) / step.sample_rate
    return step.min_samples / step.sample_rate
