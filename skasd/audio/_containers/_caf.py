"""CAF, of Apple."""

import struct

from skasd.audio._containers._chunks import Chunk, Layout, find_extent, walk
from skasd.audio._containers._contents import Bytes, Contents

_LAYOUT = Layout(4, ">q")
_SAMPLES = {b"lpcm", b"alaw", b"ulaw"}


def read_caf(file: Bytes) -> Contents:
    """Read what CAF declares."""
    chunks: dict[bytes, Chunk] = {}
    for chunk in walk(file, 8, _LAYOUT):
        chunks.setdefault(chunk.name, chunk)
    if b"desc" not in chunks or b"data" not in chunks:
        raise file.damaged("it ends before its sound begins")
    desc = file.at(chunks[b"desc"].start, 32).ljust(32, b"\0")
    coding = desc[8:12]
    packet, per_packet, channels, bits = struct.unpack(">4I", desc[16:])
    if coding not in _SAMPLES and coding != b"alac":
        raise file.unsupported(f"{coding.decode('latin-1')!r} in a CAF file")
    if coding == b"lpcm" and not desc[15] & 1 and bits > 32:
        raise file.unsupported(f"PCM of {bits} bits in a CAF file")
    data = chunks[b"data"]
    start = data.start + 4  # after the number of edits
    extent = find_extent(file, start, -1 if data.size < 4 else data.size - 4, _LAYOUT)
    if coding == b"alac":
        return _read_alac(file, chunks, extent.is_cut)
    if not channels or packet != channels * -(-bits // 8) or per_packet != 1:
        raise file.damaged(f"it declares {channels} channels of {bits} bits in {packet} bytes")
    n_frames = (extent.end - start) // packet
    if extent.is_regular and not extent.is_cut:
        return Contents(n_frames)
    sound = range(start, min(extent.end, file.size))
    head = file.at(0, 8) + b"desc" + struct.pack(">q", 32) + desc
    head += b"data" + struct.pack(">qI", 4 + len(sound), 0)
    return Contents(n_frames, extent.is_cut, pieces=(head, sound))


def _read_alac(file: Bytes, chunks: dict[bytes, Chunk], is_cut: bool) -> Contents:
    packets = file.at(chunks[b"pakt"].start, 16) if b"pakt" in chunks else b""
    n_frames = int.from_bytes(packets[8:], "big", signed=True)
    if len(packets) < 16 or n_frames < 0:
        raise file.damaged("it does not declare how many samples it holds")
    return Contents(n_frames, is_cut, excess="end")
