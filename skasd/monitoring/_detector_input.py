"""The input that a detector expects."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skasd._steps import first_steps, walk
from skasd.audio._channels import far_channel
from skasd.audio._clips import Clip
from skasd.audio._reading import ASSUMED_RATE, read_clip
from skasd.ensemble._members import share_analyses


def find_sample_rate(detector: Any) -> tuple[int, bool]:
    """Return what a detector takes arrays to be sampled at.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        The detector that listens.

    Returns
    -------
    sample_rate : int
        In Hz.
    is_guess : bool
        Whether nobody has said so, and it matters.

    Raises
    ------
    ValueError
        If its steps disagree.
    """
    is_guess = any(getattr(step, "_guesses_rates", False) for step in first_steps(detector))
    return _only("input_sample_rate", detector, ASSUMED_RATE), is_guess


def find_channels(detector: Any) -> set[str | int]:
    """Return the channels that the steps of a detector analyze: indices, or words."""
    return {step.channel for _, step in walk(detector) if hasattr(step, "channel")}


def find_input(detector: Any) -> Callable[[Clip], Any]:
    """Return a function that turns a clip into what the detector takes.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        The detector that listens.

    Returns
    -------
    callable
        The steps of skasd read clips themselves. Others get an array: of the channel, and at the
        rate, that the detector's steps have as `channel` and `input_sample_rate`, or else of the
        mean of all channels, at the clip's own rate.

    Raises
    ------
    ValueError
        If steps that are not of skasd disagree with others.
    """
    if share_analyses(detector):
        return lambda clip: clip
    rate, channel = _only("input_sample_rate", detector, None), _only("channel", detector, "mean")
    return lambda clip: read_clip(
        clip,
        sample_rate=rate or clip.sample_rate or ASSUMED_RATE,
        channel=channel,
        max_seconds=None,
    )


def check_takes_clips(detector: Any, n_samples: int, sample_rate: int) -> None:
    """Score noise as long as a window, to find out before the first window if that fails.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        The detector that listens.
    n_samples : int
        Length of a window, in samples.
    sample_rate : int
        Sample rate, in Hz.

    Raises
    ------
    ValueError
        If it cannot be scored.
    """
    far = [channel for channel in find_channels(detector) if far_channel(channel) is not None]
    shape = (n_samples, 2) if far else n_samples
    noise = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    try:
        detector.score_samples([find_input(detector)(Clip("noise", noise, sample_rate))])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{type(detector).__name__} cannot score a clip of {n_samples / sample_rate:g} s "
            f"({n_samples} samples at {sample_rate} Hz): {error} Pass a detector that was fitted "
            "on clips, and windows that are long enough for it."
        ) from error


def _only(name: str, detector: Any, default: Any) -> Any:
    # Of any step: one that is not ours may take samples as well.
    values = {getattr(step, name, None) for _, step in walk(detector)} - {None}
    if len(values) > 1:
        raise ValueError(
            f"The detector's steps differ in {name}: {', '.join(map(str, sorted(values, key=str)))}"
            ". A monitor has one stream of samples for all of them."
        )
    return values.pop() if values else default
