"""How time and memory grow: ``python -m benchmarks.growth``.

IAEO3 without OpenL3, five members of one epoch, from WAV files: of 100 to 10,000 clips of 10 s, and
of 100 clips of 1 to 64 s. Files are those of 100 clips, again and again. Each size has a process
of its own; memory is what it takes above the imports and a first small fit, which starts JAX.
``python -m benchmarks.fleet`` does so for machines.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.clips import write_clips
from benchmarks.measure import Cost, Row, apart, cost, run
from skasd import make_iaeo3

N_CLIPS = (100, 1000, 10_000)
CLIP_SECONDS = (1.0, 4.0, 16.0, 64.0)
N_DISTINCT = 100


def detector():
    return make_iaeo3(openl3=False, epochs=1, random_state=0).set_params(
        estimator__detector__n_components=1
    )


def measure_fit(paths: list[str]) -> Cost:
    detector().fit(paths[:10])
    with cost() as spent:
        detector().fit(paths)
    return spent


def measure_score(paths: list[str]) -> Cost:
    """Score in a process whose heap no large fit has widened."""
    fitted = detector().fit(paths[:20])
    with cost() as spent:
        fitted.score_samples(paths)
    return spent


def spectrogram_megabytes(n_clips: int, seconds: float) -> float:
    """Return what the float32 spectrograms of all clips take: 128 bands, a frame in 32 ms."""
    return n_clips * (1 + seconds * 16000 // 512) * 128 * 4 / 1e6


def rows_of(
    what: str,
    *,
    sizes: Sequence[float],
    clip_seconds: Sequence[float],
    paths_of: Callable[[float], list[str]],
) -> Iterator[Row]:
    """Measure each size, and how cost grows between the last two."""
    for name, measure in (("fit", measure_fit), ("score", measure_score)):
        costs, spectrograms = [], []
        for size, seconds in zip(sizes, clip_seconds, strict=True):
            paths = paths_of(size)
            costs.append(apart(measure, paths))
            spectrograms.append(spectrogram_megabytes(len(paths), seconds))
            taken = costs[-1].megabytes
            yield Row(
                part="e",
                what=f"{name}, {what.format(f'{size:g}')}",
                value=costs[-1].seconds,
                unit="s",
                ratio=taken / spectrograms[-1],
                ratio_of="memory of the float32 spectrograms",
                note=f"{taken:.0f} MB",
            )
        seconds = [each.seconds for each in costs[-2:]]
        exponent = np.diff(np.log(seconds))[0] / np.diff(np.log(sizes[-2:]))[0]
        megabytes = [each.megabytes for each in costs[-2:]]
        slope = np.diff(megabytes)[0] / np.diff(spectrograms[-2:])[0]
        yield Row(
            part="e",
            what=f"{name}, {what.format('n')}: growth of time",
            value=exponent,
            unit="",
            ratio=exponent,
            ratio_of="exponent, between the last two",
            note=f"{slope:.2f} MB for each MB of spectrograms",
        )


def rows() -> Iterator[Row]:
    """Measure all sizes."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for seconds in {10.0, *CLIP_SECONDS}:
            paths[seconds], _ = write_clips(
                Path(folder, f"{seconds:g}"), "pump", n_normal=N_DISTINCT, duration=seconds
            )
        yield from rows_of(
            "{} clips of 10 s",
            sizes=N_CLIPS,
            clip_seconds=[10.0] * len(N_CLIPS),
            paths_of=lambda n: n // N_DISTINCT * paths[10.0],
        )
        yield from rows_of(
            f"{N_DISTINCT} clips of {{}} s",
            sizes=CLIP_SECONDS,
            clip_seconds=CLIP_SECONDS,
            paths_of=lambda seconds: paths[seconds],
        )


if __name__ == "__main__":
    run(__doc__, rows)
