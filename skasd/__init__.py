"""Anomalous sound detection with scikit-learn."""

from skasd._utils.public_names import claim_names
from skasd._version import __version__
from skasd.detection import (
    FeatureDetector,
    GaussianMixtureDetector,
    NearestNeighborsDetector,
    PyODDetector,
)
from skasd.ensemble import (
    FleetDetector,
    FusionDetector,
    RepeatedSeedEnsemble,
    fit_clips,
    score_clips,
)
from skasd.exceptions import AudioError
from skasd.export import export_onnx
from skasd.features import (
    CallableEncoder,
    ClipTransformer,
    FrameAutoencoder,
    InterpolationAutoencoder,
    LogMelSpectrogram,
    MachineIDEmbedding,
    ONNXEncoder,
    OpenL3Embedding,
    PrincipalComponents,
    SpectrogramStatistics,
    SpectrogramTransformer,
    TimeWeightedPooling,
    make_encoder,
)
from skasd.monitoring import Monitor
from skasd.persistence import load, save
from skasd.persistence._old_names import register_old_modules
from skasd.systems import (
    make_baseline,
    make_encoder_neighbors,
    make_iaeo3,
    make_iaeo3_opt,
    make_iaeo3_plus,
    make_views_detector,
)

__all__ = [
    "AudioError",
    "CallableEncoder",
    "ClipTransformer",
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
    "ONNXEncoder",
    "OpenL3Embedding",
    "PrincipalComponents",
    "PyODDetector",
    "RepeatedSeedEnsemble",
    "SpectrogramStatistics",
    "SpectrogramTransformer",
    "TimeWeightedPooling",
    "__version__",
    "export_onnx",
    "fit_clips",
    "load",
    "make_baseline",
    "make_encoder",
    "make_encoder_neighbors",
    "make_iaeo3",
    "make_iaeo3_opt",
    "make_iaeo3_plus",
    "make_views_detector",
    "save",
    "score_clips",
]

claim_names(__name__)
register_old_modules()
