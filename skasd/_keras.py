"""Training with Keras: the only file that imports it.

What leaves this file is NumPy arrays; whoever scores needs no Keras.
"""

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from skasd._windows import WindowBatches


class TrainedNetwork(NamedTuple):
    """Dense layers with batch normalisation folded in, and how their training went."""

    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]
    loss_curve: list[float]
    n_parameters: int


def import_keras() -> ModuleType:
    """Import Keras, on JAX unless the user has chosen a backend."""
    if "keras" in sys.modules or "KERAS_BACKEND" in os.environ or _configured_backend():
        import keras

        return keras
    os.environ["KERAS_BACKEND"] = "jax"
    try:
        import keras
    finally:
        del os.environ["KERAS_BACKEND"]
    return keras


def _configured_backend() -> str | None:
    """Return the backend in keras.json, unless it is the one that Keras writes there by itself."""
    folder = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        backend = json.loads(Path(folder, "keras.json").read_text()).get("backend")
    except (OSError, ValueError):
        return None
    return None if backend == "tensorflow" else backend


def train_dense_network(
    batches: WindowBatches,
    layer_units: Sequence[int],
    *,
    batch_norm: bool,
    learning_rate: float,
    epochs: int,
    random_state: np.random.RandomState,
    verbose: int,
) -> TrainedNetwork:
    """Train dense layers on the mean squared error with Adam.

    Parameters
    ----------
    batches : WindowBatches
        Pairs of input and target of shapes (batch, n_inputs) and (batch, n_outputs).
    layer_units : sequence of int
        Units of the input, of each hidden layer, and of the output.
    batch_norm : bool
        Whether a batch normalisation stands between each hidden layer and its ReLU.
    learning_rate : float
        Adam's.
    epochs : int
        Passes over the windows.
    random_state : RandomState
        Source of the initial weights; nothing global is seeded.
    verbose : int
        Whether to show a progress bar over epochs.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    ValueError
        Where the loss is not finite in some epoch.
    """
    keras = import_keras()
    network = _build(keras, batches, layer_units, batch_norm, epochs, random_state)
    network.compile(optimizer=keras.optimizers.Adam(learning_rate), loss="mse")

    class Windows(keras.utils.PyDataset):
        def __len__(self):
            return len(batches)

        def __getitem__(self, index):
            return batches[index]

        def on_epoch_end(self):
            batches.shuffle()

    with tqdm(total=epochs, unit="epoch", disable=not verbose) as progress:

        def after_epoch(epoch, logs):
            if not math.isfinite(logs["loss"]):
                raise ValueError(
                    f"The training diverged: its loss in epoch {epoch + 1} is {logs['loss']}. "
                    f"Lower learning_rate={learning_rate}, or set batch_norm=True."
                )
            progress.set_postfix(loss=f"{logs['loss']:.4g}")
            progress.update()

        # Keras would shuffle the batches from Python's global random numbers.
        history = network.fit(
            Windows(),
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=after_epoch)],
        )
    coefs, intercepts = _fold(keras, network)
    return TrainedNetwork(coefs, intercepts, history.history["loss"], network.count_params())


def _build(keras, batches, layer_units, batch_norm, epochs, random_state):
    # The moving averages start at 0 and 1: in a short training they must forget that faster.
    momentum = min(0.99, max(0.0, 1 - 10 / (epochs * len(batches))))

    def dense(units):
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        return keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed))

    n_inputs, *hidden_units, n_outputs = layer_units
    network = keras.Sequential([keras.Input((n_inputs,))])
    for units in hidden_units:
        network.add(dense(units))
        if batch_norm:
            network.add(keras.layers.BatchNormalization(momentum=momentum))
        network.add(keras.layers.ReLU())
    network.add(dense(n_outputs))
    return network


def _fold(keras, network):
    """Return the dense layers' weights, each with the batch normalisation behind it folded in."""
    coefs, intercepts = [], []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            coefs.append(kernel)
            intercepts.append(bias)
        elif isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            scale = gamma / np.sqrt(variance + layer.epsilon)
            coefs[-1] = coefs[-1] * scale
            intercepts[-1] = (intercepts[-1] - mean) * scale + beta
    return coefs, intercepts
