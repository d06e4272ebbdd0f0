"""Clips: what can be checked before they are read."""

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from skasd._sklearn import safe_indexing
from skasd.audio._sources import is_single, read_source
from skasd.exceptions import AudioError

Clips: TypeAlias = (
    "Sequence[str | os.PathLike | ArrayLike | Mapping | BinaryIO | Clip] | np.ndarray"
)


@dataclass(frozen=True, eq=False)
class Clip:
    """One recording, which remembers what was made of it.

    If several steps or members of an ensemble are handed the same `Clip`, the first one that
    analyzes it does so for all. A pickle holds name, source and rate alone.

    Parameters
    ----------
    name : str
        What errors call it.
    source : str, bytes, or ndarray of shape (n_samples,) or (n_samples, n_channels)
        Path, content of a file, or samples.
    sample_rate : int or None, default=None
        What samples are sampled at, in Hz; None if nobody has said so. A file says so itself.
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
    source: str | bytes | np.ndarray
    sample_rate: int | None = None
    analyses: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    @property
    def lacks_rate(self) -> bool:
        """Whether it is samples whose sample rate is unknown."""
        return isinstance(self.source, np.ndarray) and self.sample_rate is None

    def analyze(self, key: Hashable, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what `compute` makes of the clip, or what is remembered of it; threads wait."""
        with self._lock:
            if key not in self.analyses:
                self.analyses[key] = compute()
            return self.analyses[key]

    def __reduce__(self) -> Any:
        return Clip, (self.name, self.source, self.sample_rate)


def check_clips(X: Clips) -> list[Clip]:
    """Check what can be checked without decoding a file.

    Parameters
    ----------
    X : clips
        Each is a path, a 1-D array of samples, ``(rate, samples)`` with samples of shape
        (n_samples,) or (n_samples, n_channels), a mapping as Hugging Face's datasets give it
        (``{"array": samples, "sampling_rate": rate}``), or an open binary file. A `Clip` stays
        what it is. A table of one column is a column of clips.

    Returns
    -------
    list of Clip

    Raises
    ------
    AudioError
        If a file is missing, or samples or their rate are none.
    TypeError
        If `X` is a single clip instead of a sequence of clips, or has no order.
    ValueError
        If `X` is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio import check_clips
    >>> [clip.name for clip in check_clips(np.zeros((2, 16000)))]
    ['clip 0', 'clip 1']
    >>> (clip,) = check_clips([(48000, np.zeros((96000, 2), dtype=np.int16))])
    >>> clip.sample_rate
    48000
    """
    check_sequence(X)
    return [check_clip(clip, index) for index, clip in enumerate(iterate_clips(X))]


def check_sequence(X: Clips) -> None:
    """Refuse a single clip, what has no order, and no clips at all, before reading any of them.

    Parameters
    ----------
    X : clips
        Paths or arrays of samples.

    Raises
    ------
    TypeError
        If `X` is a single clip instead of a sequence of clips, or has no order.
    ValueError
        If `X` is empty.
    """
    kind = type(X).__name__
    if isinstance(X, str | os.PathLike) and os.path.isdir(X):
        raise TypeError(
            f"Expected a sequence of clips, got the folder {os.fspath(X)!r}. Pass the files in it: "
            "sorted(pathlib.Path(folder).glob('*.wav'))."
        )
    single = isinstance(X, str | bytes | os.PathLike | Clip) or is_single(X)
    single |= isinstance(X, np.ndarray) and (
        X.ndim == 0 or (X.ndim == 1 and X.dtype.kind in "buifc")
    )
    if not single and isinstance(X, Mapping):
        raise TypeError(f"Expected a sequence of clips, got a {kind}. Pass list(clips.values()).")
    if not single and isinstance(X, Iterator | Set):
        raise TypeError(
            f"Expected a sequence of clips, got a {kind}, which has no order or can be gone "
            "through only once. Pass a list: list(clips)."
        )
    if single or not hasattr(X, "__len__") or not hasattr(X, "__iter__"):
        raise TypeError(
            f"Expected a sequence of clips, got a single {kind}: {X!r:.60}. "
            "Wrap one clip in a list: [clip]."
        )
    if len(X) == 0:
        raise ValueError("Expected at least one clip, got an empty sequence.")


def iterate_clips(X: Any) -> Iterator[Any]:
    """Iterate over clips: of a table, over its one column.

    Parameters
    ----------
    X : clips
        Not checked.

    Returns
    -------
    iterator over clips

    Raises
    ------
    TypeError
        If a table has several columns.
    """
    # Iterating over a table gives the names of its columns.
    if not hasattr(X, "columns"):
        return iter(X)
    if X.shape[1] != 1:
        raise TypeError(
            f"Expected a sequence of clips, got a table of {X.shape[1]} columns: "
            f"{', '.join(map(str, X.columns)):.60}. Pass the column of clips: table['path']."
        )
    return iter(safe_indexing(X, 0, axis=1))


def check_clip(clip: Any, index: int) -> Clip:
    """Check what can be checked of one clip without decoding a file.

    Parameters
    ----------
    clip : path, samples, (rate, samples), mapping, binary file, or Clip
        What a user passed as one.
    index : int
        Its place among the clips.

    Returns
    -------
    Clip

    Raises
    ------
    AudioError
        If the file is missing, or samples or their rate are none.
    """
    if isinstance(clip, Clip):
        return clip
    path = _path_in(clip)
    if path is None:
        return Clip(*read_source(clip, f"clip {index}"))
    if os.path.isdir(path):
        raise AudioError(path, "is a folder", "Pass the files in it.")
    if not os.path.exists(path):
        raise AudioError(path, "does not exist", "Check the path, and the working folder.")
    return Clip(path, path)


def _path_in(clip: Any) -> str | None:
    """Return the path that a clip is, that it maps to, or that is all there is in a row."""
    if isinstance(clip, str | os.PathLike):
        return os.fspath(clip)
    if isinstance(clip, Mapping) and clip.get("array") is None and clip.get("bytes") is None:
        return _path_in(clip.get("path"))
    is_row = isinstance(clip, list | tuple) or (isinstance(clip, np.ndarray) and clip.ndim == 1)
    return _path_in(clip[0]) if is_row and len(clip) == 1 else None
