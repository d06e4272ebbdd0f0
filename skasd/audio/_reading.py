"""From a clip to its samples: mono, finite, at the rate of the analysis."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import numpy as np

from skasd.audio._channels import far_channel, mix_down
from skasd.audio._clips import Clip
from skasd.audio._length import MAX_SECONDS, check_length
from skasd.audio._recording import Recording, open_recording
from skasd.audio._recording_facts import ChannelPowers, RecordingFacts
from skasd.exceptions import AudioError

ASSUMED_RATE = 16000
"""What arrays are taken to be sampled at, in Hz, if nobody has said."""

_LARGEST = 2.0**40
"""Far above integers of 32 bits that nobody scaled; the square still fits into float32."""


def read_clip(
    clip: Clip,
    *,
    sample_rate: int,
    input_sample_rate: int | None = None,
    channel: str | int = "mean",
    min_samples: int = 1,
    max_seconds: float | None = MAX_SECONDS,
) -> np.ndarray:
    """Read one clip as mono samples at the rate that the analysis works at.

    Parameters
    ----------
    clip : Clip
        One of what `check_clips` returned.
    sample_rate : int
        Rate of the result, in Hz. Other rates are resampled with soxr's high quality.
    input_sample_rate : int or None, default=None
        What an array is sampled at, in Hz; 16000 if None. Files and (rate, samples) say so
        themselves.
    channel : "mean", "near-far", "far-near" or int, default="mean"
        Average of the channels, the first or the second of two, or the index of the one to use. A
        1-D array has one channel, whichever was picked.
    min_samples : int, default=1
        What the analysis needs, in samples at `sample_rate`.
    max_seconds : float or None, default=3600.0
        Longest clip to accept, in seconds; None for no limit. A longer one is refused
        before memory is taken for it.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        Samples in [-1, 1] for files and integer arrays; floating-point arrays are not scaled.

    Raises
    ------
    AudioError
        If the file cannot be read, is cut off or has no such channel; if the clip is
        empty, too short, too long, or holds NaN, infinite or huge samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio import check_clips, read_clip
    >>> (clip,) = check_clips([np.zeros(44100, dtype=np.int16)])
    >>> read_clip(clip, sample_rate=16000, input_sample_rate=44100).shape
    (16000,)
    """
    samples, recorded_rate = _read_whole(clip, input_sample_rate, channel, max_seconds)
    if recorded_rate != sample_rate:
        import soxr

        samples = soxr.resample(samples, recorded_rate, sample_rate)
    if len(samples) < min_samples:
        raise AudioError(
            clip.name,
            f"is too short: {len(samples)} samples at {sample_rate} Hz "
            f"({len(samples) / sample_rate:.3f} s) where the analysis needs {min_samples} "
            f"({min_samples / sample_rate:.3f} s)",
            "Leave it out, or analyze with shorter windows.",
        )
    return samples


def read_channels(
    clip: Clip, input_sample_rate: int | None = None, max_seconds: float | None = MAX_SECONDS
) -> tuple[np.ndarray, int]:
    """Read all channels of a clip, at the rate that it was recorded at.

    Parameters
    ----------
    clip : Clip
        One of what `check_clips` returned.
    input_sample_rate, max_seconds
        As for `read_clip`.

    Returns
    -------
    samples : ndarray of shape (n_samples, n_channels), float32
        In [-1, 1] for files and integer arrays.
    sample_rate : int
        Their rate, in Hz.

    Raises
    ------
    AudioError
        If the file cannot be read or is cut off, or the clip is too long.
    """
    channels, _, sample_rate = _read(clip, input_sample_rate, max_seconds, lambda block: block)
    return channels, sample_rate


def recording_facts(
    clip: Clip,
    *,
    input_sample_rate: int | None = None,
    channel: str | int = "mean",
    max_seconds: float | None = MAX_SECONDS,
) -> RecordingFacts:
    """Return what is known about a clip since it was read; read it if it was not yet.

    Parameters
    ----------
    clip : Clip
        One of what `check_clips` returned.
    input_sample_rate, channel, max_seconds
        As for `read_clip`.

    Returns
    -------
    RecordingFacts

    Raises
    ------
    AudioError
        If the clip cannot be read.
    """
    key = (RecordingFacts, input_sample_rate, channel)
    if key not in clip.analyses:
        _read_whole(clip, input_sample_rate, channel, max_seconds)
    return clip.analyses[key]


def recorded_seconds(
    clip: Clip,
    *,
    input_sample_rate: int | None = None,
    channel: str | int = "mean",
    max_seconds: float | None = MAX_SECONDS,
) -> float:
    """Return how long a clip is, from its header if that can be trusted.

    Parameters
    ----------
    clip : Clip
        One of what `check_clips` returned.
    input_sample_rate, channel, max_seconds
        As for `read_clip`.

    Returns
    -------
    float
        In seconds.

    Raises
    ------
    AudioError
        If the clip cannot be opened, or has to be read, and cannot be.
    """
    is_known = (RecordingFacts, input_sample_rate, channel) in clip.analyses
    if isinstance(clip.source, str) and not is_known:
        with open_recording(clip.source) as recording:
            if recording.is_exact:
                return recording.n_frames / recording.sample_rate
    facts = recording_facts(
        clip, input_sample_rate=input_sample_rate, channel=channel, max_seconds=max_seconds
    )
    return facts.duration


def scale_samples(samples: np.ndarray) -> np.ndarray:
    """Bring integers to [-1, 1), as soundfile does for files; leave floats unscaled, as float32."""
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    if kind == "f":
        with np.errstate(over="ignore"):
            return samples.astype(np.float32)
    center = 2.0 ** (bits - 1) if kind == "u" else 0.0
    return ((samples - center) / 2.0 ** (bits - 1)).astype(np.float32)


def _read_whole(
    clip: Clip, input_sample_rate: int | None, channel: str | int, max_seconds: float | None
) -> tuple[np.ndarray, int]:
    """Read what is heard of a clip, at the rate that it was recorded at; remember its facts."""
    is_one_channel = isinstance(clip.source, np.ndarray) and clip.source.ndim == 1
    heard = "mean" if is_one_channel and far_channel(channel) is None else channel
    powers = ChannelPowers()

    def take(block: np.ndarray) -> np.ndarray:
        if channel == "mean" and block.shape[1] > 1:
            powers.add(block)
        return mix_down(block, heard, clip.name)

    samples, n_channels, sample_rate = _read(clip, input_sample_rate, max_seconds, take)
    _check_samples(samples, clip.name)
    facts = RecordingFacts.of(samples, n_channels, sample_rate)
    if channel == "mean" and n_channels > 1:
        facts = facts.with_channels(powers.of_channels())
    clip.analyses[RecordingFacts, input_sample_rate, channel] = facts
    return samples, sample_rate


def _read(
    clip: Clip,
    input_sample_rate: int | None,
    max_seconds: float | None,
    take: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, int, int]:
    """Read block by block, and keep what is taken of each; return number of channels and rate."""
    if isinstance(clip.source, np.ndarray):
        sample_rate = clip.sample_rate or input_sample_rate or ASSUMED_RATE
        check_length(clip.name, len(clip.source), 1, sample_rate, max_seconds)
        # In the order of a file's samples, their mean has the same bits.
        samples = np.ascontiguousarray(scale_samples(clip.source))
        samples = samples if samples.ndim == 2 else samples[:, np.newaxis]
        return take(samples), samples.shape[1], sample_rate
    with _open(clip.source, clip.name) as recording:
        n_channels, sample_rate = recording.n_channels, recording.sample_rate
        shape = take(np.empty((0, n_channels), np.float32)).shape[1:]
        limits = math.prod(shape), sample_rate, max_seconds
        n_room = 0
        # One that is cut off is read for its error alone, and may declare any length.
        if not recording.is_cut:
            check_length(clip.name, recording.n_frames, *limits)
            n_room = recording.n_frames + 1
        taken = np.empty((n_room, *shape), np.float32)
        n_read = 0
        for block in recording.blocks():
            n_read += len(block)
            check_length(clip.name, n_read, *limits)
            if n_room:
                taken[n_read - len(block) : n_read] = take(block)
        return taken[:n_read], n_channels, sample_rate


@contextmanager
def _open(source: str | bytes, name: str) -> Iterator[Recording]:
    """Open a file, or one that is in memory by the same checks, which look into the file itself."""
    if isinstance(source, str):
        with open_recording(source) as recording:
            yield recording
        return
    with TemporaryDirectory(prefix="skasd-") as folder:
        path = os.path.join(folder, "recording" + os.path.splitext(name)[1])
        with open(path, "wb") as file:
            file.write(source)
        try:
            with open_recording(path) as recording:
                yield recording
        except AudioError as error:
            problem = error.problem.replace(path, name)
            raise AudioError(name, problem, error.remedy) from error


def _check_samples(samples: np.ndarray, name: str) -> None:
    """Refuse what is no sound, or so large that the analysis would overflow."""
    if samples.size == 0:
        raise AudioError(name, "holds no samples", "Record it again or leave it out.")
    finite = np.isfinite(samples)
    if not finite.all():
        raise AudioError(
            name,
            f"holds {np.count_nonzero(~finite)} NaN or infinite samples, "
            f"the first at index {np.argmin(finite)}",
            "Repair it or leave it out.",
        )
    peak = max(samples.max(), -samples.min())
    if peak > _LARGEST:
        raise AudioError(
            name,
            f"holds samples as large as {peak:.3g}, where sound lies in [-1, 1]",
            "Scale it, repair it or leave it out.",
        )
