"""What a recording may be that is not a path: samples, with their rate or without; a file."""

import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from skasd.exceptions import AudioError

SAMPLE_RATES = (50, 10_000_000)
"""The lowest and the highest rate that is read, in Hz."""

MOST_CHANNELS = 32
"""More columns than that, and more than rows, are samples in the wrong direction."""

ARRAY_REMEDY = (
    "Pass a path, a 1-D array of real samples, or (rate, samples) with samples of shape "
    "(n_samples,) or (n_samples, n_channels)."
)


class Source(NamedTuple):
    """Where a recording comes from.

    Parameters
    ----------
    name : str
        What errors call it.
    content : bytes or ndarray of shape (n_samples,) or (n_samples, n_channels)
        Content of a file, or samples.
    sample_rate : int or None
        What samples are sampled at, in Hz, if somebody has said so.
    """

    name: str
    content: bytes | np.ndarray
    sample_rate: int | None = None


def is_pair(value: Any) -> bool:
    """Tell whether something is meant as (rate, samples)."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    return isinstance(value[0], Real) and _is_sized(value[1])


def is_single(value: Any) -> bool:
    """Tell whether something is one recording that is neither a path nor an array."""
    if isinstance(value, Mapping):
        return "array" in value or "bytes" in value or "path" in value
    return is_pair(value) or hasattr(value, "read")


def read_source(value: Any, name: str) -> Source:
    """Take what a user has passed as one recording, and is not a path.

    Parameters
    ----------
    value : array of samples, (rate, samples), mapping with "array" or "bytes", or binary file
        A mapping is what Hugging Face's datasets give for a recording.
    name : str
        What errors call it, if it has no name of its own.

    Returns
    -------
    Source

    Raises
    ------
    AudioError
        If it is something else, or its samples or its rate are none.

    Examples
    --------
    >>> from skasd.audio._sources import read_source
    >>> read_source((44100, [0.0, 0.5]), "clip 0")
    Source(name='clip 0', content=array([0. , 0.5]), sample_rate=44100)
    """
    if isinstance(value, Mapping):
        return _read_mapping(value, name)
    if hasattr(value, "read"):
        return _read_file_object(value, name)
    if is_pair(value):
        rate, samples = value
        return Source(name, check_samples(samples, name, channels=True), check_rate(rate, name))
    if isinstance(value, tuple | list) and is_pair(value[::-1]):
        raise AudioError(name, "is a pair of samples and rate", "Pass (rate, samples).")
    return Source(name, check_samples(value, name))


def check_rate(rate: Any, name: str) -> int:
    """Return a sample rate as an int, or raise an AudioError."""
    low, high = SAMPLE_RATES
    is_whole = isinstance(rate, Integral) or (isinstance(rate, Real) and float(rate).is_integer())
    if isinstance(rate, bool) or not is_whole or not low <= rate <= high:
        raise AudioError(
            name,
            f"is given a sample rate of {rate!r}",
            f"Pass whole Hz, from {low} to {high}.",
        )
    return int(rate)


def check_samples(value: Any, name: str, *, channels: bool = False) -> np.ndarray:
    """Return samples as an array, of ints or floats as they are, or raise an AudioError.

    Parameters
    ----------
    value : array-like
        What a user has passed as samples.
    name : str
        What errors call it.
    channels : bool, default=False
        Whether shape (n_samples, n_channels) is allowed.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_channels)

    Raises
    ------
    AudioError
        If they are no real numbers, are ints of 64 bits, or have another shape.
    """
    try:
        samples = np.asarray(value)
    except (ValueError, TypeError, RuntimeError):
        raise AudioError(
            name, f"is a {type(value).__name__} that is no array, or a ragged one", ARRAY_REMEDY
        ) from None
    kind, shape = samples.dtype.kind, samples.shape
    if kind not in "iuf" or samples.ndim not in ((1, 2) if channels else (1,)):
        raise AudioError(
            name,
            f"is a {type(value).__name__} of shape {shape} and dtype {samples.dtype}",
            "Wrap one clip in a list: [clip]." if kind in "iuf" and not shape else ARRAY_REMEDY,
        )
    # No recorder makes them, so that nobody knows what the loudest would be.
    if kind in "iu" and samples.dtype.itemsize == 8:
        raise AudioError(
            name,
            f"holds ints of 64 bits ({type(value).__name__} of {samples.dtype})",
            "Pass the width that was recorded, np.int16 or np.int32, or floats in [-1, 1].",
        )
    if samples.ndim == 2 and samples.shape[1] > max(samples.shape[0], MOST_CHANNELS):
        raise AudioError(
            name,
            f"has {shape[0]} samples of {shape[1]} channels",
            "Pass shape (n_samples, n_channels): samples.T, if the channels come first.",
        )
    return samples


def _read_mapping(value: Mapping[str, Any], name: str) -> Source:
    path = value.get("path")
    name = path if isinstance(path, str) else name
    if value.get("array") is not None and value.get("sampling_rate") is not None:
        samples = check_samples(value["array"], name, channels=True)
        return Source(name, samples, check_rate(value["sampling_rate"], name))
    if isinstance(value.get("bytes"), bytes):
        return Source(name, value["bytes"])
    raise AudioError(
        name,
        f"is a mapping of {', '.join(map(str, value)) or 'nothing'}",
        'Pass {"array": samples, "sampling_rate": rate}, {"bytes": content} or {"path": path}.',
    )


def _read_file_object(file: Any, name: str) -> Source:
    """Read a file from its beginning, wherever it is, and leave it there."""
    own_name = getattr(file, "name", None)
    name = own_name if isinstance(own_name, str) else name
    try:
        position = file.tell()
        file.seek(0)
        content = file.read()
        file.seek(position)
    except (OSError, ValueError, AttributeError) as error:
        raise AudioError(
            name,
            f"is a {type(file).__name__} that cannot be read from its beginning: {error}",
            "Pass io.BytesIO(content), or a path.",
        ) from error
    if not isinstance(content, bytes):
        raise AudioError(
            name,
            f"is a {type(file).__name__} that gives no bytes, but {type(content).__name__}",
            'Open it in the mode "rb", or pass (rate, samples).',
        )
    return Source(name, content)


def _is_sized(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | os.PathLike | Mapping)
