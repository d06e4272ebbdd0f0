"""Anomalous sound detection with scikit-learn."""

from skasd.audio import AudioError
from skasd.autoencoder import InterpolationAutoencoder
from skasd.detection import FeatureDetector, GaussianMixtureDetector
from skasd.ensemble import RepeatedSeedEnsemble
from skasd.spectrogram import LogMelSpectrogram
from skasd.systems import make_iaeo3

__version__ = "0.1.0.dev0"

__all__ = [
    "AudioError",
    "FeatureDetector",
    "GaussianMixtureDetector",
    "InterpolationAutoencoder",
    "LogMelSpectrogram",
    "RepeatedSeedEnsemble",
    "make_iaeo3",
]
