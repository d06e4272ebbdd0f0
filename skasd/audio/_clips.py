"""Clips: what can be checked before they are read."""

import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from skasd.exceptions import AudioError

Clips: TypeAlias = "Sequence[str | os.PathLike | ArrayLike | Clip] | np.ndarray"


@dataclass(frozen=True, eq=False)
class Clip:
    """One recording, which remembers what was made of it.

    If several steps or members of an ensemble are handed the same `Clip`, the first one that
    analyzes it does so for all. A pickle holds name and source alone.

    Parameters
    ----------
    name : str
        What errors call it.
    source : str or ndarray
        Path, or samples.
    analyses : dict
        What was made of it, by what that depends on.

    Examples
    --------
    >>> from skasd.audio._clips import Clip
    >>> clip = Clip("clip 0", [1.0, 3.0])
    >>> clip.analyze("peak", lambda: max(clip.source)), clip.analyses
    (3.0, {'peak': 3.0})
    """

    name: str
    source: str | np.ndarray
    analyses: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def analyze(self, key: Hashable, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what `compute` makes of the clip, or what is remembered of it; threads wait."""
        with self._lock:
            if key not in self.analyses:
                self.analyses[key] = compute()
            return self.analyses[key]

    def __reduce__(self) -> Any:
        return Clip, (self.name, self.source)


def check_clips(X: Clips) -> list[Clip]:
    """Check what can be checked without reading a file.

    Parameters
    ----------
    X : clips
        Paths or arrays of samples; a `Clip` stays what it is.

    Returns
    -------
    list of Clip

    Raises
    ------
    AudioError
        If a file is missing, or an array is not one of real numbers in one dimension.
    TypeError
        If `X` is a single clip instead of a sequence of clips.
    ValueError
        If `X` is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio import check_clips
    >>> [clip.name for clip in check_clips(np.zeros((2, 16000)))]
    ['clip 0', 'clip 1']
    """
    check_sequence(X)
    return [check_clip(clip, index) for index, clip in enumerate(X)]


def check_sequence(X: Clips) -> None:
    """Refuse a single clip, and no clips at all, before reading any of them.

    Parameters
    ----------
    X : clips
        Paths or arrays of samples.

    Raises
    ------
    TypeError
        If `X` is a single clip instead of a sequence of clips.
    ValueError
        If `X` is empty.
    """
    single = isinstance(X, str | bytes | os.PathLike) or (
        isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "buifc"
    )
    if single or not hasattr(X, "__len__") or not hasattr(X, "__iter__"):
        raise TypeError(
            f"Expected a sequence of clips, got a single {type(X).__name__}: {X!r:.60}. "
            "Wrap one clip in a list: [clip]."
        )
    if len(X) == 0:
        raise ValueError("Expected at least one clip, got an empty sequence.")


def check_clip(clip: str | os.PathLike | ArrayLike | Clip, index: int) -> Clip:
    """Check what can be checked of one clip without reading a file.

    Parameters
    ----------
    clip : path, array of samples, or Clip
        What a user passed as one.
    index : int
        Its place among the clips.

    Returns
    -------
    Clip

    Raises
    ------
    AudioError
        If the file is missing, or the array is not one of real numbers in one dimension.
    """
    if isinstance(clip, Clip):
        return clip
    if isinstance(clip, str | os.PathLike):
        path = os.fspath(clip)
        if os.path.isdir(path):
            raise AudioError(path, "is a folder", "Pass the files in it.")
        if not os.path.exists(path):
            raise AudioError(path, "does not exist", "Check the path, and the working folder.")
        return Clip(path, path)
    name = f"clip {index}"
    try:
        samples = np.asarray(clip)
    except ValueError:
        raise AudioError(
            name, "is a ragged list", "Pass a path or a 1-D array of samples."
        ) from None
    if samples.ndim != 1 or samples.dtype.kind not in "iuf":
        raise AudioError(
            name,
            f"is a {type(clip).__name__} of shape {samples.shape} and dtype {samples.dtype}",
            "Pass a path or a 1-D array of real samples.",
        )
    return Clip(name, samples)
