"""What recordings declare of themselves, read from their own bytes.

libsndfile decodes them, but forgives what we must not: a file that ends too early, a length that
nobody wrote, sound that it cannot count. So what a file declares is read here, for each container.
"""

from typing import BinaryIO

from skasd.audio._containers._aiff import read_aiff
from skasd.audio._containers._au import read_au
from skasd.audio._containers._caf import read_caf
from skasd.audio._containers._contents import CONVERT, Bytes, Contents, Pieces
from skasd.audio._containers._flac import read_flac
from skasd.audio._containers._mpeg import id3_size, read_mpeg
from skasd.audio._containers._ogg import read_ogg
from skasd.audio._containers._riff import W64_MAGIC, read_riff
from skasd.exceptions import AudioError

__all__ = ["Contents", "Pieces", "read_contents"]

_READERS = {
    b"RIFF": read_riff,
    b"RIFX": read_riff,
    b"RF64": read_riff,
    b"BW64": read_riff,
    W64_MAGIC: read_riff,
    b"FORM": read_aiff,
    b".snd": read_au,
    b"dns.": read_au,
    b"caff": read_caf,
    b"OggS": read_ogg,
}

_OTHERS = {
    b"\0\5\x16\7": "an AppleDouble file, which macOS puts beside a recording",
    b"\x1aE\xdf\xa3": "a Matroska or WebM file",
    b"0&\xb2u": "a WMA file",
    b"#!AMR": "an AMR file",
    b"NIST_1A": "a NIST SPHERE file",
    b"Creative Voice File": "a VOC file",
    b"wvpk": "a WavPack file",
    b"MAC ": "a Monkey's Audio file",
    b"DSD ": "a DSD file",
    b"FRM8": "a DSD file",
    b"MThd": "a MIDI file",
    b"ADIF": "an AAC file",
    b"\xff\xf1": "an AAC file",
    b"\xff\xf9": "an AAC file",
}
"""What is known by name, and not read."""


def read_contents(stream: BinaryIO, path: str) -> Contents:
    """Read what a file declares of its sound.

    Parameters
    ----------
    stream : binary file
        The file, seekable.
    path : str
        What errors call it.

    Returns
    -------
    Contents

    Raises
    ------
    AudioError
        If it is of no kind that is read, or contradicts itself.

    Examples
    --------
    >>> from io import BytesIO
    >>> import numpy as np
    >>> import soundfile
    >>> from skasd.audio._containers import read_contents
    >>> file = BytesIO()
    >>> soundfile.write(file, np.zeros(1000), 16000, format="WAV")
    >>> read_contents(file, "clip.wav").n_frames
    1000
    >>> read_contents(BytesIO(file.getvalue()[:-8]), "clip.wav").is_cut
    True
    """
    file = Bytes(stream, path)
    if file.size == 0:
        raise AudioError(path, "is an empty file", "Record it again or leave it out.")
    magic = file.at(0, 32)
    for begin, reader in _READERS.items():
        if magic.startswith(begin):
            return reader(file)
    start = 0
    while file.at(start, 3) == b"ID3":
        start += id3_size(file, start)
    magic = file.at(start, 32)
    if magic.startswith(b"fLaC"):
        return read_flac(file, start)
    what = next((name for other, name in _OTHERS.items() if magic.startswith(other)), None)
    if magic[4:8] == b"ftyp":
        what = "an MP4 or M4A file"
    if what is not None:
        raise AudioError(path, f"cannot be read: it is {what}", CONVERT)
    return read_mpeg(file, start)
