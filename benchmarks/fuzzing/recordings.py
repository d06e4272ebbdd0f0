"""Recordings of every container that skasd names."""

import random
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.fuzzing.kind import Files, Kind, MistakenError, write
from benchmarks.fuzzing.mutations import change_bytes
from skasd.audio import check_clips, read_clip

RATE = 16000

CODINGS = {
    "WAV": ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM", "MS_ADPCM"],
    "WAVEX": ["PCM_16", "FLOAT"],
    "RF64": ["PCM_16", "FLOAT"],
    "W64": ["PCM_16", "IMA_ADPCM"],
    "AIFF": ["PCM_16", "PCM_24", "FLOAT", "ULAW"],
    "AU": ["PCM_16", "FLOAT", "ALAW"],
    "CAF": ["PCM_16", "FLOAT", "ALAC_16"],
    "FLAC": ["PCM_16", "PCM_24"],
    "OGG": ["VORBIS", "OPUS"],
    "MP3": ["MPEG_LAYER_III"],
}

LONGER = {"OGG": 64_000, "MP3": 16_000, "FLAC": 16_000}
"""Samples of those that come in pages or frames, which are to be several. Others have 3,000."""


class Recordings(Kind):
    """Recordings: changed, with the checksums of Ogg's pages right at times, or cut off.

    What was cut off, and has lost samples, must be refused.
    """

    name = "recordings"
    share = 4
    most_megabytes = 300

    def __init__(self, folder: Path):
        super().__init__(folder)
        self._honest: dict[str, bytes] = {}
        rng = np.random.default_rng(0)
        for container, codings in CODINGS.items():
            n_samples = LONGER.get(container, 3000)
            sound = (0.3 * rng.standard_normal((n_samples, 2)).cumsum(0) / 20).clip(-1, 1)
            sound += 0.1 * rng.uniform(-1, 1, sound.shape)  # noise, which takes more bytes
            for coding in codings:
                for channels in (1, 2):
                    file = BytesIO()
                    part = sound[:, :channels].clip(-1, 1)
                    soundfile.write(file, part, RATE, format=container, subtype=coding)
                    self._honest[f"{container}-{coding}-{channels}"] = file.getvalue()
        self._n_samples: dict[str, int] = {}
        for name, content in self._honest.items():
            write({name: content}, folder)
            self._n_samples[name] = _n_samples(folder / name)
        pages = [content.count(b"OggS") for name, content in self._honest.items() if "OGG" in name]
        assert min(pages) > 4, "a file of Ogg has too few pages to be damaged amid them"

    def make(self, rng: random.Random) -> Files:
        """Return a recording."""
        name = rng.choice(list(self._honest))
        content = self._honest[name]
        if rng.random() < 0.15:
            return {f"cut-{name}": content[: rng.randrange(len(content))]}
        changed = change_bytes(content, rng)
        if name.startswith("OGG") and rng.random() < 0.5:
            changed = mend_checksums(changed)
        return {name: changed}

    def read(self, files: Files, folder: Path) -> None:
        """Read a file at another rate than it has, as a detector of 8 kHz would."""
        ((name, content),) = files.items()
        # One name, so that none is left behind.
        write({"clip": content}, folder)
        if name.startswith("cut-"):
            n_samples = self._n_samples[name.removeprefix("cut-")]
            if _n_samples(folder / "clip") < n_samples:
                raise MistakenError(f"a file that is cut off, {name}")
        else:
            read_clip(*check_clips([folder / "clip"]), sample_rate=RATE // 2)


def _n_samples(path: Path) -> int:
    return len(read_clip(*check_clips([path]), sample_rate=RATE))


REVERSE = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def mend_checksums(data: bytes) -> bytes:
    """Give the pages of Ogg their checksums, so that the decoder sees what is in them."""
    pages = data.split(b"OggS")
    for index, page in enumerate(pages[1:], 1):
        page = b"OggS" + page[:18] + bytes(4) + page[22:]
        crc = zlib.crc32(page.translate(REVERSE), 2**32 - 1) ^ (2**32 - 1)
        crc = int.from_bytes(crc.to_bytes(4, "little").translate(REVERSE), "big")
        pages[index] = page[4:22] + crc.to_bytes(4, "little") + page[26:]
    return b"OggS".join(pages)
