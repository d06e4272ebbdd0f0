"""The loop of training: batches into a compiled Keras network, epoch by epoch."""

import math
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
from tqdm.auto import tqdm

STACK_BYTES = 2**24
"""Size of the batches that JAX is handed at a time: a call for each would take a fifth longer."""


def fit_batches(
    keras, network, batches, *, epochs, learning_rate, verbose, stacked=False
) -> list[float]:
    """Train a compiled network on batches, which can be indexed and shuffled.

    Where they are `stacked`, JAX takes many steps in a call: a fifth faster for dense layers, but
    ten times slower for convolutions on a CPU.

    Returns the loss of each epoch; raises a ValueError where it is not finite.
    """
    on_jax = stacked and keras.backend.backend() == "jax"
    run_epochs = _run_on_jax if on_jax else _run_in_keras
    loss_curve = []
    with tqdm(total=epochs, unit="epoch", disable=not verbose) as progress:

        def after_epoch(loss: float) -> None:
            loss_curve.append(loss)
            if not math.isfinite(loss):
                raise ValueError(
                    f"The training diverged: its loss in epoch {len(loss_curve)} is {loss}. "
                    f"Lower learning_rate={learning_rate}."
                )
            progress.set_postfix(loss=f"{loss:.4g}")
            progress.update()

        run_epochs(keras, network, batches, epochs, after_epoch)
    return loss_curve


def _run_in_keras(keras, network, batches, epochs: int, after_epoch: Callable) -> None:
    class Dataset(keras.utils.PyDataset):
        def __len__(self):
            return len(self.batches)

        def __getitem__(self, index):
            return self.batches[index]

        def on_epoch_end(self):
            self.batches.shuffle()

    dataset = Dataset()
    dataset.batches = batches
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: after_epoch(logs["loss"])
    )
    # Keras would shuffle the batches from Python's global random numbers.
    network.fit(dataset, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback])
    # Keras and the class above live on in cycles, and with them all frames would.
    del dataset.batches


def _run_on_jax(keras, network, batches, epochs: int, after_epoch: Callable) -> None:
    """Do what Keras' `fit` does, with many steps in each compiled call."""
    import jax

    if not hasattr(network, "train_steps"):
        network.train_steps = _compile_steps(network)
    network.optimizer.build(network.trainable_variables)
    variables = (
        network.trainable_variables,
        network.non_trainable_variables,
        network.optimizer.variables,
        network.metrics_variables,
    )
    for _ in range(epochs):
        batches.shuffle()
        network.reset_metrics()
        state = tuple([variable.value for variable in group] for group in variables)
        for inputs, targets, n_steps in _stacks(batches):
            # Waited for: the next stack takes its place, in a thread that JAX's leave no core for.
            state = jax.block_until_ready(network.train_steps(state, inputs, targets, n_steps))
        for variable, value in zip(chain(*variables), chain(*state), strict=True):
            variable.assign(value)
        after_epoch(float(network.get_metrics_result()["loss"]))
    network.optimizer.finalize_variable_values(network.trainable_variables)


def _compile_steps(network) -> Callable:
    """Return a function that takes several of Keras' training steps."""
    import jax

    def train_steps(state, inputs, targets, n_steps):
        def step(index, state):
            _, state = network.train_step(state, (inputs[index], targets[index]))
            return state

        return jax.lax.fori_loop(0, n_steps, step, state)

    return jax.jit(train_steps, donate_argnums=0)


def _stacks(batches) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield many batches in one array, the same each time, and how many they are."""
    parts = batches[0]
    size = max(1, STACK_BYTES // sum(part.nbytes for part in parts))
    inputs, targets = (np.empty((size, *part.shape), part.dtype) for part in parts)
    for start in range(0, len(batches), size):
        n_batches = min(size, len(batches) - start)
        for i in range(n_batches):
            inputs[i], targets[i] = batches[start + i]
        yield inputs, targets, n_batches
