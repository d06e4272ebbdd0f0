"""FLAC."""

from skasd.audio._containers._contents import Bytes, Contents

_TAIL = 2**22
"""No frame is longer: 65,535 samples of eight channels, of 32 bits each and not compressed."""

_CANDIDATES = 8
"""Headers that are looked at: what looks like one, and is none, is rare."""

_BLOCK_SIZES = [0, 192, *(576 << n for n in range(4)), 0, 0, *(256 << n for n in range(8))]


def read_flac(file: Bytes, start: int = 0) -> Contents:
    """Read what FLAC declares that starts here; a length of 0 is legal, and means unknown."""
    position, info = start + 4, b""
    while True:
        header = file.at(position, 4)
        if len(header) < 4:
            raise file.damaged("it ends before its sound begins")
        size = int.from_bytes(header[1:], "big")
        if position == start + 4:
            info = file.at(position + 4, 34)
        position += 4 + size
        if header[0] & 0x80:
            break
    if len(info) < 34:
        raise file.damaged("it ends before its sound begins")
    block_size = int.from_bytes(info[0:2], "big")
    n_declared = int.from_bytes(info[13:18], "big") & (2**36 - 1)
    end = file.size - 128 if file.at(file.size - 128, 3) == b"TAG" else file.size
    pieces = (range(start, end),) if start or end < file.size else ()
    tail = file.at(max(position, end - _TAIL), min(_TAIL, max(0, end - position)))
    frames = _frames_from_the_end(tail, block_size)
    if n_declared and any(n_frames == n_declared for _, n_frames in frames):
        return Contents(n_declared, pieces=pieces)
    n_frames = next((n for place, n in frames if _crc16(tail[place:]) == 0), None)
    if n_declared and n_frames is not None and n_frames > n_declared:
        raise file.damaged("it goes on after the length that it declares")
    is_cut = bool(n_declared or tail) and n_frames is None
    return Contents(n_declared or n_frames, is_cut, pieces=pieces)


def _frames_from_the_end(tail: bytes, block_size: int) -> list[tuple[int, int]]:
    """Find the last frames: where each starts, and how many samples there are to its end."""
    frames: list[tuple[int, int]] = []
    place = len(tail)
    while len(frames) < _CANDIDATES:
        place = max(tail.rfind(b"\xff\xf8", 0, place), tail.rfind(b"\xff\xf9", 0, place))
        if place < 0:
            break
        n_frames = _samples_to_end(tail[place : place + 16], block_size)
        if n_frames is not None:
            frames.append((place, n_frames))
    return frames


def _samples_to_end(header: bytes, block_size: int) -> int | None:
    """Return the sample at which a frame ends, or None if this is not its header."""
    header = header.ljust(16, b"\0")
    n_bytes = 8 - (header[4] ^ 0xFF).bit_length()  # as in UTF-8
    if n_bytes in (1, 8) or header[3] & 1:
        return None
    number = header[4] & (0x7F >> n_bytes)
    n_bytes = max(n_bytes, 1)
    for each in header[5 : 4 + n_bytes]:
        number = number << 6 | each & 0x3F
    place = 4 + n_bytes
    code, rate = header[2] >> 4, header[2] & 15
    n_extra = {6: 1, 7: 2}.get(code, 0)
    length = 1 + int.from_bytes(header[place : place + n_extra], "big")
    if not n_extra:
        length = _BLOCK_SIZES[code]
    place += n_extra + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if length == 0 or _crc8(header[:place]) != header[place]:
        return None
    return number * (1 if header[1] & 1 else block_size) + length


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
    return crc


def _crc16(data: bytes) -> int:
    """Return 0 for a whole frame, whose last two bytes are the checksum of the others."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[crc >> 8 ^ byte]
    return crc


def _crc16_of_byte(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = crc << 1 ^ (0x18005 if crc & 0x8000 else 0)
    return crc


_CRC16 = [_crc16_of_byte(byte) for byte in range(256)]
