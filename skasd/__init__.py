"""Anomalous sound detection with scikit-learn."""

from skasd.audio import AudioError
from skasd.autoencoder import FrameAutoencoder, InterpolationAutoencoder
from skasd.detection import FeatureDetector, GaussianMixtureDetector
from skasd.ensemble import RepeatedSeedEnsemble
from skasd.openl3 import OpenL3Embedding
from skasd.projection import PrincipalComponents
from skasd.spectrogram import LogMelSpectrogram
from skasd.systems import make_baseline, make_iaeo3, make_iaeo3_opt

__version__ = "0.1.0.dev0"

__all__ = [
    "AudioError",
    "FeatureDetector",
    "FrameAutoencoder",
    "GaussianMixtureDetector",
    "InterpolationAutoencoder",
    "LogMelSpectrogram",
    "OpenL3Embedding",
    "PrincipalComponents",
    "RepeatedSeedEnsemble",
    "make_baseline",
    "make_iaeo3",
    "make_iaeo3_opt",
]
