"""Ogg: Vorbis and Opus."""

import struct
import zlib

from skasd.audio._containers._contents import Bytes, Contents
from skasd.exceptions import AudioError

_CODECS = {
    b"\x01vorbis": "",
    b"OpusHead": "",
    b"\x7fFLAC": "FLAC in an Ogg file",
    b"Speex   ": "Speex in an Ogg file",
    b"\x80theora": "video in an Ogg file",
    b"fishead\0": "an Ogg file with a skeleton",
}
"""What a stream begins with, and why it cannot be read."""

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def read_ogg(file: Bytes) -> Contents:
    """Read all pages: each has its number and a checksum, and the last one says so."""
    position, expected, serial, is_last = 0, 0, None, False
    while position < file.size:
        header = file.at(position, 27)
        if not b"OggS".startswith(header[:4]):
            if is_last and file.is_blank(position):
                break
            raise file.damaged(f"at byte {position}, a page of Ogg is missing")
        header += file.at(position + 27, header[26] if len(header) == 27 else 255)
        n_bytes = sum(header[27:])
        body = file.at(position + len(header), n_bytes)
        if len(header) < 27 or len(header) < 27 + header[26] or len(body) < n_bytes:
            return Contents(None, is_cut=True)
        flags, stream, number, checksum = struct.unpack("<5xB8xIII", header[:26])
        if _checksum(header[:22] + bytes(4) + header[26:] + body) != checksum:
            raise file.damaged(f"at byte {position}, a page of Ogg does not match its checksum")
        if serial is None:
            _check_codec(file, body)
            serial = stream
        elif stream != serial or flags & 2:
            raise AudioError(
                file.path,
                "holds several streams of Ogg, of which one would be heard",
                "Split it, or convert it to WAV or FLAC, such as by ffmpeg.",
            )
        if number != expected:
            raise file.damaged(f"before byte {position}, pages of Ogg are missing")
        is_last = bool(flags & 4)
        expected += 1
        position += len(header) + len(body)
    return Contents(None, is_cut=not is_last)


def _check_codec(file: Bytes, packet: bytes) -> None:
    reasons = [reason for magic, reason in _CODECS.items() if packet.startswith(magic)]
    if reasons != [""]:
        raise file.unsupported(*reasons or ["an Ogg file of neither Vorbis nor Opus"])


def _checksum(page: bytes) -> int:
    """Compute Ogg's CRC-32: zlib's polynomial, with the bits the other way and no inversion."""
    crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(crc.to_bytes(4, "little").translate(_REVERSED), "big")
