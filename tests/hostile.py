"""Files that `skasd.save` would not write."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline

from skasd import FeatureDetector, InterpolationAutoencoder
from skasd.persistence._archive import pack, unpack
from skasd.persistence._container import write_archive
from skasd.persistence._model_info import ModelInfo, installed_versions

DATA = Path(__file__).parent / "data"

INFO = ModelInfo(
    detector="FeatureDetector",
    created="2026-01-01T00:00:00+00:00",
    versions=installed_versions(),
    settings={},
    n_clips=3,
    threshold=0.0,
    training_quantiles=None,
    check_scores=[0.0, 0.0],
)


def write_unchecked(detector, path, **info):
    """Write what a detector holds, whatever it is; return the description."""
    description = json.dumps({**dataclasses.asdict(INFO), **info}).encode()
    if path is not None:
        members = {**unpack(skops.io.dumps(detector)), "skasd.json": description}
        write_archive(path, pack(members))
    return description


def make_small_detector():
    """Return a pipeline of an autoencoder, fitted on spectrograms."""
    spectrograms = np.random.default_rng(0).normal(size=(6, 20, 4))
    autoencoder = InterpolationAutoencoder((3, 2), epochs=1, random_state=0)
    return Pipeline([("autoencoder", autoencoder), ("detector", FeatureDetector())]).fit(
        spectrograms
    )


def all_nodes(schema):
    """Yield every dictionary in a JSON value."""
    pending = [schema]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield each
            pending += each.values()
        elif isinstance(each, list):
            pending += each
