"""Former places of public names, so that old model files and pickles can still be loaded."""

import sys
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

MOVED = {
    "skasd._saved_detectors.SavedDetectors": "skasd.ensemble._saved_detectors",
    "skasd.autoencoder.frame.FrameAutoencoder": "skasd",
    "skasd.autoencoder.interpolation.InterpolationAutoencoder": "skasd",
    "skasd.detection.feature.FeatureDetector": "skasd",
    "skasd.detection.mixture.GaussianMixtureDetector": "skasd",
    "skasd.detection.neighbors.NearestNeighborsDetector": "skasd",
    "skasd.ensemble.RepeatedSeedEnsemble": "skasd",
    "skasd.fleet.FleetDetector": "skasd",
    "skasd.fusion.FusionDetector": "skasd",
    "skasd.machine_id.MachineIDEmbedding": "skasd",
    "skasd.openl3.embedding.OpenL3Embedding": "skasd",
    "skasd.persistence.model_file.load": "skasd",
    "skasd.pooling.TimeWeightedPooling": "skasd",
    "skasd.projection.PrincipalComponents": "skasd",
    "skasd.spectrogram.LogMelSpectrogram": "skasd",
}
"""Name in model files and pickles of version 0.1.0.dev0 → the module that has it now."""

STILL_THERE = "skasd.ensemble"
"""A module that still exists, and has its names."""


def register_old_modules() -> None:
    r"""Register modules that no longer exist, with the names that old files import from them.

    Examples
    --------
    >>> import pickle
    >>> pickle.loads(b"cskasd.detection.mixture\nGaussianMixtureDetector\n.")
    <class 'skasd.GaussianMixtureDetector'>
    """
    places: dict[str, dict[str, str]] = {}
    for old, place in MOVED.items():
        module, _, name = old.rpartition(".")
        if module == STILL_THERE:
            continue
        places.setdefault(module, {})[name] = place
    for module, names in places.items():
        stand_in = sys.modules.setdefault(module, ModuleType(module))
        vars(stand_in)["__getattr__"] = partial(_find, names)


def _find(places: Mapping[str, str], name: str) -> Any:
    if name not in places:
        raise AttributeError(f"There is no {name} any more.")
    return getattr(import_module(places[name]), name)
