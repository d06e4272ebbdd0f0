"""Anomalous sound detection with scikit-learn."""

from skasd._utils.public_names import claim_names
from skasd.audio import AudioError
from skasd.detection import (
    FeatureDetector,
    GaussianMixtureDetector,
    NearestNeighborsDetector,
)
from skasd.ensemble._fleet_detector import FleetDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.ensemble._skipping import fit_clips, score_clips
from skasd.export import export_onnx
from skasd.features import FrameAutoencoder, InterpolationAutoencoder
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._principal_components import PrincipalComponents
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features.openl3 import OpenL3Embedding
from skasd.monitoring import Monitor
from skasd.persistence import load, save
from skasd.persistence._old_names import register_old_modules
from skasd.systems import make_baseline, make_iaeo3, make_iaeo3_opt, make_iaeo3_plus

__version__ = "0.1.0.dev0"

__all__ = [
    "AudioError",
    "FeatureDetector",
    "FleetDetector",
    "FrameAutoencoder",
    "FusionDetector",
    "GaussianMixtureDetector",
    "InterpolationAutoencoder",
    "LogMelSpectrogram",
    "MachineIDEmbedding",
    "Monitor",
    "NearestNeighborsDetector",
    "OpenL3Embedding",
    "PrincipalComponents",
    "RepeatedSeedEnsemble",
    "TimeWeightedPooling",
    "export_onnx",
    "fit_clips",
    "load",
    "make_baseline",
    "make_iaeo3",
    "make_iaeo3_opt",
    "make_iaeo3_plus",
    "save",
    "score_clips",
]

claim_names(__name__)
register_old_modules()
