"""WAV and its relatives for long files: RF64, BW64 and W64."""

import struct
from typing import Literal, NamedTuple

from skasd.audio._containers._chunks import Chunk, Layout, find_extent, walk
from skasd.audio._containers._contents import Bytes, Contents

W64_MAGIC = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")

_LITTLE = Layout(4, "<I", align=2)
_BIG = Layout(4, ">I", align=2)
_WIDE = Layout(16, "<q", counts_header=True, align=8)

PCM, MS_ADPCM, FLOAT, A_LAW, MU_LAW, IMA_ADPCM, GSM = 1, 2, 3, 6, 7, 17, 49
_SAMPLES = {PCM, FLOAT, A_LAW, MU_LAW}
_BLOCKS = {MS_ADPCM, IMA_ADPCM, GSM}
_DECODED = {*_SAMPLES, *_BLOCKS, 64, 0x38}
_NAMES = {0x50: "MPEG audio", 0x55: "MP3", 0xFF: "AAC", 0x161: "WMA", 0x1610: "AAC"}


def read_riff(file: Bytes) -> Contents:
    """Read what WAV, RF64, BW64 or W64 declare."""
    if file.at(0, 16) == W64_MAGIC:
        layout, start = _WIDE, 40
        is_riff = file.at(24, 4) == b"wave"
    else:
        layout, start = _BIG if file.at(0, 4) == b"RIFX" else _LITTLE, 12
        is_riff = file.at(8, 4) == b"WAVE"
    if not is_riff:
        raise file.unsupported("a RIFF file that holds no WAVE")
    chunks = _header_chunks(file, start, layout)
    data = chunks[b"data"]
    size = data.size
    if b"ds64" in chunks and file.at(0, 4) in (b"RF64", b"BW64"):
        size = int.from_bytes(file.at(chunks[b"ds64"].start + 8, 8), "little") or size
    extent = find_extent(file, data.start, size, layout)
    form = _read_format(file, chunks[b"fmt "], layout.size[0])
    n_bytes = extent.end - data.start
    if not extent.is_regular:
        n_bytes -= n_bytes % form.block
    n_frames = form.count_frames(n_bytes)
    pieces: tuple[bytes | range, ...] = ()
    if not extent.is_regular or not data.is_regular:
        sound = range(data.start, min(data.start + n_bytes, file.size))
        pieces = _as_wav(file, chunks, sound, layout.size[0])
    if form.coding not in _BLOCKS or n_frames is None or extent.is_cut or not extent.is_regular:
        return Contents(n_frames, extent.is_cut, pieces=pieces)
    n_declared = 0
    if b"fact" in chunks:
        n_declared = int.from_bytes(file.at(chunks[b"fact"].start, 4), form.byte_order)
    if 0 < n_frames - n_declared < form.per_block:
        return Contents(n_declared, excess="end", pieces=pieces)
    # libsndfile pads the last block by zeros, and declares them as if they were sound.
    return Contents(n_frames, max_padding=form.per_block - 1, pieces=pieces)


def _header_chunks(file: Bytes, start: int, layout: Layout) -> dict[bytes, Chunk]:
    """Return the chunks up to the sound, by the first four letters of their names."""
    chunks: dict[bytes, Chunk] = {}
    for chunk in walk(file, start, layout):
        name = chunk.name[:4]
        chunks.setdefault(name, chunk)
        if name == b"data":
            if b"fmt " not in chunks:
                raise file.damaged("its sound comes before its format")
            return chunks
        if name == b"LIST" and file.at(chunk.start, 4) == b"wavl":
            raise file.unsupported("WAV whose sound is in several pieces")
    raise file.damaged("it ends before its sound begins")


class _Format(NamedTuple):
    """How samples are coded: the chunk `fmt `."""

    coding: int
    block: int
    per_block: int
    byte_order: Literal["little", "big"]

    def count_frames(self, n_bytes: int) -> int | None:
        """Return how many samples of each channel so many bytes hold, with padding."""
        if self.coding in _SAMPLES:
            return n_bytes // self.block
        if self.coding in _BLOCKS and self.per_block:
            return -(-n_bytes // self.block) * self.per_block
        return None


def _read_format(file: Bytes, chunk: Chunk, order: str) -> _Format:
    fields = file.at(chunk.start, min(chunk.size, 40))
    if len(fields) < 14:
        raise file.damaged("it declares no format")
    coding, channels, _, _, block, bits, _, per_block = struct.unpack(
        f"{order}HHIIHHHH", fields.ljust(20, b"\0")[:20]
    )
    if coding == 0xFFFE:
        (coding,) = struct.unpack(f"{order}H", fields[24:26].ljust(2, b"\0"))
    if coding not in _DECODED:
        name = _NAMES.get(coding, f"sound of format {coding:#06x}")
        raise file.unsupported(f"{name} in a WAV file")
    if coding == PCM and bits > 32:
        raise file.unsupported(f"PCM of {bits} bits in a WAV file")
    if not channels or not block:
        raise file.damaged(f"it declares {channels} channels in blocks of {block} bytes")
    if coding in _SAMPLES and block != channels * -(-bits // 8):
        raise file.damaged(f"it declares {channels} channels of {bits} bits in {block} bytes")
    return _Format(coding, block, per_block, "little" if order == "<" else "big")


def _as_wav(
    file: Bytes, chunks: dict[bytes, Chunk], sound: range, order: str
) -> tuple[bytes, range]:
    """Write a header that declares what there is: of RF64 if need be, whatever the file is."""
    kept = b""
    for name in (b"fmt ", b"fact"):
        if name in chunks:
            contents = file.at(chunks[name].start, min(chunks[name].size, 4096))
            kept += name + struct.pack(f"{order}I", len(contents)) + contents
            kept += b"\0" * (len(contents) % 2)
    riff_size = 12 + len(kept) + len(sound)
    if riff_size < 2**32 - 100:
        magic = b"RIFX" if order == ">" else b"RIFF"
        header = magic + struct.pack(f"{order}I", riff_size) + b"WAVE" + kept
        return header + b"data" + struct.pack(f"{order}I", len(sound)), sound
    if order == ">":
        raise file.unsupported("more than a RIFX file can declare")
    sizes = struct.pack("<qqqI", riff_size + 36, len(sound), 0, 0)
    header = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", 28) + sizes + kept
    return header + b"data\xff\xff\xff\xff", sound
