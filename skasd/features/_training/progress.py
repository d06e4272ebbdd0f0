"""Watching the loss of each epoch while a network trains."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm


@contextmanager
def watch_epochs(
    epochs: int, *, learning_rate: float, verbose: int
) -> Iterator[tuple[list[float], Callable[[float], None]]]:
    """Collect the losses of epochs, show them, and stop if training diverges.

    Parameters
    ----------
    epochs : int
        Number of epochs.
    learning_rate : float
        Named in the message if training diverges.
    verbose : int
        Whether to show a progress bar.

    Yields
    ------
    loss_curve : list of float
        The losses so far.
    after_epoch : callable
        Called with the loss of an epoch; raises a ValueError if it is not finite.
    """
    loss_curve: list[float] = []
    with tqdm(total=epochs, unit="epoch", disable=not verbose) as bar:

        def after_epoch(loss: float) -> None:
            loss_curve.append(loss)
            if not math.isfinite(loss):
                raise ValueError(
                    f"Training diverged: the loss in epoch {len(loss_curve)} is {loss}. "
                    f"Lower learning_rate={learning_rate}."
                )
            bar.set_postfix(loss=f"{loss:.4g}")
            bar.update()

        yield loss_curve, after_epoch
