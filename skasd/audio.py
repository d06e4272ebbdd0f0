"""Recordings in: read, mix down or pick a channel, resample, check.

*Clips* are what every transformer of recordings accepts: a sequence of n_clips recordings, each a
path (str or PathLike) or a 1-D array of samples; or a 2-D array of shape (n_clips, n_samples).
Clips may differ in length. Whatever is wrong with one of them is said by an `AudioError`.
"""

import os
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from soundfile import SoundFile

_BLOCK_SAMPLES = 2**24
_SAMPLE_RATES = (50, 10_000_000)

Clips: TypeAlias = Sequence[str | os.PathLike | ArrayLike] | np.ndarray


class AudioError(ValueError):
    """A clip that cannot be analysed.

    Parameters
    ----------
    clip : str
        The clip's path or, for an array, ``"clip "`` and its index.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> from skasd import AudioError
    >>> raise AudioError("fan.wav", "holds no samples", "Record it again.")
    Traceback (most recent call last):
    skasd.audio.AudioError: fan.wav: holds no samples. Record it again.
    """

    def __init__(self, clip: str, problem: str, remedy: str):
        super().__init__(clip, problem, remedy)
        self.clip = clip
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.clip}: {self.problem}. {self.remedy}"


@dataclass(frozen=True, eq=False)
class Clip:
    """One recording, which remembers what was made of it.

    Where several steps or members of an ensemble are handed the same `Clip`, the first one that
    analyses it does so for all. A pickle holds name and source alone.

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
    >>> from skasd.audio import Clip
    >>> clip = Clip("clip 0", [1.0, 3.0])
    >>> clip.analyse("peak", lambda: max(clip.source)), clip.analyses
    (3.0, {'peak': 3.0})
    """

    name: str
    source: str | np.ndarray
    analyses: dict[Hashable, np.ndarray] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def analyse(self, key: Hashable, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what `compute` makes of the clip, computed only where it is not remembered.

        A thread that needs what another one is computing waits for it.
        """
        with self._lock:
            if key not in self.analyses:
                self.analyses[key] = compute()
            return self.analyses[key]

    def __reduce__(self):
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
        Where a file is missing, or an array is not one of real numbers in one dimension.
    TypeError
        Where `X` is a single clip instead of a sequence of clips.
    ValueError
        Where `X` is empty.

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
    """Refuse a single clip, and no clips at all, before any of them is looked at.

    Parameters
    ----------
    X : clips
        Paths or arrays of samples.

    Raises
    ------
    TypeError
        Where `X` is a single clip instead of a sequence of clips.
    ValueError
        Where `X` is empty.
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
    index : int
        Its place among the clips.

    Returns
    -------
    Clip

    Raises
    ------
    AudioError
        Where the file is missing, or the array is not one of real numbers in one dimension.
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


def read_clip(
    clip: Clip,
    *,
    sample_rate: int,
    input_sample_rate: int = 16000,
    channel: str | int = "mean",
    min_samples: int = 1,
) -> np.ndarray:
    """Read one clip as mono samples at the rate that the analysis works at.

    Parameters
    ----------
    clip : Clip
        One of what `check_clips` returned.
    sample_rate : int
        Rate of the result, in Hz. Other rates are resampled with soxr's high quality.
    input_sample_rate : int, default=16000
        What an array is sampled at, in Hz. A file says so itself.
    channel : "mean" or int, default="mean"
        Average of a file's channels, or the index of the one to use.
    min_samples : int, default=1
        What the analysis needs, in samples at `sample_rate`.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        Samples in [-1, 1] for files and integer arrays; floating-point arrays are not scaled.

    Raises
    ------
    AudioError
        Where the file cannot be read, is cut off or has no such channel; where the clip is
        empty, too short, or holds NaN or infinite samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio import check_clips, read_clip
    >>> (clip,) = check_clips([np.zeros(44100, dtype=np.int16)])
    >>> read_clip(clip, sample_rate=16000, input_sample_rate=44100).shape
    (16000,)
    """
    if isinstance(clip.source, str):
        samples, input_sample_rate = _read_file(clip.source, channel)
    else:
        samples = scale_samples(clip.source)
    if samples.size == 0:
        raise AudioError(clip.name, "holds no samples", "Record it again or leave it out.")
    finite = np.isfinite(samples)
    if not finite.all():
        raise AudioError(
            clip.name,
            f"holds {np.count_nonzero(~finite)} NaN or infinite samples, "
            f"the first at index {np.argmin(finite)}",
            "Repair it or leave it out.",
        )
    if input_sample_rate != sample_rate:
        import soxr

        samples = soxr.resample(samples, input_sample_rate, sample_rate)
    if len(samples) < min_samples:
        raise AudioError(
            clip.name,
            f"is too short: {len(samples)} samples at {sample_rate} Hz "
            f"({len(samples) / sample_rate:.3f} s) where the analysis needs {min_samples} "
            f"({min_samples / sample_rate:.3f} s)",
            "Leave it out, or analyse with shorter windows.",
        )
    return samples


def scale_samples(samples: np.ndarray) -> np.ndarray:
    """Bring integers to [-1, 1), as soundfile does for files; leave floats unscaled, as float32."""
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    if kind == "f":
        return samples.astype(np.float32)
    centre = 2.0 ** (bits - 1) if kind == "u" else 0.0
    return ((samples - centre) / 2.0 ** (bits - 1)).astype(np.float32)


def mix_down(samples: np.ndarray, channel: str | int, name: str) -> np.ndarray:
    """Make one channel of samples of shape (n_samples, n_channels)."""
    if channel == "mean":
        return samples.mean(axis=1)
    if not 0 <= channel < samples.shape[1]:
        raise AudioError(
            name,
            f"has no channel {channel}: it has {samples.shape[1]}, counted from 0",
            'Pass another channel, or channel="mean".',
        )
    return np.ascontiguousarray(samples[:, channel])


@contextmanager
def open_recording(path: str) -> Iterator["SoundFile"]:
    """Open a file, and raise an AudioError where it cannot be opened or, in the context, read."""
    import soundfile

    try:
        if os.path.getsize(path) == 0:
            raise AudioError(path, "is an empty file", "Record it again or leave it out.")
        with soundfile.SoundFile(path) as file:
            yield file
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(
            path,
            f"cannot be read: {str(error).removesuffix('.')}",
            "It may be damaged, cut off, or no WAV, FLAC, OGG or MP3 file.",
        ) from error


def check_recording(path: str, file: "SoundFile", n_read: int) -> None:
    """Raise an AudioError where a file that was read to its end is not what it declares."""
    low, high = _SAMPLE_RATES
    if not low <= file.samplerate <= high:
        raise AudioError(
            path,
            f"declares a sample rate of {file.samplerate} Hz",
            f"It may be damaged; {low} to {high} Hz are read.",
        )
    if n_read < file.frames or _ends_early(path, file.extra_info):
        raise AudioError(
            path,
            f"is truncated: it ends after {n_read / file.samplerate:.3f} s, "
            "before the length that it declares",
            "Copy it again or leave it out.",
        )


def _read_file(path: str, channel: str | int) -> tuple[np.ndarray, int]:
    with open_recording(path) as file:
        samples = _read_samples(file)
        check_recording(path, file, len(samples))
        return mix_down(samples, channel, path), file.samplerate


def _read_samples(file) -> np.ndarray:
    """Read in blocks: a damaged header may declare more than the memory holds."""
    block = max(1, _BLOCK_SAMPLES // file.channels)
    blocks = []
    while len(samples := file.read(block, dtype="float32", always_2d=True)):
        blocks.append(samples)
    return np.concatenate(blocks) if blocks else samples


def _ends_early(path: str, log: str) -> bool:
    """Find the truncation that libsndfile forgives: a short WAV chunk, an unfinished Ogg stream."""
    chunk = re.search(r"^data : (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if chunk:
        declared, present = map(int, chunk.groups())
        # A recorder that writes to a pipe cannot know the length, and declares the largest.
        return present < declared < 0x7FFFF000
    if "\nOgg stream" in log:
        with open(path, "rb") as file:
            # An Ogg page is at most 65,307 bytes; its sixth byte says whether it is the last.
            file.seek(-min(os.path.getsize(path), 65_307), os.SEEK_END)
            tail = file.read()
        page = tail.rfind(b"OggS")
        return page < 0 or not tail[page + 5] & 0x04
    return False
