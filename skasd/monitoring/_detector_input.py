"""The input that a detector expects."""

from typing import Any

import numpy as np

from skasd._steps import training_recordings, walk
from skasd.audio._clips import check_clips


def find_sample_rate(detector: Any, sample_rate: int) -> int:
    """Return the sample rate, in Hz, that the detector assumes for arrays.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        What listens.
    sample_rate : int
        What to return if no step has an `input_sample_rate`.

    Returns
    -------
    int
        The sample rate, in Hz.

    Raises
    ------
    ValueError
        If its steps disagree.
    """
    return _only("input_sample_rate", detector, sample_rate)


def find_channel(detector: Any) -> str | int:
    """Return the channel that the detector analyzes.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        What listens.

    Returns
    -------
    "mean" or int
        The index of the channel, or ``"mean"`` for the mean of all channels.

    Raises
    ------
    ValueError
        If its steps disagree.
    """
    return _only("channel", detector, "mean")


def check_takes_clips(detector: Any, n_samples: int, sample_rate: int) -> None:
    """Score noise as long as a window, to find out before the first window if that fails.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        What listens.
    n_samples : int
        Length of a window, in samples.
    sample_rate : int
        Sample rate, in Hz.

    Raises
    ------
    ValueError
        If it cannot be scored.
    """
    noise = np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32)
    try:
        clips = [noise] if training_recordings(detector) is None else check_clips([noise])
        detector.score_samples(clips)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{type(detector).__name__} cannot score a clip of {n_samples / sample_rate:g} s "
            f"({n_samples} samples at {sample_rate} Hz): {error} Pass a detector that was fitted "
            "on clips, and windows that are long enough for it."
        ) from error


def _only(name: str, detector: Any, default: Any) -> Any:
    # Of any step: one that is not ours may take samples as well.
    values = {getattr(step, name) for _, step in walk(detector) if hasattr(step, name)}
    if len(values) > 1:
        raise ValueError(
            f"The detector's steps differ in {name}: {', '.join(map(str, sorted(values, key=str)))}"
            ". A monitor has one stream of samples for all of them."
        )
    return values.pop() if values else default
