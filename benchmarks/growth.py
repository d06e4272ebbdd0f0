"""How time and memory grow: ``python -m benchmarks.growth``.

IAEO3 without OpenL3, five members of one epoch, from WAV files: of 100 to 10,000 clips of 10 s, and
of 100 clips of 1 to 64 s. Files are those of 100 clips, again and again. Each size has a process
of its own; memory is what it takes above the imports and a first small fit, which starts JAX.
``python -m benchmarks.fleet`` does so for machines.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.clips import write_clips
from benchmarks.measure import Cost, Row, apart, cost, print_rows
from skasd import make_iaeo3

N_CLIPS = (100, 1000, 10_000)
CLIP_SECONDS = (1.0, 4.0, 16.0, 64.0)
N_DISTINCT = 100


def detector():
    return make_iaeo3(openl3=False, epochs=1, n_components=1, random_state=0)


def fit_and_score(paths: list[str]) -> tuple[Cost, Cost]:
    detector().fit(paths[:5])
    with cost() as fit:
        fitted = detector().fit(paths)
    with cost() as score:
        fitted.score_samples(paths)
    return fit, score


def spectrogram_megabytes(n_clips: int, seconds: float) -> float:
    """Return what the float32 spectrograms of all clips take: 128 bands, a frame in 32 ms."""
    return n_clips * (1 + seconds * 16000 // 512) * 128 * 4 / 1e6


def rows_of(what: str, sizes, spectrograms, costs) -> Iterator[Row]:
    for i, name in enumerate(("fit", "score")):
        seconds = np.array([each[i].seconds for each in costs])
        megabytes = np.array([each[i].megabytes for each in costs])
        for size, taken, time, held in zip(sizes, megabytes, seconds, spectrograms, strict=True):
            note = f"{taken:.0f} MB"
            ratio_of = "memory of the float32 spectrograms"
            yield Row("e", f"{name}, {what.format(size)}", time, "s", taken / held, ratio_of, note)
        logs = np.log(sizes)
        slope = np.polyfit(logs[-2:], np.log(seconds[-2:]), 1)[0]
        memory_slope = np.diff(megabytes[-2:])[0] / np.diff(spectrograms[-2:])[0]
        yield Row(
            *("e", f"{name}, {what.format('n')}: growth of time", slope, "", slope),
            ratio_of="exponent, between the last two",
            note=f"{memory_slope:.2f} MB for each MB of spectrograms",
        )


def rows() -> Iterator[Row]:
    """Measure all sizes."""
    with tempfile.TemporaryDirectory() as folder:
        paths, _ = write_clips(Path(folder), "pump", n_normal=N_DISTINCT)
        costs = [apart(fit_and_score, n // N_DISTINCT * paths) for n in N_CLIPS]
        spectrograms = [spectrogram_megabytes(n, 10.0) for n in N_CLIPS]
        yield from rows_of("{} clips of 10 s", N_CLIPS, spectrograms, costs)
        costs = []
        for seconds in CLIP_SECONDS:
            with tempfile.TemporaryDirectory() as of_length:
                paths, _ = write_clips(
                    Path(of_length), "pump", n_normal=N_DISTINCT, duration=seconds
                )
                costs.append(apart(fit_and_score, paths))
        spectrograms = [spectrogram_megabytes(N_DISTINCT, seconds) for seconds in CLIP_SECONDS]
        yield from rows_of(f"{N_DISTINCT} clips of {{}} s", CLIP_SECONDS, spectrograms, costs)


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    print_rows(rows())


if __name__ == "__main__":
    main()
