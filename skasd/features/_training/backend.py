"""Keras and its backend; no other module imports Keras."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from skasd._utils.packages import needed_for


def import_keras() -> Any:
    """Import Keras, on JAX unless the user has chosen a backend."""
    with needed_for("Training, or engine='keras',"):
        if "keras" in sys.modules or "KERAS_BACKEND" in os.environ or configured_backend():
            import keras

            return keras
        os.environ["KERAS_BACKEND"] = "jax"
        try:
            import keras
        finally:
            os.environ.pop("KERAS_BACKEND", None)
        return keras


def configured_backend() -> str | None:
    """Return the backend in keras.json, unless it is the default that Keras itself writes there."""
    folder = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    try:
        backend = json.loads(Path(folder, "keras.json").read_text()).get("backend")
    except (OSError, ValueError):
        return None
    return None if backend == "tensorflow" else backend


def runs_on_jax() -> bool:
    """Tell whether Keras runs on JAX."""
    return import_keras().backend.backend() == "jax"


def glorot_uniform(random_state: np.random.RandomState) -> Any:
    """Return a Keras initializer with a seed of its own."""
    seed = int(random_state.randint(np.iinfo(np.int32).max))
    return import_keras().initializers.GlorotUniform(seed)
