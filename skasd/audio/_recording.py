"""Files of recordings: open one, read it, and see whether it is all there."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from skasd.audio._containers import Contents, Pieces, read_contents
from skasd.exceptions import AudioError

if TYPE_CHECKING:
    from soundfile import SoundFile

_SAMPLE_RATES = (50, 10_000_000)
_BLOCK_SAMPLES = 2**24

_CODED_SILENCE = 2.0**-11
"""What ADPCM makes of zeros, at most: its smallest step is 7 of 16 bits."""

_MIN_PADDING = 32
"""Samples; where sound ends in fewer that are so quiet, they may be sound."""


class Recording:
    """A file that is open, and is read from its start to its end.

    Parameters
    ----------
    path : str
        What errors call it.
    file : SoundFile
        What decodes it.
    contents : Contents
        What it declares.
    """

    def __init__(self, path: str, file: "SoundFile", contents: Contents):
        self.path = path
        self.sample_rate: int = file.samplerate
        self.n_channels: int = file.channels
        self.format = f"{file.format} {file.subtype}"
        declared = contents.n_frames
        self.n_frames: int = file.frames if declared is None else declared
        self.is_cut = contents.is_cut
        self._file = file
        self._contents = contents

    @property
    def is_exact(self) -> bool:
        """Whether it holds `n_frames` or, read, is an error."""
        return not (self.is_cut or self._contents.max_padding)

    def blocks(  # numpydoc ignore=RT01
        self, n_samples: int | None = None
    ) -> Iterator[np.ndarray]:
        """Read all of it, and raise an AudioError at its end if more was declared.

        Parameters
        ----------
        n_samples : int or None, default=None
            Length of a block; None is what fits into 64 MiB, or into the file.

        Yields
        ------
        ndarray of shape (n_samples, n_channels), float32
        """
        if self._contents.max_padding:
            return _without_padding(self._blocks(n_samples), self._contents.max_padding)
        return self._blocks(n_samples)

    def _blocks(self, n_samples: int | None) -> Iterator[np.ndarray]:
        n_expected = self.n_frames
        n_samples = n_samples or max(1, _BLOCK_SAMPLES // self.n_channels)
        if self._contents.excess == "start":
            self._skip(self._file.frames - n_expected)
        n_read = 0
        while True:
            n_wanted = min(n_samples, n_expected - n_read + 1)
            block = self._file.read(n_wanted, dtype="float32", always_2d=True)
            if self._contents.excess:
                block = block[: n_expected - n_read]
            if not len(block):
                break
            n_read += len(block)
            yield block
        self._check(n_read, n_expected)

    def _skip(self, n_samples: int) -> None:
        while n_samples > 0 and (n_read := len(self._file.read(min(n_samples, 65536)))):
            n_samples -= n_read

    def _check(self, n_read: int, n_expected: int) -> None:
        if self.is_cut or n_read < n_expected:
            raise AudioError(
                self.path,
                f"is truncated: it ends after {n_read / self.sample_rate:.3f} s, "
                "before the length that it declares",
                "Copy it again or leave it out.",
            )
        if n_read > n_expected:
            raise AudioError(
                self.path,
                "is damaged: it holds more samples than it declares",
                "Copy it again or leave it out.",
            )


def _without_padding(blocks: Iterator[np.ndarray], max_padding: int) -> Iterator[np.ndarray]:
    """Leave out silence at the end, unless it is longer than the padding of a block can be."""
    rest = np.empty((0, 1), np.float32)
    for block in blocks:
        rest = np.concatenate([rest, block]) if len(rest) else block
        if len(rest) > max_padding:
            yield rest[:-max_padding]
            rest = rest[-max_padding:]
    sound = np.flatnonzero((np.abs(rest) > _CODED_SILENCE).any(axis=1))
    is_padded = len(sound) and len(rest) - sound[-1] > _MIN_PADDING
    yield rest[: sound[-1] + 1] if is_padded else rest


@contextmanager
def open_recording(path: str) -> Iterator[Recording]:
    """Open a file, and raise an AudioError if it cannot be opened or, in the context, read."""
    import soundfile

    from skasd.audio._sequential import SequentialFile

    try:
        _check_kind(path)
        with open(path, "rb", buffering=65536) as stream:
            contents = read_contents(stream, path)
            # A name may hold bytes that are no text; only Windows wants text.
            name = path if os.name == "nt" else os.fsencode(path)
            source = Pieces(stream, contents.pieces) if contents.pieces else name
            with SequentialFile(source) as file:
                _check_rate(path, file.samplerate)
                yield Recording(path, file, contents)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(
            path,
            f"cannot be read: {getattr(error, 'error_string', str(error)).removesuffix('.')}",
            "It may be damaged, cut off, or no WAV, FLAC, OGG or MP3 file.",
        ) from error


def _check_kind(path: str) -> None:
    """Refuse what is no file: opening a pipe may wait for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise AudioError(
            path, "is not a regular file", 'Pass a file; skasd monitor reads a pipe as "-".'
        )


def _check_rate(path: str, sample_rate: int) -> None:
    low, high = _SAMPLE_RATES
    if not low <= sample_rate <= high:
        raise AudioError(
            path,
            f"declares a sample rate of {sample_rate} Hz",
            f"It may be damaged; {low} to {high} Hz are read.",
        )
