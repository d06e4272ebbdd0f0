"""A noise that any detector can score: the same one when it is saved and when it is loaded."""

import numpy as np
from sklearn.base import BaseEstimator

from skasd.ensemble._members import analyses_of
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features._window_autoencoder import WindowAutoencoder
from skasd.features.openl3._openl3_embedding import OpenL3Embedding

N_CLIPS = 2


def make_check_input(detector: BaseEstimator) -> np.ndarray:
    """Make clips, spectrograms or features of noise: what the detector is fitted on.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one

    Returns
    -------
    ndarray
        Of shape (2, n_samples), (2, n_frames, n_mels) or (2, n_features).

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.persistence._check_input import make_check_input
    >>> make_check_input(FeatureDetector().fit([[1.0], [2.0]])).shape
    (2, 1)
    """
    noise = np.random.default_rng(0)
    # Members of an ensemble see the same input, and the first has fitted steps.
    first = detector
    while hasattr(first, "estimators_"):
        first = first.estimators_[0]
    analyses = analyses_of(first)
    if analyses:
        seconds = max(_shortest_seconds(analysis) for analysis in analyses)
        n_samples = round((1 + seconds) * analyses[0].input_sample_rate)
        return noise.normal(0, 0.1, size=(N_CLIPS, n_samples))
    for step in (first, *first.get_params().values()):
        if isinstance(step, WindowAutoencoder | TimeWeightedPooling | MachineIDEmbedding):
            n_frames = 10 + getattr(step, "n_frames", 0)
            return noise.normal(-30, 10, size=(N_CLIPS, n_frames, step.n_features_in_))
    return noise.normal(size=(N_CLIPS, first.n_features_in_))


def _shortest_seconds(analysis: LogMelSpectrogram | OpenL3Embedding) -> float:
    if isinstance(analysis, OpenL3Embedding):
        return 0.0
    n_samples = max(analysis.n_fft, analysis.min_frames * analysis.hop_length)
    return n_samples / analysis.sample_rate
