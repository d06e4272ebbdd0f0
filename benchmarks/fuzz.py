"""Are mutated files read or refused? ``python -m benchmarks.fuzz --files 100000``.

Small recordings of every container are mutated and read in child processes. Each file must be
read, or refused by an `AudioError`, within 20 s and 300 MB more than the child needs anyway.
What kills a child, takes longer, or raises anything else is counted, and kept in ``--keep``.
"""

import argparse
import random
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from skasd import AudioError
from skasd.audio import check_clips, read_clip

SECONDS = 20
MEGABYTES = 300
MARK = "fuzz: "
READ, REFUSED = "read", "refused by an AudioError"

KINDS = {
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


def write_seeds() -> list[bytes]:
    """Encode a short sound in every container and coding, with one and with two channels."""
    rng = np.random.default_rng(0)
    sound = 0.3 * rng.standard_normal((3000, 2)).cumsum(0) / 20
    seeds = []
    for container, codings in KINDS.items():
        for coding in codings:
            for channels in (1, 2):
                file = BytesIO()
                part = sound[:, :channels].clip(-1, 1)
                soundfile.write(file, part, 16000, format=container, subtype=coding)
                seeds.append(file.getvalue())
    return seeds


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Change bytes, mostly of the header; cut, repeat or swap parts; mend checksums at times."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        reach = len(data) if rng.random() < 0.3 else min(len(data), rng.choice((64, 200, 600)))
        place = rng.randrange(max(1, reach))
        action = rng.randrange(7)
        if action == 0:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif action == 1:
            data[place] ^= 1 << rng.randrange(8)
        elif action == 2:
            number = rng.choice(
                (0, 1, 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(2**32), len(data))
            )
            data[place : place + 4] = struct.pack(rng.choice("<>") + "I", number)
        elif action == 3:
            del data[rng.randrange(len(data)) if rng.random() < 0.5 else place :]
        elif action == 4:
            del data[place : place + rng.randrange(1, 40)]
        elif action == 5:
            data[place:place] = data[place : place + rng.randrange(1, 600)]
        else:
            data[place:place] = rng.randbytes(rng.randrange(1, 40))
        if not data:
            return b""
    return mend_checksums(bytes(data)) if rng.random() < 0.5 else bytes(data)


def make_file(seeds: list[bytes], seed: int, index: int) -> bytes:
    """Return one of the mutated files, the same each time."""
    rng = random.Random(seed * 10**9 + index)
    return mutate(rng.choice(seeds), rng)


def mend_checksums(data: bytes) -> bytes:
    """Give the pages of Ogg their checksums, so that the decoder sees what is in them."""
    reverse = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    pages = data.split(b"OggS")
    for index, page in enumerate(pages[1:], 1):
        page = b"OggS" + page[:18] + bytes(4) + page[22:]
        crc = zlib.crc32(page.translate(reverse), 2**32 - 1) ^ (2**32 - 1)
        crc = int.from_bytes(crc.to_bytes(4, "little").translate(reverse), "big")
        pages[index] = page[4:22] + crc.to_bytes(4, "little") + page[26:]
    return b"OggS".join(pages)


def limit_memory() -> None:
    """Let this process have so much more address space than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    n_bytes = pages * resource.getpagesize() + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))


def read_one(path: Path) -> str:
    """Read a file at another rate than it has, as a detector of 8 kHz would."""
    try:
        read_clip(*check_clips([path]), sample_rate=8000)
    except AudioError:
        return REFUSED
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:200].replace("\n", " ")
    return READ


def work(seed: int, first: int, stop: int, path: Path) -> None:
    """Read files in this process, and say of each what came out."""
    seeds = write_seeds()
    path.write_bytes(seeds[0])
    read_one(path)  # what is imported late is part of what the child needs anyway
    limit_memory()
    for index in range(first, stop):
        path.write_bytes(make_file(seeds, seed, index))
        print(MARK + read_one(path), flush=True)


class Watchdog:
    """Kill a child that says nothing for so long."""

    def __init__(self, child: subprocess.Popen):
        self.child = child
        self.has_bitten = False
        self._timer = threading.Timer(0, lambda: None)

    def restart(self, seconds: float) -> None:
        """Wait so long from now on."""
        self._timer.cancel()
        self._timer = threading.Timer(seconds, self._bite)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Wait no more."""
        self._timer.cancel()

    def _bite(self) -> None:
        self.has_bitten = True
        self.child.kill()


def watch(seed: int, first: int, stop: int, keep: Path | None) -> Counter:
    """Run children until every file has been tried; whatever ends one is counted."""
    outcomes: Counter = Counter()
    seeds = write_seeds()

    def note(outcome: str, index: int) -> None:
        outcomes[outcome] += 1
        if outcome not in (READ, REFUSED):
            print(f"file {index}: {outcome}", flush=True)
            if keep is not None:
                keep.mkdir(exist_ok=True)
                (keep / f"{seed}-{index}").write_bytes(make_file(seeds, seed, index))

    with tempfile.TemporaryDirectory() as folder:
        while first < stop:
            command = [sys.executable, "-m", "benchmarks.fuzz", "--child", f"{folder}/clip"]
            command += ["--seed", str(seed), "--first", str(first), "--files", str(stop - first)]
            child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            watchdog = Watchdog(child)
            watchdog.restart(10 * SECONDS)
            assert child.stdout is not None
            for line in child.stdout:
                watchdog.restart(SECONDS)
                if line.startswith(MARK):  # and is not what libsndfile prints
                    note(line.removeprefix(MARK).rstrip("\n"), first)
                    first += 1
            watchdog.stop()
            if child.wait() or first < stop:
                late = f"took more than {SECONDS} s"
                note(
                    late if watchdog.has_bitten else f"ended its process: {child.returncode}", first
                )
                first += 1
    return outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="start at this file")
    parser.add_argument("--keep", type=Path, help="folder for files that are neither")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    first, stop = arguments.first, arguments.first + arguments.files
    if arguments.child is not None:
        work(arguments.seed, first, stop, arguments.child)
        return
    begin = time.perf_counter()
    outcomes = watch(arguments.seed, first, stop, arguments.keep)
    seconds = time.perf_counter() - begin
    others = outcomes.total() - outcomes[READ] - outcomes[REFUSED]
    print(
        f"{outcomes.total()} files in {seconds:.0f} s: {outcomes[READ]} read, "
        f"{outcomes[REFUSED]} refused by an AudioError, {others} anything else"
    )
    sys.exit(others > 0)


if __name__ == "__main__":
    main()
