"""Files of recordings: open one, and see whether it is all there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from skasd.exceptions import AudioError

if TYPE_CHECKING:
    from soundfile import SoundFile

_SAMPLE_RATES = (50, 10_000_000)


@contextmanager
def open_recording(path: str) -> Iterator["SoundFile"]:
    """Open a file, and raise an AudioError if it cannot be opened or, in the context, read."""
    import soundfile

    try:
        if os.path.getsize(path) == 0:
            raise AudioError(path, "is an empty file", "Record it again or leave it out.")
        # A name may hold bytes that are no text; only Windows wants text.
        with soundfile.SoundFile(path if os.name == "nt" else os.fsencode(path)) as file:
            yield file
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(
            path,
            f"cannot be read: {str(error).removesuffix('.')}",
            "It may be damaged, cut off, or no WAV, FLAC, OGG or MP3 file.",
        ) from error


def check_recording(path: str, file: "SoundFile", n_read: int) -> None:
    """Raise an AudioError if a file that was read to its end is not what it declares."""
    low, high = _SAMPLE_RATES
    if not low <= file.samplerate <= high:
        raise AudioError(
            path,
            f"declares a sample rate of {file.samplerate} Hz",
            f"It may be damaged; {low} to {high} Hz are read.",
        )
    if n_read < file.frames or _ends_early(path, file.extra_info):
        raise AudioError(
            path,
            f"is truncated: it ends after {n_read / file.samplerate:.3f} s, "
            "before the length that it declares",
            "Copy it again or leave it out.",
        )


def _ends_early(path: str, log: str) -> bool:
    """Find the truncation that libsndfile forgives: a short WAV chunk, an unfinished Ogg stream."""
    chunk = re.search(r"^data : (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if chunk:
        declared, present = map(int, chunk.groups())
        # A recorder that writes to a pipe cannot know the length, and declares the largest.
        return present < declared < 0x7FFFF000
    if "\nOgg stream" in log:
        with open(path, "rb") as file:
            # An Ogg page is at most 65,307 bytes; its sixth byte says whether it is the last.
            file.seek(-min(os.path.getsize(path), 65_307), os.SEEK_END)
            tail = file.read()
        page = tail.rfind(b"OggS")
        return page < 0 or not tail[page + 5] & 0x04
    return False
