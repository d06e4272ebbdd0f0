"""What a container says of its sound, and a file as it should have been written."""

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Literal

from skasd.exceptions import AudioError

CONVERT = "Convert it to WAV or FLAC, such as by ffmpeg."
DAMAGED = "Copy it again or leave it out."


@dataclass(frozen=True)
class Contents:
    """What a container says of its sound.

    Parameters
    ----------
    n_frames : int or None
        Samples of each channel; None if only the decoder can tell.
    is_cut : bool, default=False
        If the file ends before its sound does.
    excess : {"", "start", "end"}, default=""
        Where samples that the decoder gives beyond `n_frames` are left out.
    max_padding : int, default=0
        How many of the last samples may be padding of which nothing is declared.
    pieces : tuple of bytes or range, default=()
        What the decoder is to read in place of the file: bytes, and ranges of the file.
    """

    n_frames: int | None
    is_cut: bool = False
    excess: Literal["", "start", "end"] = ""
    max_padding: int = 0
    pieces: tuple[bytes | range, ...] = ()


class Bytes:
    """The bytes of a file by their place.

    Parameters
    ----------
    file : binary file
        Open, and seekable.
    path : str
        What errors call it.
    """

    def __init__(self, file: BinaryIO, path: str):
        self.file = file
        self.path = path
        self.size = file.seek(0, os.SEEK_END)

    def at(self, start: int, n_bytes: int) -> bytes:
        """Return the bytes at a place; fewer at the end of the file, none before its start."""
        if start < 0:
            return b""
        self.file.seek(start)
        # A header may say any number, and `read` takes memory for so many bytes.
        return self.file.read(min(n_bytes, max(0, self.size - start)))

    def is_blank(self, start: int) -> bool:
        """Whether what begins here is no sound: nothing, padding, or a tag of ID3 or APE."""
        if self.at(start, 8).startswith((b"ID3", b"TAG", b"APETAGEX", b"LYRICS")):
            return True
        while block := self.at(start, 65536):
            if block.strip(b"\0"):
                return False
            start += len(block)
        return True

    def damaged(self, problem: str) -> AudioError:
        """Return the error of a file that contradicts itself."""
        return AudioError(self.path, f"is damaged: {problem}", DAMAGED)

    def unsupported(self, what: str) -> AudioError:
        """Return the error of a file that is whole, for all we know, but cannot be decoded."""
        return AudioError(self.path, f"cannot be read: it is {what}", CONVERT)


class Pieces(io.RawIOBase):
    """A file that consists of bytes and of ranges of another file.

    Parameters
    ----------
    file : binary file
        The other file.
    pieces : iterable of bytes or range
        In their order.

    Examples
    --------
    >>> from io import BytesIO
    >>> from skasd.audio._containers._contents import Pieces
    >>> Pieces(BytesIO(b"abcdef"), [b"x", range(2, 5)]).read()
    b'xcde'
    """

    def __init__(self, file: BinaryIO, pieces: Iterable[bytes | range]):
        self._file = file
        self._pieces = list(pieces)
        self._size = sum(map(len, self._pieces))
        self._position = 0

    def readable(self) -> bool:  # numpydoc ignore=GL08
        return True

    def seekable(self) -> bool:  # numpydoc ignore=GL08
        return True

    def tell(self) -> int:  # numpydoc ignore=GL08
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:  # numpydoc ignore=GL08
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # numpydoc ignore=GL08
        position, filled = self._position, 0
        for piece in self._pieces:
            if position >= len(piece):
                position -= len(piece)
                continue
            part = piece[position : position + len(buffer) - filled]
            if isinstance(part, range):
                self._file.seek(part.start)
                part = self._file.read(len(part))
            buffer[filled : filled + len(part)] = part
            filled, position = filled + len(part), 0
            if filled == len(buffer):
                break
        self._position += filled
        return filled
