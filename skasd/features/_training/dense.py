"""Training of dense layers.

Only NumPy arrays leave this module, so scoring needs no Keras.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from threading import BoundedSemaphore, Lock
from typing import Any, NamedTuple, Self

import numpy as np
from joblib import cpu_count

from skasd.features._batch_norm import scale_and_shift
from skasd.features._training.backend import glorot_uniform, import_keras
from skasd.features._training.program import Program, Values
from skasd.features._training.progress import watch_epochs
from skasd.features._training.windows import WindowBatches

MOMENT_BATCHES = 100
"""Batches from which batch norm takes its mean and variance: 51,200 windows by default."""

MOST_PROGRAMS = 8
"""Number of compiled networks to keep for the next training; each takes a few MB."""


class TrainedNetwork(NamedTuple):
    """Dense layers with batch normalization folded in, and how their training went."""

    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]
    loss_curve: list[float]
    n_parameters: int

    def fold_standardization(self, batches: WindowBatches) -> Self:
        """Turn a network for standardized windows into one for windows as they are."""
        first, last = self.coefs[0], self.coefs[-1]
        n_input_frames = len(first) // len(batches.center)
        n_target_frames = last.shape[1] // len(batches.center)
        first = first / np.tile(batches.scale, n_input_frames)[:, np.newaxis]
        shift = np.tile(batches.center, n_input_frames) @ first
        scale = np.tile(batches.scale, n_target_frames)
        center = np.tile(batches.center, n_target_frames)
        return self._replace(
            coefs=[first, *self.coefs[1:-1], last * scale],
            intercepts=[
                self.intercepts[0] - shift,
                *self.intercepts[1:-1],
                self.intercepts[-1] * scale + center,
            ],
        )


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
        Whether each hidden layer has a batch normalization before its ReLU.
    learning_rate : float
        Learning rate of Adam.
    epochs : int
        Passes over the windows.
    random_state : RandomState
        Source of the initial weights. No global seed is set.
    verbose : int
        Whether to show a progress bar over epochs.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    ValueError
        If the loss of an epoch is not finite.
    """
    # Averaging weights over about the last fifth of the steps removes the noise of single steps.
    # Powers of two let a compiled network be reused for a similar number of clips.
    ema_momentum = max(0.0, 1 - 5 / 2 ** round(math.log2(epochs * len(batches))))
    with _turns, watch_epochs(epochs, learning_rate=learning_rate, verbose=verbose) as watched:
        loss_curve, after_epoch = watched
        with _compiling:
            program = _program(tuple(layer_units), batch_norm, learning_rate, ema_momentum)
        initial = _initial_values(program.network, random_state)
        values = program.train(initial, batches, epochs, after_epoch)
        coefs, intercepts = _fold_batch_norm(program.network, values, batches)
    return TrainedNetwork(coefs, intercepts, loss_curve, program.network.count_params())


# On two cores, two trainings at a time take a seventh less than one after the other.
_turns = BoundedSemaphore(cpu_count())
_compiling = Lock()


@lru_cache(MOST_PROGRAMS)
def _program(
    layer_units: tuple[int, ...], batch_norm: bool, learning_rate: float, ema_momentum: float
) -> Program:
    """Build and compile a network once for all trainings with the same settings."""
    keras = import_keras()

    def dense(units: int) -> Any:
        # Keras' own initializer would draw from Python's global random numbers.
        return keras.layers.Dense(units, kernel_initializer="zeros")

    n_inputs, *hidden_units, n_outputs = layer_units
    network = keras.Sequential([keras.Input((n_inputs,))])
    for units in hidden_units:
        network.add(dense(units))
        if batch_norm:
            # The normalization cancels any bias: its gradient would be rounding error.
            network.layers[-1].bias.trainable = False
            network.add(keras.layers.BatchNormalization())
        network.add(keras.layers.ReLU())
    network.add(dense(n_outputs))
    optimizer = keras.optimizers.Adam(learning_rate, use_ema=True, ema_momentum=ema_momentum)
    optimizer.build(network.trainable_variables)
    network.compile(optimizer=optimizer, loss="mse")
    return Program(network)


def _initial_values(network: Any, random_state: np.random.RandomState) -> Values:
    """Draw the kernels; everything not returned here starts at 0."""
    keras, values = import_keras(), {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel = glorot_uniform(random_state)(layer.kernel.shape)
            values[id(layer.kernel)] = np.asarray(keras.ops.convert_to_numpy(kernel))
        elif isinstance(layer, keras.layers.BatchNormalization):
            ones = np.ones(layer.gamma.shape, np.float32)
            values |= {id(layer.gamma): ones, id(layer.moving_variance): ones}
    return values


def _fold_batch_norm(
    network: Any, values: Values, batches: WindowBatches
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return each dense layer's weights and biases, with its batch normalization folded in.

    Mean and variance are those of the finished network over training windows (Ioffe and Szegedy,
    ICML 2015, algorithm 2). Keras' moving averages come from weights that were still changing; they
    leave an error above the training loss, and one that differs between seeds.
    """
    keras = import_keras()
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    norms = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    coefs = [values[id(layer.kernel)] for layer in dense]
    intercepts = [values[id(layer.bias)] for layer in dense]
    gammas = [values[id(norm.gamma)] for norm in norms]
    betas = [values[id(norm.beta)] for norm in norms]
    means = [np.zeros(len(gamma)) for gamma in gammas]
    variances = [np.zeros(len(gamma)) for gamma in gammas]
    n_batches = min(len(batches), MOMENT_BATCHES) if norms else 0
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
        scale, shift = scale_and_shift(
            gammas[layer], betas[layer], means[layer], variances[layer], norm.epsilon
        )
        coefs[layer] = (coefs[layer] * scale).astype(np.float32)
        intercepts[layer] = (intercepts[layer] * scale + shift).astype(np.float32)
    return coefs, intercepts
