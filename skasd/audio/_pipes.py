"""Sound from a pipe: raw PCM, or WAV, whose header is read as it comes."""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from skasd.exceptions import AudioError

PCM_FORMATS = {
    "u8": "u1",
    "s16le": "<i2",
    "s16be": ">i2",
    "s24le": "<i3",
    "s24be": ">i3",
    "s32le": "<i4",
    "s32be": ">i4",
    "f32le": "<f4",
    "f32be": ">f4",
    "f64le": "<f8",
    "f64be": ">f8",
    "s24_le": "<i4",
}
"""What ffmpeg calls formats of raw PCM, and NumPy, which has no ints of 3 bytes; and arecord's
S24_LE: 24 bits in the lower bytes of 32."""

ALSA_NAMES = {
    "s16_le": "s16le",
    "s16_be": "s16be",
    "s24_3le": "s24le",
    "s24_3be": "s24be",
    "s32_le": "s32le",
    "s32_be": "s32be",
    "float_le": "f32le",
    "float_be": "f32be",
    "float64_le": "f64le",
    "float64_be": "f64be",
}
"""What arecord calls them, in lower case."""

CONTAINERS = {
    b"RF64": "RF64",
    b"BW64": "BW64",
    b"riff": "W64",
    b"RIFF": "a RIFF file without sound",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"FORM": "AIFF",
    b".snd": "AU",
    b"caff": "CAF",
    b"NIST_1A": "NIST",
    b"Creative Voice": "VOC",
    b"\x1aE\xdf\xa3": "Matroska",
}
"""How files begin that are neither WAV nor raw PCM."""

NAME = "standard input"

UNKNOWN_LENGTH = 0x7FFF0000
"""A recorder that writes to a pipe declares none, or at least that many bytes."""

HIGHEST_RATE = 10_000_000

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID = bytes.fromhex("000000001000800000aa00389b71")
_WIDTHS = {_PCM: {1: "u8", 2: "s16", 3: "s24", 4: "s32"}, _FLOAT: {4: "f32", 8: "f64"}}


class PipedSound(NamedTuple):
    """What comes through a pipe.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_channels : int
        Interleaved channels.
    sample_format : str
        A name of `PCM_FORMATS`.
    has_header : bool
        Whether it is WAV, whose header says all that.
    blocks : iterator of ndarrays of shape (n_samples, n_channels)
        As `read_pcm` yields them; it raises an AudioError if a declared length is not there.
    """

    sample_rate: int
    n_channels: int
    sample_format: str
    has_header: bool
    blocks: Iterator[np.ndarray]


def read_pipe(
    file: Any,
    *,
    sample_rate: int | None = None,
    n_channels: int | None = None,
    sample_format: str | None = None,
) -> PipedSound:
    """Read sound from a pipe, after the header of a WAV file if there is one.

    Parameters
    ----------
    file : binary file with `read1`
        Such as ``sys.stdin.buffer``.
    sample_rate : int or None, default=None
        Of raw PCM, in Hz; 16000 if None.
    n_channels : int or None, default=None
        Interleaved channels of raw PCM; 1 if None.
    sample_format : str or None, default=None
        Of raw PCM: a name that ffmpeg or arecord has for it; ``"s16le"`` if None.

    Returns
    -------
    PipedSound
        What a header says goes before the defaults.

    Raises
    ------
    AudioError
        If it is a file of another kind, a WAV file of another codec or cut off in its header, or
        the header says another thing than the arguments.
    ValueError
        If the format or the channel does not exist.

    Examples
    --------
    >>> from io import BytesIO
    >>> import soundfile
    >>> from skasd.audio._pipes import read_pipe
    >>> file = BytesIO()
    >>> soundfile.write(file, [0.0, 0.5], 44100, format="WAV", subtype="PCM_24")
    >>> sound = read_pipe(BytesIO(file.getvalue()))
    >>> sound.sample_rate, sound.n_channels, sound.sample_format
    (44100, 1, 's24le')
    >>> next(sound.blocks).tolist()
    [[0], [1073741824]]
    """
    if sample_format is not None:
        sample_format = find_format(sample_format)
    head = _read(file, 64)
    file = _Pushed(head, file)
    if head[:4] not in (b"RIFF", b"RIFX") or head[8:12] != b"WAVE":
        _check_raw(head)
        rate, n_channels, found = sample_rate or 16000, n_channels or 1, sample_format or "s16le"
        blocks = read_pcm(file, n_channels=n_channels, sample_format=found)
        return PipedSound(rate, n_channels, found, False, blocks)
    rate, declared_channels, found, n_bytes = _read_header(file)
    for what, declared, wanted in (
        ("sample rate", rate, sample_rate),
        ("number of channels", declared_channels, n_channels),
        ("format", found, sample_format),
    ):
        if wanted not in (None, declared):
            raise AudioError(
                NAME,
                f"is WAV, whose header gives the {what} {declared}, and {wanted} was asked for",
                "Leave that out: the header is read.",
            )
    blocks = _read_blocks(file, declared_channels, found, n_bytes)
    return PipedSound(rate, declared_channels, found, True, blocks)


