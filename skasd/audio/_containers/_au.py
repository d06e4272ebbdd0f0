"""AU, of Sun and NeXT."""

import struct

from skasd.audio._containers._chunks import find_extent
from skasd.audio._containers._contents import Bytes, Contents

_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Bytes of a sample, by coding."""


def read_au(file: Bytes) -> Contents:
    """Read what AU declares; of either byte order."""
    order = ">" if file.at(0, 4) == b".snd" else "<"
    header = file.at(0, 24)
    if len(header) < 24:
        raise file.damaged("it ends before its sound begins")
    start, size, coding, _, channels = struct.unpack(f"{order}5I", header[4:])
    if coding not in _BYTES:
        raise file.unsupported(f"sound of format {coding} in an AU file")
    if start < 24 or not channels:
        raise file.damaged(f"it declares {channels} channels, from byte {start}")
    extent = find_extent(file, start, size)
    n_frames = (extent.end - start) // (channels * _BYTES[coding])
    if extent.is_regular:
        return Contents(n_frames, extent.is_cut)
    sound = range(start, extent.end)
    # The longest length means none, for libsndfile too.
    head = header[:4] + struct.pack(f"{order}II", 24, min(len(sound), 2**32 - 1)) + header[12:]
    return Contents(n_frames, pieces=(head, sound))
