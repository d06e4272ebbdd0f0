"""MPEG audio: MP3, and its layers I and II."""

from typing import NamedTuple

from skasd.audio._containers._contents import Bytes, Contents
from skasd.exceptions import AudioError

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""In Hz, by version: MPEG-1, 2 and 2.5."""

_LONG = (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448)
_SHORT = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_BITRATES = {
    (True, 1): _LONG,
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): _SHORT,
    (False, 3): _SHORT,
}
"""In kbit/s, by whether it is MPEG-1, and the layer."""

_SEARCH = 2**16
"""Where the first frame may begin, in bytes."""


class _Frame(NamedTuple):
    """A frame, as its header declares it; `kind` is what all frames of a file share."""

    size: int
    n_samples: int
    kind: tuple[int, int, int]


def read_mpeg(file: Bytes, start: int) -> Contents:
    """Count the frames from here on: a header with their number is optional, and may be wrong."""
    end = file.size - 128 if file.at(file.size - 128, 3) == b"TAG" else file.size
    start, first = _find_first_frame(file, start, end)
    info = file.at(start, first.size)
    is_info, n_declared = _read_info(info, first)
    audio = start + first.size if is_info else start
    n_frames, end, is_cut = _count_frames(file, audio, end, first)
    if n_declared == n_frames and not is_cut:
        return Contents(None)
    is_cut = is_cut or n_frames < (n_declared or 0)
    n_samples = n_frames * first.n_samples
    if first.kind[1] != 3:
        return Contents(n_samples, is_cut, pieces=(range(audio, end),))
    # mpg123 takes the length from a header alone, and then cuts the start, here of silence.
    lead = _info_frame(info, first, n_frames + 1), _silent_frame(info, first)
    return Contents(n_samples, is_cut, excess="start", pieces=(*lead, range(audio, end)))


def id3_size(file: Bytes, start: int) -> int:
    """Return the size of a tag of ID3v2 that begins here."""
    header = file.at(start, 10).ljust(10, b"\0")
    size = 0
    for byte in header[6:]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if header[5] & 0x10 else 0)


def _find_first_frame(file: Bytes, start: int, end: int) -> tuple[int, _Frame]:
    """Find a frame that others follow, or the end of the file."""
    head = file.at(start, _SEARCH)
    place = head.find(b"\xff")
    while place >= 0:
        frame = _parse(head[place : place + 4])
        if frame is not None and _others_follow(file, start + place, end, frame, place == 0):
            return start + place, frame
        place = head.find(b"\xff", place + 1)
    raise AudioError(
        file.path,
        "cannot be read: it is no recording of a known kind",
        "It may be damaged, cut off, or no WAV, FLAC, OGG or MP3 file.",
    )


def _others_follow(file: Bytes, position: int, end: int, frame: _Frame, is_first: bool) -> bool:
    for _ in range(3):
        position += frame.size
        if position >= end:
            return position == end or is_first
        following = _parse(file.at(position, 4))
        if following is None or following.kind != frame.kind:
            return False
        frame = following
    return True


def _count_frames(file: Bytes, position: int, end: int, first: _Frame) -> tuple[int, int, bool]:
    """Return the number of whole frames, where they end, and whether one more is cut off."""
    n_frames = 0
    frames: dict[bytes, _Frame | None] = {}
    while position < end:
        header = file.at(position, 4)
        if header[:3] not in frames:
            frames[header[:3]] = _parse(header)
        frame = frames[header[:3]]
        if header.startswith(b"ID3"):
            position += id3_size(file, position)
        elif end - position < 4:
            return n_frames, position, True
        elif frame is None or frame.kind != first.kind:
            if file.is_blank(position):
                break
            raise file.damaged(f"at byte {position}, a frame of MPEG audio is missing")
        elif position + frame.size > end:
            return n_frames, position, True
        else:
            n_frames += 1
            position += frame.size
    return n_frames, min(position, end), False


def _parse(header: bytes) -> _Frame | None:
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    kilobits = _BITRATES[version == 3, layer][bitrate - 1]
    n_samples = 384 if layer == 1 else 1152 if layer == 2 or version == 3 else 576
    slot = 4 if layer == 1 else 1
    slots = n_samples * kilobits * 1000 // (8 * slot * _RATES[version][rate])
    return _Frame((slots + padding) * slot, n_samples, (version, layer, rate))


def _side_size(header: bytes, first: _Frame) -> int:
    """Return the size of what follows the header of a frame of layer III."""
    is_mono = header[3] >> 6 == 3
    return (17 if is_mono else 32) if first.kind[0] == 3 else (9 if is_mono else 17)


def _read_info(frame: bytes, first: _Frame) -> tuple[bool, int | None]:
    """Return whether a frame holds information in place of sound, and how many it declares."""
    if first.kind[1] != 3 or len(frame) < 4:
        return False, None
    place = 4 + _side_size(frame, first)
    if frame[place : place + 4] in (b"Xing", b"Info"):
        has_count = frame[place + 7 : place + 8] and frame[place + 7] & 1
        return True, int.from_bytes(frame[place + 8 : place + 12], "big") if has_count else None
    return frame[36:40] == b"VBRI", None


def _silent_frame(frame: bytes, first: _Frame) -> bytes:
    """Return a frame without a checksum, of a bitrate that leaves room for information."""
    header = bytes([0xFF, frame[1] | 1, 9 << 4 | frame[2] & 0x0C, frame[3]])
    size = _parse(header).size  # type: ignore[union-attr]
    return header + bytes(size - 4)


def _info_frame(frame: bytes, first: _Frame, n_frames: int) -> bytes:
    silent = _silent_frame(frame, first)
    place = 4 + _side_size(frame, first)
    info = b"Xing" + (1).to_bytes(4, "big") + n_frames.to_bytes(4, "big")
    return silent[:place] + info + silent[place + len(info) :]
