"""Training with Keras: the only file that imports it.

What leaves this file is NumPy arrays; whoever scores needs no Keras.
"""

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import BoundedSemaphore, Lock
from types import ModuleType
from typing import NamedTuple, Self

import numpy as np
from joblib import cpu_count

from skasd.features._training.program import fit_batches
from skasd.features._training.windows import WindowBatches
from skasd.features.openl3._network import Network

MOMENT_BATCHES = 100
"""Batches that give batch normalisation's mean and variance: 51,200 windows by default."""

MOST_IDLE_NETWORKS = 8
"""Compiled networks that are kept for the next training; each takes a few MB."""

CORES_OF_A_TRAINING = 2
"""What a network of this size keeps busy; trainings that have fewer wait for each other."""


class TrainedNetwork(NamedTuple):
    """Dense layers with batch normalisation folded in, and how their training went."""

    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]
    loss_curve: list[float]
    n_parameters: int

    def fold_standardisation(self, batches: WindowBatches) -> Self:
        """Make the network of standardised windows one of windows as they are."""
        first, last = self.coefs[0], self.coefs[-1]
        n_input_frames = len(first) // len(batches.centre)
        n_target_frames = last.shape[1] // len(batches.centre)
        first = first / np.tile(batches.scale, n_input_frames)[:, np.newaxis]
        shift = np.tile(batches.centre, n_input_frames) @ first
        scale = np.tile(batches.scale, n_target_frames)
        centre = np.tile(batches.centre, n_target_frames)
        return self._replace(
            coefs=[first, *self.coefs[1:-1], last * scale],
            intercepts=[
                self.intercepts[0] - shift,
                *self.intercepts[1:-1],
                self.intercepts[-1] * scale + centre,
            ],
        )


def import_keras() -> ModuleType:
    """Import Keras, on JAX unless the user has chosen a backend."""
    if "keras" in sys.modules or "KERAS_BACKEND" in os.environ or _configured_backend():
        import keras

        return keras
    os.environ["KERAS_BACKEND"] = "jax"
    try:
        import keras
    finally:
        os.environ.pop("KERAS_BACKEND", None)
    return keras


def _configured_backend() -> str | None:
    """Return the backend in keras.json, unless it is the one that Keras writes there by itself."""
    folder = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
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
    # Averaged over about the last fifth of the steps, the weights lose the noise of single ones.
    # By powers of two, a network that was compiled for as many clips or so serves again.
    ema_momentum = max(0.0, 1 - 5 / 2 ** round(math.log2(epochs * len(batches))))
    settings = tuple(layer_units), batch_norm, learning_rate, ema_momentum
    with _turns:
        network = _take_idle_network(settings) or _build(keras, *settings)
        _initialise(keras, network, random_state)
        loss_curve = fit_batches(
            keras,
            network,
            batches,
            epochs=epochs,
            learning_rate=learning_rate,
            verbose=verbose,
            stacked=True,
        )
        coefs, intercepts = _fold_batch_norm(keras, network, batches)
        _keep_idle_network(settings, network)
    return TrainedNetwork(coefs, intercepts, loss_curve, network.count_params())


def glorot_uniform(keras, random_state: np.random.RandomState):
    """Return an initialiser with a seed of its own."""
    return keras.initializers.GlorotUniform(int(random_state.randint(np.iinfo(np.int32).max)))


