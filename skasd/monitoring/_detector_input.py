"""What a detector is to be fed with."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skasd.detection._base import last_step, threshold_of


def check_detector(detector: Any) -> float:
    """Check that a detector is fitted, and return its threshold.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one

    Returns
    -------
    float
        Its `offset_`.

    Raises
    ------
    NotFittedError
        A ValueError: where it is not fitted.
    TypeError
        Where it is no detector.
    """
    last = last_step(detector)
    if isinstance(detector, type) or not hasattr(detector, "score_samples"):
        raise TypeError(
            f"detector={detector!r:.80} has no score_samples. Pass a fitted detector, or a "
            "pipeline that ends with one."
        )
    check_is_fitted(detector)
    if not hasattr(last, "offset_"):
        raise TypeError(
            f"{type(last).__name__} has no offset_, and so no threshold. Pass a detector that has "
            "one, such as those of skasd."
        )
    return -threshold_of(detector)


def find_sample_rate(detector: Any, sample_rate: int) -> int:
    """Return what the detector takes arrays to be sampled at, in Hz.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
    sample_rate : int
        What to return where no step has an `input_sample_rate`.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Where its steps disagree.
    """
    return _only("input_sample_rate", detector, sample_rate)


def find_channel(detector: Any) -> str | int:
    """Return what the detector makes of several channels.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one

    Returns
    -------
    "mean" or int

    Raises
    ------
    ValueError
        Where its steps disagree.
    """
    return _only("channel", detector, "mean")


def check_takes_clips(detector: Any, n_samples: int, sample_rate: int) -> None:
    """Score a noise as long as a window, so that what cannot work is said before the first one.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
    n_samples : int
        Length of a window.
    sample_rate : int
        In Hz.

    Raises
    ------
    ValueError
        Where it cannot be scored.
    """
    noise = np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32)
    try:
        detector.score_samples([noise])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{type(detector).__name__} cannot score a clip of {n_samples / sample_rate:g} s "
            f"({n_samples} samples at {sample_rate} Hz): {error} Pass a detector that was fitted "
            "on clips, and windows that are long enough for it."
        ) from error


def _only(name: str, detector: Any, default: Any) -> Any:
    values = set(_values(name, detector))
    if len(values) > 1:
        raise ValueError(
            f"The detector's steps differ in {name}: {', '.join(map(str, sorted(values, key=str)))}"
            ". A monitor has one stream of samples for all of them."
        )
    return values.pop() if values else default


def _values(name: str, detector: Any) -> Iterator[Any]:
    """Find a parameter in all steps, however deep."""
    if hasattr(detector, "get_params"):
        for key, value in detector.get_params(deep=True).items():
            if key == name or key.endswith(f"__{name}"):
                yield value
