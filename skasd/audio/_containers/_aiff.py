"""AIFF and AIFC."""

import struct

from skasd.audio._containers._chunks import Chunk, Layout, find_extent, walk
from skasd.audio._containers._contents import Bytes, Contents

_LAYOUT = Layout(4, ">I", align=2)

_BYTES = {
    b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8, b"alaw": 1, b"ALAW": 1, b"ulaw": 1,
    b"ULAW": 1, b"in24": 3, b"42ni": 3, b"in32": 4, b"23ni": 4, b"raw ": 1,
}  # fmt: skip
"""Bytes of a sample, by coding; PCM of any other width declares it."""

_PCM = {b"NONE", b"sowt", b"twos"}


def read_aiff(file: Bytes) -> Contents:
    """Read what AIFF or AIFC declares."""
    kind = file.at(8, 4)
    if kind not in (b"AIFF", b"AIFC"):
        raise file.unsupported("an IFF file that holds no AIFF")
    chunks: dict[bytes, Chunk] = {}
    for chunk in walk(file, 12, _LAYOUT):
        chunks.setdefault(chunk.name, chunk)
        if b"SSND" in chunks and chunk.start + chunk.size > file.size:
            break
    if b"COMM" not in chunks or b"SSND" not in chunks:
        raise file.damaged("it ends before its sound begins")
    common, sound = chunks[b"COMM"], chunks[b"SSND"]
    fields = file.at(common.start, min(common.size, 22)).ljust(22, b"\0")
    channels, n_declared, bits = struct.unpack(">HIH", fields[:8])
    coding = fields[18:22] if kind == b"AIFC" else b"NONE"
    if coding not in _PCM and coding not in _BYTES:
        raise file.unsupported(f"{coding.decode('latin-1')!r} in an AIFC file")
    if coding in _PCM and bits > 32:
        raise file.unsupported(f"PCM of {bits} bits in an AIFF file")
    width = channels * _BYTES.get(coding, -(-bits // 8))
    if width == 0:
        raise file.damaged(f"it declares {channels} channels of {bits} bits")
    (offset,) = struct.unpack(">I", file.at(sound.start, 4).ljust(4, b"\0"))
    start = sound.start + 8 + offset
    extent = find_extent(file, start, sound.size - 8 - offset if sound.size else 0, _LAYOUT)
    n_frames = (extent.end - start) // width
    if extent.is_regular and n_declared > n_frames:
        raise file.damaged(f"it declares {n_declared} samples and holds {n_frames}")
    is_regular = extent.is_regular and common.is_regular and sound.is_regular
    if is_regular and n_declared == n_frames and offset == 0:
        return Contents(n_frames, extent.is_cut)
    data = range(start, min(extent.end, file.size))
    if len(data) > 2**32 - 2**16:
        raise file.unsupported("more than an AIFF file can declare")
    head = file.at(common.start, common.size)
    head = head[:2] + struct.pack(">I", n_frames) + head[6:]
    head = kind + b"COMM" + struct.pack(">I", len(head)) + head + b"\0" * (len(head) % 2)
    head += b"SSND" + struct.pack(">III", 8 + len(data), 0, 0)
    form = b"FORM" + struct.pack(">I", len(head) + len(data))
    return Contents(n_frames, extent.is_cut, pieces=(form + head, data))