_turns = BoundedSemaphore(max(1, cpu_count() // CORES_OF_A_TRAINING))

_idle_networks = []
"""Compiled networks that nothing trains now, with their settings; the last used last."""
_idle_lock = Lock()


def _take_idle_network(settings: tuple):
    """Return a compiled network of these settings, or None: compiling takes 2 s."""
    with _idle_lock:
        for index, (kept, network) in enumerate(_idle_networks):
            if kept == settings:
                del _idle_networks[index]
                return network
    return None


def _keep_idle_network(settings: tuple, network) -> None:
    with _idle_lock:
        _idle_networks.append((settings, network))
        del _idle_networks[:-MOST_IDLE_NETWORKS]


def _build(keras, layer_units, batch_norm, learning_rate, ema_momentum):
    def dense(units):
        # Keras' own initialiser would draw from Python's global random numbers.
        return keras.layers.Dense(units, kernel_initializer="zeros")

    n_inputs, *hidden_units, n_outputs = layer_units
    network = keras.Sequential([keras.Input((n_inputs,))])
    for units in hidden_units:
        network.add(dense(units))
        if batch_norm:
            # The normalisation takes out whatever a bias puts in: its gradient would be rounding.
            network.layers[-1].bias.trainable = False
            network.add(keras.layers.BatchNormalization())
        network.add(keras.layers.ReLU())
    network.add(dense(n_outputs))
    optimizer = keras.optimizers.Adam(learning_rate, use_ema=True, ema_momentum=ema_momentum)
    optimizer.build(network.trainable_variables)
    network.compile(optimizer=optimizer, loss="mse")
    return network


def _initialise(keras, network, random_state: np.random.RandomState) -> None:
    """Put network and optimizer into the state before the first step."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.kernel.assign(glorot_uniform(keras, random_state)(layer.kernel.shape))
            layer.bias.assign(np.zeros(layer.bias.shape))
        elif isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([np.ones(shape), np.zeros(shape), np.zeros(shape), np.ones(shape)])
    for variable in network.optimizer.variables:
        if variable is not network.optimizer.learning_rate:
            variable.assign(np.zeros(variable.shape))


def _fold_batch_norm(keras, network, batches):
    """Return each dense layer's weights and biases, with its batch normalisation folded in.

    Mean and variance are those of the finished network over training windows (Ioffe and
    Szegedy, ICML 2015, algorithm 2). Keras' moving averages belong to weights that still changed:
    they leave an error above the training loss, another one for each seed.
    """
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    norms = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    coefs, intercepts = map(list, zip(*(layer.get_weights() for layer in dense), strict=True))
    if not norms:
        return coefs, intercepts
    gammas, betas = zip(*(norm.get_weights()[:2] for norm in norms), strict=True)
    means = [np.zeros(len(gamma)) for gamma in gammas]
    variances = [np.zeros(len(gamma)) for gamma in gammas]
    n_batches = min(len(batches), MOMENT_BATCHES)
    for index in range(n_batches):
        activation, _ = batches.without_noise(index)
        for layer, norm in enumerate(norms):
            activation = activation @ coefs[layer] + intercepts[layer]
            mean, variance = activation.mean(axis=0), activation.var(axis=0)
            means[layer] += mean / n_batches
            variances[layer] += variance / n_batches
            scale = gammas[layer] / np.sqrt(variance + norm.epsilon)
            activation = np.maximum((activation - mean) * scale + betas[layer], 0)
    for layer, norm in enumerate(norms):
        scale = gammas[layer] / np.sqrt(variances[layer] + norm.epsilon)
        coefs[layer] = (coefs[layer] * scale).astype(np.float32)
        shifted = (intercepts[layer] - means[layer]) * scale + betas[layer]
        intercepts[layer] = shifted.astype(np.float32)
    return coefs, intercepts


def build_convolutions(network: Network):
    """Build OpenL3's network as a Keras model.

    Parameters
    ----------
    network : Network
        Description of the layers.

    Returns
    -------
    keras.Model
        (n_windows, n_bands, n_frames, 1) → (n_windows, embedding_size).
    """
    keras = import_keras()
    layers = keras.layers
    model = keras.Sequential([keras.Input((*network.input_shape, 1))])
    model.add(layers.Rescaling(network.scale, network.shift))
    for convolution in network.convolutions:
        layer = layers.Conv2D(
            convolution.kernel.shape[-1],
            3,
            padding="same",
            activation="relu" if convolution.relu else None,
        )
        model.add(layer)
        layer.set_weights([convolution.kernel, convolution.bias])
        if convolution.halve:
            model.add(layers.MaxPooling2D())
    model.add(layers.MaxPooling2D(network.pooling, padding="same"))
    model.add(layers.Flatten())
    return model