def read_pcm(  # numpydoc ignore=RT01
    file: Any, *, n_channels: int = 1, sample_format: str = "s16le"
) -> Iterator[np.ndarray]:
    """Read raw PCM as it comes: a block is what there is, and waits for no more.

    Parameters
    ----------
    file : binary file with `read1`
        Such as ``sys.stdin.buffer``.
    n_channels : int, default=1
        Interleaved channels.
    sample_format : str, default="s16le"
        A name that ffmpeg or arecord has for it, such as ``"s24le"`` or ``"S24_3LE"``.

    Yields
    ------
    ndarray of shape (n_samples, n_channels)
        Ints or floats, not scaled; those of 24 bits in the upper bytes of int32. An incomplete
        last sample is skipped.

    Raises
    ------
    ValueError
        If the format or the channel does not exist.

    Examples
    --------
    >>> from io import BytesIO
    >>> from skasd.audio._pipes import read_pcm
    >>> list(read_pcm(BytesIO(bytes([1, 0, 2, 0, 3])), n_channels=2))
    [array([[1, 2]], dtype=int16)]
    """
    sample_format = find_format(sample_format)
    if n_channels < 1:
        raise ValueError(f"{n_channels} channels: expected 1 or more.")
    return _read_blocks(file, n_channels, sample_format, None)


def find_format(name: str) -> str:
    """Find a format of raw PCM by a name of ffmpeg's or arecord's.

    Parameters
    ----------
    name : str
        In upper or lower case.

    Returns
    -------
    str
        One of `PCM_FORMATS`.

    Raises
    ------
    ValueError
        If there is none.
    """
    known = ALSA_NAMES.get(name.lower(), name.lower())
    if known not in PCM_FORMATS:
        names = ", ".join([*PCM_FORMATS, *map(str.upper, ALSA_NAMES)])
        raise ValueError(f"format {name!r}: expected one of {names}.")
    return known


class _Pushed:
    """A pipe whose beginning, which was read, is read again."""

    def __init__(self, head: bytes, file: Any):
        self._head = head
        self._file = file

    def read1(self, size: int) -> bytes:
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._file.read1(size)


def _read(file: Any, size: int) -> bytes:
    """Read that many bytes, or less at the end."""
    parts = b""
    while len(parts) < size and (part := file.read1(size - len(parts))):
        parts += part
    return parts


def _read_blocks(
    file: Any, n_channels: int, sample_format: str, n_bytes: int | None
) -> Iterator[np.ndarray]:
    """Read blocks to the end, or that many bytes, which must be there."""
    frame_size = n_channels * int(PCM_FORMATS[sample_format][-1])
    rest = b""
    left = n_bytes
    while left != 0 and (data := file.read1(65536 if left is None else min(left, 65536))):
        if left is not None:
            left -= len(data)
        data = rest + data
        whole = len(data) - len(data) % frame_size
        rest = data[whole:]
        if whole:
            yield _decode(data[:whole], sample_format).reshape(-1, n_channels)
    if left:
        raise AudioError(
            NAME,
            f"is truncated: it ends {left} bytes before the length of {n_bytes} that it declares",
            "All before that is scored.",
        )


