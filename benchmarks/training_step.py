"""What a training step of the autoencoder is made of: ``python -m benchmarks.training_step``.

The limit is what the step's products take at the speed of a large float32 product: forward, and
backward by the weights and, but for the first layer, by the activations. Beside it stand the same
products alone, in XLA and in NumPy; steps that lack a part, which tell what that part takes; and
what is done for a step in NumPy. Two trainings side by side tell what a single one leaves unused.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from benchmarks.iae_fit import HIDDEN_UNITS, N_MELS
from benchmarks.measure import Row, milliseconds_of, product_gflops, run
from skasd.features._training.backend import import_keras
from skasd.features._training.program import Program, _stacks
from skasd.features._training.windows import WindowBatches

BATCH_SIZE, N_STEPS, REPEATS = 512, 13, 15
UNITS = (4 * N_MELS, *HIDDEN_UNITS, N_MELS)
WEIGHTS = [n * m for n, m in pairwise(UNITS)]
GFLOP_PER_STEP = 2 * BATCH_SIZE * (3 * sum(WEIGHTS) - WEIGHTS[0]) / 1e9


def fastest(call: Callable[[], object]) -> float:
    """Return the milliseconds of the fastest call."""
    return min(milliseconds_of(call, n_first=1, n=REPEATS))


def program(*, batch_norm: bool = True, adam: bool = True, average: bool = True) -> Program:
    """Compile the network that `InterpolationAutoencoder` trains, or one that lacks a part."""
    keras = import_keras()
    layers = [keras.Input((UNITS[0],))]
    for units in HIDDEN_UNITS:
        layers.append(keras.layers.Dense(units))
        if batch_norm:
            layers.append(keras.layers.BatchNormalization())
        layers.append(keras.layers.ReLU())
    network = keras.Sequential([*layers, keras.layers.Dense(N_MELS)])
    kind = keras.optimizers.Adam if adam else keras.optimizers.SGD
    optimizer = kind(1e-3, use_ema=average, ema_momentum=0.99)
    optimizer.build(network.trainable_variables)
    network.compile(optimizer=optimizer, loss="mse")
    return Program(network)


def trainer(compiled: Program) -> Callable[[], None]:
    """Return a call that takes `N_STEPS` steps."""
    import jax

    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((N_STEPS, BATCH_SIZE, UNITS[0]), dtype=np.float32)
    targets = rng.standard_normal((N_STEPS, BATCH_SIZE, N_MELS), dtype=np.float32)
    start = compiled._start({})
    state = tuple(
        [jax.numpy.asarray(start[id(each)]) for each in group] for group in compiled._groups()
    )

    def train() -> None:
        nonlocal state
        state = jax.block_until_ready(compiled._steps(state, inputs, targets, N_STEPS))

    return train


def side_by_side(compiled: Program) -> Callable[[], None]:
    """Return a call that takes `N_STEPS` steps of either of two networks, in two threads."""
    trainers = [trainer(compiled), trainer(compiled)]

    def train() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda each: each(), trainers))

    return train


def weights_and_inputs() -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape, dtype=np.float32) for shape in pairwise(UNITS)]
    return weights, rng.standard_normal((BATCH_SIZE, UNITS[0]), dtype=np.float32)


def products_in_xla() -> Callable[[], object]:
    import jax

    weights, inputs = weights_and_inputs()

    def loss(weights):
        activation = inputs
        for each in weights:
            activation = activation @ each
        return (activation**2).mean()

    gradient = jax.jit(jax.grad(loss))
    return lambda: jax.block_until_ready(gradient(weights))


def products_in_numpy() -> Callable[[], object]:
    weights, inputs = weights_and_inputs()

    def compute() -> None:
        activations = [inputs]
        for each in weights:
            activations.append(activations[-1] @ each)
        gradient = activations.pop()
        for layer in reversed(range(len(weights))):
            activations[layer].T @ gradient
            if layer:
                gradient = gradient @ weights[layer].T

    return compute


def batches(*, input_noise: float) -> WindowBatches:
    rng = np.random.default_rng(0)
    return WindowBatches(
        [rng.standard_normal((304, N_MELS), dtype=np.float32) for _ in range(100)],
        n_frames=5,
        input_frames=[0, 1, 3, 4],
        target_frames=[2],
        batch_size=BATCH_SIZE,
        standardize=True,
        input_noise=input_noise,
        random_state=np.random.RandomState(0),
    )


def in_numpy(*, input_noise: float) -> float:
    """Return the milliseconds to gather a step's windows."""
    windows = batches(input_noise=input_noise)
    return fastest(lambda: list(_stacks(windows))) / len(windows)


def rows() -> Iterator[Row]:
    """Measure all parts."""
    limit = 1e3 * GFLOP_PER_STEP / product_gflops()
    whole = program()
    milliseconds = {
        "a step in XLA": fastest(trainer(whole)) / N_STEPS,
        "two steps side by side, each": fastest(side_by_side(whole)) / N_STEPS / 2,
        "without averages of the weights": fastest(trainer(program(average=False))) / N_STEPS,
        "with SGD in place of Adam": fastest(trainer(program(adam=False))) / N_STEPS,
        "without batch normalization": fastest(trainer(program(batch_norm=False))) / N_STEPS,
        "its products alone, in XLA": fastest(products_in_xla()),
        "its products alone, in NumPy": fastest(products_in_numpy()),
        "gathering its windows, in NumPy": in_numpy(input_noise=0.0),
        "gathering them and adding noise": in_numpy(input_noise=0.5),
    }
    for what, value in milliseconds.items():
        yield Row(
            part="a",
            what=f"training step, {what}",
            value=value,
            unit="ms",
            ratio=value / limit,
            ratio_of="of its products at full speed",
        )


if __name__ == "__main__":
    run(__doc__, rows)
