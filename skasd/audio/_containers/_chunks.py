"""Containers of chunks: RIFF, AIFF, W64, CAF."""

import string
import struct
from collections.abc import Iterator
from typing import NamedTuple

from skasd.audio._containers._contents import Bytes

_PRINTABLE = frozenset(string.printable[:95].encode())
_KNOWN = {b"data", b"fact", b"fmt ", b"LIST", b"JUNK", b"bext", b"COMM", b"SSND", b"FVER", b"MARK"}

_UNKNOWN_LENGTHS = (0x7F000000, 0x7FFF0000, 0x7FFFF000, 0x7FFFFF00, 0x80000000, 0xFFFFFF00, 2**32)
"""What SoX, GStreamer, MPlayer, arecord, LAME and ffmpeg declare when they write to a pipe."""


class Layout(NamedTuple):
    """How chunks are laid out.

    Parameters
    ----------
    id_size : int
        Bytes of a chunk's name.
    size : str
        How `struct` calls the length that follows.
    counts_header : bool, default=False
        If the length includes name and length.
    align : int, default=1
        What the place of each chunk is a multiple of.
    """

    id_size: int
    size: str
    counts_header: bool = False
    align: int = 1

    @property
    def header_size(self) -> int:
        """Number of bytes of name and length."""
        return self.id_size + struct.calcsize(self.size)


class Chunk(NamedTuple):
    """A chunk: its name, where its contents start, and how long they are declared to be."""

    name: bytes
    start: int
    size: int
    is_regular: bool = True


class Extent(NamedTuple):
    """Where sound ends, as declared and in the file."""

    end: int
    is_cut: bool = False
    is_regular: bool = True


def walk(file: Bytes, start: int, layout: Layout) -> Iterator[Chunk]:
    """Iterate over chunks; after one that was written without its pad byte, none is regular."""
    is_regular = True
    while start + layout.header_size <= file.size:
        header = file.at(start, layout.header_size)
        if not _is_name(header[:4]):
            return
        (size,) = struct.unpack(layout.size, header[layout.id_size :])
        size -= layout.header_size if layout.counts_header else 0
        contents = start + layout.header_size
        yield Chunk(header[: layout.id_size], contents, size, is_regular)
        if size < 0:
            return
        start = _next_chunk(file, contents, size, layout)
        is_regular = is_regular and start == contents + _padded(size, layout)


def find_extent(file: Bytes, start: int, size: int, layout: Layout | None = None) -> Extent:
    """Find where sound ends that starts here and is declared to be so long.

    Recorders that write to a pipe, or were killed, declare no length, or one that means none.
    Any other length is taken at its word.

    Parameters
    ----------
    file : Bytes
        The file.
    start : int
        Where its sound starts.
    size : int
        What its header declares.
    layout : Layout or None, default=None
        How the chunks are laid out that may follow.

    Returns
    -------
    Extent

    Raises
    ------
    AudioError
        If the sound would start after the end, or something follows it that may be more of it.
    """
    end = start + size
    if start > file.size:
        raise file.damaged("it ends before its sound begins")
    is_followed = 0 <= size <= file.size - start and _chunks_follow(file, start, size, layout)
    if _means_unknown(size, start) and not is_followed:
        return Extent(file.size, is_regular=False)
    if end > file.size:
        return Extent(end, is_cut=True)
    if not is_followed and not file.is_blank(end):
        raise file.damaged("it goes on after the length that it declares")
    return Extent(end)


def _means_unknown(size: int, start: int) -> bool:
    # Some count the header in, or only whole samples.
    reach = min(start, 4096) + 64
    return not 0 < size < 2**60 or any(0 <= each - size <= reach for each in _UNKNOWN_LENGTHS)


def _chunks_follow(file: Bytes, start: int, size: int, layout: Layout | None) -> bool:
    """Whether all after some sound is chunks that hold no more of it, and padding."""
    end = start + size
    if layout is None:
        return end == file.size
    position = end
    for chunk in walk(file, _next_chunk(file, start, size, layout), layout):
        if chunk.name[:4] in (b"data", b"SSND"):
            return False
        position = chunk.start + chunk.size
    if -layout.align < file.size - position < layout.header_size:
        return True
    return position > end and file.is_blank(position)


def _padded(size: int, layout: Layout) -> int:
    return size + -size % layout.align


def _next_chunk(file: Bytes, start: int, size: int, layout: Layout) -> int:
    """Find where a chunk starts after the contents of another: some writers forget to pad."""
    end, padded = start + size, start + _padded(size, layout)
    if layout.align != 2 or padded == end:
        return padded
    first, second = file.at(end, 4), file.at(padded, 4)
    if first in _KNOWN:
        return end
    if second in _KNOWN or not _is_name(first):
        return padded
    return end


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and _PRINTABLE.issuperset(name)
