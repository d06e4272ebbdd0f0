"""A compiled network as a pure function: initial values and batches in, trained values out."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from threading import Lock
from typing import Any

import numpy as np

from skasd.features._training.backend import import_keras, runs_on_jax

STACK_BYTES = 2**24
"""Size of the batches that JAX is given at a time; a call for each would take a fifth longer."""

Values = Mapping[int, np.ndarray]
"""The id of a Keras variable → its value."""


class Program:
    """Training of one compiled network, as many times as needed.

    On JAX, nothing is kept in the network: its variables pass through the compiled steps as arrays,
    and several threads can train at the same time. On other backends, the variables are in the
    network, and trainings take turns.

    Parameters
    ----------
    network : keras.Model
        Built and compiled. The caller refers to its variables by their ids.
    """

    def __init__(self, network: Any):
        self.network = network
        self._lock = Lock()
        self._steps = _compile_steps(network) if runs_on_jax() else None

    def train(
        self, initial: Values, batches: Any, epochs: int, after_epoch: Callable[[float], None]
    ) -> Values:
        """Train the network on batches, which can be indexed and shuffled.

        Parameters
        ----------
        initial : mapping of int to ndarray
            Initial value of each variable, by its id. Optimizer variables that are missing start at
            0, except for the learning rate.
        batches : sequence
            Pairs of inputs and targets.
        epochs : int
            Passes over the batches.
        after_epoch : callable
            Called with the mean loss of each epoch.

        Returns
        -------
        mapping of int to ndarray
            Value of each variable of the network after the last step, or its average if the
            optimizer keeps averages.
        """
        start = self._start(initial)
        if self._steps is not None:
            return self._train_on_jax(self._steps, start, batches, epochs, after_epoch)
        with self._lock:
            return self._train_in_keras(start, batches, epochs, after_epoch)

    def _groups(self) -> tuple[list[Any], ...]:
        """Return the variables in the order of the state that Keras' steps pass on."""
        return (
            self.network.trainable_variables,
            self.network.non_trainable_variables,
            self.network.optimizer.variables,
            self.network.metrics_variables,
        )

    def _start(self, initial: Values) -> dict[int, np.ndarray]:
        rate = self.network.optimizer.learning_rate
        start = {
            id(variable): np.zeros(variable.shape, str(variable.dtype))
            for variable in chain(*self._groups())
        }
        return {**start, id(rate): np.asarray(rate), **initial}

    def _train_on_jax(
        self,
        steps: Callable[..., Any],
        start: Values,
        batches: Any,
        epochs: int,
        after_epoch: Callable[[float], None],
    ) -> Values:
        """Do what Keras' `fit` does, with many steps in each compiled call."""
        import jax
        import jax.numpy as jnp

        groups = self._groups()
        state = tuple([jnp.asarray(start[id(variable)]) for variable in group] for group in groups)
        for _ in range(epochs):
            batches.shuffle()
            state = (*state[:3], [jnp.zeros_like(value) for value in state[3]])
            for inputs, targets, n_steps in _stacks(batches):
                # Wait here: the next stack is made in a thread, which JAX's own threads would leave
                # no core.
                state = jax.block_until_ready(steps(state, inputs, targets, n_steps))
            total, count = (np.asarray(value) for value in state[3])
            after_epoch(float(total / count))
        values = {
            id(variable): np.asarray(value)
            for variable, value in zip(chain(*groups), chain(*state), strict=True)
        }
        averages = self.network.optimizer._model_variables_moving_average
        for variable, average in zip(groups[0], averages, strict=True):
            values[id(variable)] = values[id(average)]
        return values

    def _train_in_keras(
        self, start: Values, batches: Any, epochs: int, after_epoch: Callable[[float], None]
    ) -> Values:
        groups = self._groups()
        for variable in chain(*groups):
            variable.assign(start[id(variable)])
        fit_in_keras(self.network, batches, epochs, after_epoch)
        to_numpy = import_keras().ops.convert_to_numpy
        return {id(variable): np.array(to_numpy(variable)) for variable in chain(*groups)}


def fit_in_keras(
    network: Any, batches: Any, epochs: int, after_epoch: Callable[[float], None]
) -> None:
    """Train a network by Keras' own `fit`, which leaves the trained values in it."""
    keras = import_keras()

    class Dataset(keras.utils.PyDataset):  # type: ignore[name-defined]
        def __len__(self) -> int:
            return len(self.batches)

        def __getitem__(self, index: int) -> Any:
            return self.batches[index]

        def on_epoch_end(self) -> None:
            self.batches.shuffle()

    dataset = Dataset()
    dataset.batches = batches
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: after_epoch(logs["loss"])
    )
    # Keras would shuffle the batches from Python's global random numbers.
    network.fit(dataset, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback])
    # Keras and the class above stay alive in reference cycles, and would keep all frames alive.
    del dataset.batches


def _compile_steps(network: Any) -> Callable[..., Any]:
    """Return a function that takes several of Keras' training steps."""
    import jax

    def train_steps(state: Any, inputs: Any, targets: Any, n_steps: int) -> Any:
        def step(index: int, state: Any) -> Any:
            _, state = network.train_step(state, (inputs[index], targets[index]))
            return state

        return jax.lax.fori_loop(0, n_steps, step, state)

    return jax.jit(train_steps, donate_argnums=0)


def _stacks(batches: Any) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield arrays of many batches, of one size throughout, and how many batches are in each."""
    parts = batches[0]
    size = max(1, STACK_BYTES // sum(part.nbytes for part in parts))
    inputs, targets = (np.empty((size, *part.shape), part.dtype) for part in parts)
    for start in range(0, len(batches), size):
        n_batches = min(size, len(batches) - start)
        for i in range(n_batches):
            inputs[i], targets[i] = batches[start + i]
        yield inputs, targets, n_batches
