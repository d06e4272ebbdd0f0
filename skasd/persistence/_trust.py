"""The types that a model file may hold: those whose content can be checked."""

from typing import Any

from skasd._utils.old_names import MOVED
from skasd.audio._training_recordings import TrainingRecordings
from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._gaussian_mixture_detector import GaussianMixtureDetector
from skasd.detection._mahalanobis_detector import MahalanobisDetector
from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.features._frame_autoencoder import FrameAutoencoder
from skasd.features._interpolation_autoencoder import InterpolationAutoencoder
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._power_spectrum import PowerSpectrum
from skasd.features._principal_components import PrincipalComponents
from skasd.features._selective_mahalanobis_autoencoder import SelectiveMahalanobisAutoencoder
from skasd.features._spectrogram_statistics import SpectrogramStatistics
from skasd.features._spectrum_embedding import SpectrumEmbedding
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features.encoders._onnx_encoder import ONNXEncoder
from skasd.features.openl3._openl3_embedding import OpenL3Embedding
from skasd.persistence._sklearn_states import STATES
from skasd.persistence._trees import TREE

OURS: tuple[type[Any], ...] = (
    FeatureDetector,
    FrameAutoencoder,
    FusionDetector,
    GaussianMixtureDetector,
    InterpolationAutoencoder,
    LogMelSpectrogram,
    MachineIDEmbedding,
    MahalanobisDetector,
    NearestNeighborsDetector,
    ONNXEncoder,
    OpenL3Embedding,
    PowerSpectrum,
    PrincipalComponents,
    RepeatedSeedEnsemble,
    SelectiveMahalanobisAutoencoder,
    SpectrogramStatistics,
    SpectrumEmbedding,
    TimeWeightedPooling,
)
"""Estimators of skasd. What is fitted in each is in its `_fitted`."""

RECORDS: tuple[type[Any], ...] = (TrainingRecordings,)
"""What estimators hold besides numbers. What is in each is in its `_fitted`."""

FOREST = "sklearn.ensemble._iforest.IsolationForest"

SCALARS = {"bool", "bool_", "float32", "float64", "int32", "int64"}
"""NumPy's types of single numbers."""

BUNCH = "sklearn.utils._bunch.Bunch"

TRUSTED_BY_LOADER = {
    "JsonNode": {"builtins.str"},
    "ListNode": {"builtins.list"},
    "TupleNode": {"builtins.tuple"},
    "DictNode": {"builtins.dict", BUNCH},
    "TypeNode": {"builtins.str", "builtins.int"},
    "NdArrayNode": {"numpy.ndarray", *(f"numpy.{name}" for name in SCALARS)},
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
}
"""Kind of node → types that it may be of; `trusted_objects` are the types of ObjectNode."""


def trusted_objects() -> dict[str, type[Any]]:
    """Return what may be in a file besides plain data, by the names it has and once had there."""
    objects = (*OURS, *RECORDS, *STATES)
    named = {f"{each.__module__}.{each.__qualname__}": each for each in objects}
    former = {old: f"{place}.{old.rpartition('.')[2]}" for old, place in MOVED.items()}
    return {**named, **{old: named[now] for old, now in former.items() if now in named}}


def trusted_names() -> list[str]:
    """Return the names that skops is to trust, besides those that it trusts itself."""
    return sorted({*trusted_objects(), TREE, BUNCH})