def _decode(data: bytes, sample_format: str) -> np.ndarray:
    dtype = PCM_FORMATS[sample_format]
    if dtype.endswith("i3"):
        samples = np.zeros((len(data) // 3, 4), np.uint8)
        samples[:, slice(1, 4) if dtype.startswith("<") else slice(3)] = np.frombuffer(
            data, np.uint8
        ).reshape(-1, 3)
        return samples.view(dtype.replace("3", "4"))[:, 0]
    samples = np.frombuffer(data, dtype)
    return samples << 8 if sample_format == "s24_le" else samples


def _check_raw(head: bytes) -> None:
    """Refuse files of other kinds, which would be noise."""
    kinds = [kind for beginning, kind in CONTAINERS.items() if head.startswith(beginning)]
    if head[4:8] == b"ftyp":
        kinds = ["MP4"]
    if head[:1] == b"\xff" and (b"Xing" in head or b"Info" in head):
        kinds = ["MP3"]
    if kinds:
        raise AudioError(
            NAME,
            f"is {kinds[0]}, and only WAV and raw PCM are read from a pipe",
            "Decode it first, such as with ffmpeg -i - -f wav -, or pass it as a file.",
        )


def _read_header(file: _Pushed) -> tuple[int, int, str, int | None]:
    """Return rate, channels, format and, if it is declared, the length in bytes."""
    order = ">" if _read(file, 12).startswith(b"RIFX") else "<"
    header = None
    while True:
        chunk = _read(file, 8)
        if len(chunk) < 8:
            raise _bad_header("ends in its header", "Record it again.")
        size = struct.unpack(f"{order}I", chunk[4:])[0]
        if chunk.startswith(b"data"):
            break
        content = _read(file, min(size, 40)) if chunk.startswith(b"fmt ") else b""
        if content:
            header = _parse_format(content, order)
        rest = size + size % 2 - len(content)
        while rest > 0 and (skipped := file.read1(min(rest, 65536))):
            rest -= len(skipped)
    if header is None:
        raise _bad_header("does not say its format", "Record it again.")
    return *header, None if size == 0 or size >= UNKNOWN_LENGTH else size


def _parse_format(content: bytes, order: str) -> tuple[int, int, str]:
    if len(content) < 16:
        raise _bad_header("has a format chunk that is too short", "Record it again.")
    code, n_channels, rate, _, frame_size, bits = struct.unpack(f"{order}HHIIHH", content[:16])
    if code == _EXTENSIBLE and content[26:] == _GUID:
        code = struct.unpack(f"{order}H", content[24:26])[0]
    suffix = "le" if order == "<" else "be"
    width, rest = divmod(frame_size, n_channels) if n_channels else (0, 0)
    name = _WIDTHS.get(code, {}).get(width)
    if code == _PCM and (bits, width) == (24, 4):
        name, suffix = "s24_", "le"  # What arecord means by S24_LE, in a WAV file too.
    elif -(-bits // 8) != width:
        name = None
    if name is None or rest or not 0 < rate <= HIGHEST_RATE:
        raise _bad_header(
            f"has the codec {code:#x}, {n_channels} channels of {bits} bits in frames of "
            f"{frame_size} bytes, and {rate} Hz",
            "Integers of 8 to 32 bits and floats are read. Pass -f S16_LE to arecord, or decode "
            "it with ffmpeg -i - -f wav -.",
        )
    return rate, n_channels, name if name == "u8" else name + suffix


def _bad_header(problem: str, remedy: str) -> AudioError:
    return AudioError(f"the WAV header of {NAME}", problem, remedy)
