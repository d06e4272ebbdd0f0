"""The types that a model file may hold."""

import json

from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch

from skasd.audio._training_recordings import TrainingRecordings
from skasd.detection._feature_detector import FeatureDetector
from skasd.detection._gaussian_mixture_detector import GaussianMixtureDetector
from skasd.detection._nearest_neighbors_detector import NearestNeighborsDetector
from skasd.ensemble._fusion_detector import FusionDetector
from skasd.ensemble._repeated_seed_ensemble import RepeatedSeedEnsemble
from skasd.features._frame_autoencoder import FrameAutoencoder
from skasd.features._interpolation_autoencoder import InterpolationAutoencoder
from skasd.features._log_mel_spectrogram import LogMelSpectrogram
from skasd.features._machine_id_embedding import MachineIDEmbedding
from skasd.features._principal_components import PrincipalComponents
from skasd.features._spectrogram_statistics import SpectrogramStatistics
from skasd.features._time_weighted_pooling import TimeWeightedPooling
from skasd.features.openl3._openl3_embedding import OpenL3Embedding
from skasd.persistence._old_names import MOVED
from skasd.persistence._trees import TREE

TRUSTED = (
    FeatureDetector,
    FrameAutoencoder,
    FusionDetector,
    GaussianMixtureDetector,
    InterpolationAutoencoder,
    LogMelSpectrogram,
    MachineIDEmbedding,
    NearestNeighborsDetector,
    OpenL3Embedding,
    PrincipalComponents,
    RepeatedSeedEnsemble,
    SpectrogramStatistics,
    TimeWeightedPooling,
    TrainingRecordings,
    FrozenEstimator,
    Bunch,
)
"""Types that are trusted besides those that skops trusts: scikit-learn's and NumPy's."""

CALLABLE_NODES = {"MethodNode", "OperatorFuncNode", "PartialNode"}
"""Nodes that skops can hold and a detector never needs: objects that could be called."""


def trusted_names() -> set[str]:
    """Return the names of `TRUSTED`: those that skops writes now, and former ones."""
    names = {f"{each.__module__}.{each.__qualname__}" for each in TRUSTED}
    old = {old for old, place in MOVED.items() if f"{place}.{old.rpartition('.')[2]}" in names}
    return names | old | {TREE}


def check_nodes(schema: bytes) -> None:
    """Refuse objects that could be called once they are loaded.

    Parameters
    ----------
    schema : bytes
        Description by skops of the file's content, as JSON of any form.

    Raises
    ------
    TypeError
        If it holds such a thing.
    """
    pending = [json.loads(schema)]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            if each.get("__loader__") in CALLABLE_NODES:
                raise TypeError(f"it holds a {each['__loader__']}, which could be called")
            pending += each.values()
        elif isinstance(each, list):
            pending += each
