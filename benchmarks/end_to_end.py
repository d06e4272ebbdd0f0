"""IAEO3 for one machine of 1,000 clips, by part, and the latency of a clip.

``python -m benchmarks.end_to_end``. The clips are 16-bit WAV files of 10 s at 16 kHz: 100 of a
synthetic pump, ten times each. The autoencoder has the report's 30 epochs. The fit of IAEO3, five
members, whose embeddings come from the cache, is held against the training of one autoencoder
alone, on spectrograms that are at hand; its scoring, without a cache, against that of one member.

OpenL3 has weights of the right shape, which its speed does not depend on. What scores was fitted
with one epoch, and where it has OpenL3 on 12 clips.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import skasd
from benchmarks.clips import GOLDEN_WEIGHTS, write_clips
from benchmarks.iae_fit import MFLOP_PER_WINDOW
from benchmarks.measure import Row, apart, cost, print_rows, product_gflops
from skasd import InterpolationAutoencoder, LogMelSpectrogram, OpenL3Embedding, make_iaeo3

N_CLIPS, N_DISTINCT, SECONDS, EPOCHS = 1000, 100, 10.0, 30
N_WARM, N_COLD = 200, 20

COLD_SCORE = """
import sys

class WithoutTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, WithoutTorch())
import skasd

skasd.load(sys.argv[1]).score_samples([sys.argv[2]])
"""
"""Without PyTorch, which our peers need: skops would import it, for longer than all the rest."""


def fit_by_part(paths: list[str], model: Path) -> list[Row]:
    """Fit and score in this process; save the detector."""
    make_iaeo3(openl3=False, epochs=1, random_state=0).fit(paths[:5])
    product = product_gflops()
    with cost() as analysis:
        spectrograms = LogMelSpectrogram().transform(paths)
    n_windows = sum(len(spectrogram) - 4 for spectrogram in spectrograms)
    with cost() as training:
        InterpolationAutoencoder(epochs=EPOCHS, random_state=0).fit(spectrograms)
    del spectrograms
    openl3 = {"weights": GOLDEN_WEIGHTS, "hop_size": 1.0, "cache": model.parent / "embeddings"}
    OpenL3Embedding(**openl3).fit_transform(paths[:N_DISTINCT])
    with cost() as fit:
        make_iaeo3(**openl3, epochs=EPOCHS, random_state=0).fit(paths)
    detector = make_iaeo3(openl3=False, epochs=1, random_state=0).fit(paths)
    skasd.save(detector, model)
    with cost() as one:
        detector.estimators_[0].score_samples(paths)
    with cost() as five:
        detector.score_samples(paths)
    seconds_of_sound = len(paths) * SECONDS
    gflops = MFLOP_PER_WINDOW * n_windows * EPOCHS / training.seconds / 1e3
    return [
        row(
            f"spectrograms of {len(paths)} clips of {SECONDS:g} s",
            *(analysis.seconds, "s", analysis.seconds / fit.seconds, "of the fit of five members"),
            note=f"{seconds_of_sound / analysis.seconds:.0f} x real time",
        ),
        row(
            f"training of one IAE, {EPOCHS} epochs",
            *(training.seconds, "s", gflops / product, "of the float32 product's speed"),
            note=f"{training.megabytes:.0f} MB above the spectrograms",
        ),
        row(
            "fit of IAEO3, five members, from files, embeddings from the cache",
            *(fit.seconds, "s", fit.seconds / training.seconds, "times the training of one IAE"),
            note=f"{fit.megabytes:.0f} MB",
        ),
        row(
            f"scoring of {len(paths)} clips from files without OpenL3, five members",
            *(five.seconds, "s", five.seconds / one.seconds, "times one member"),
            note=f"{five.megabytes:.0f} MB",
        ),
        row(
            "scoring without OpenL3, five members, many clips",
            *(len(paths) / five.seconds, "clips/s"),
            *(seconds_of_sound / five.seconds, "times real time"),
        ),
    ]


def row(what, value, unit, ratio=None, ratio_of="", note="") -> Row:
    return Row("d", what, value, unit, ratio, ratio_of, note)


def warm_latency(path: str, model: Path) -> list[float]:
    """Return the milliseconds from a file to its score, each time."""
    detector = skasd.load(model)
    milliseconds = []
    for _ in range(N_WARM + 3):
        start = time.perf_counter()
        detector.score_samples([path])
        milliseconds.append(1e3 * (time.perf_counter() - start))
    return milliseconds[3:]


def cold_latency(path: str, model: Path) -> list[float]:
    """Return the milliseconds from the start of a process to its score, each time."""
    milliseconds = []
    for _ in range(N_COLD + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", COLD_SCORE, model, path], check=True)
        milliseconds.append(1e3 * (time.perf_counter() - start))
    return milliseconds[1:]


def score_with_openl3(paths: list[str], hop_size: float, n_scored: int) -> tuple[float, float]:
    """Return the seconds that IAEO3 with OpenL3 takes to score, and one of its members alone."""
    detector = make_iaeo3(
        weights=GOLDEN_WEIGHTS,
        hop_size=hop_size,
        cache=None,
        epochs=1,
        n_components=1,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fewer clips than principal components
        detector.fit(paths[:12])
    with cost() as one:
        detector.estimators_[0].score_samples(paths[12 : 12 + n_scored])
    with cost() as five:
        detector.score_samples(paths[12 : 12 + n_scored])
    return five.seconds, one.seconds


def rows() -> Iterator[Row]:
    """Measure the parts, then the latency, then with OpenL3."""
    with tempfile.TemporaryDirectory() as folder:
        distinct, _ = write_clips(Path(folder), "pump", n_normal=N_DISTINCT, duration=SECONDS)
        model = Path(folder, "pump.skasd")
        yield from apart(fit_by_part, N_CLIPS // N_DISTINCT * distinct, model)
        for name, latency in (("loaded", warm_latency), ("process start", cold_latency)):
            p50, p99 = np.percentile(apart(latency, distinct[0], model), [50, 99])
            note = f"p99 {p99:.0f} ms"
            what = f"one file to its score, five members, p50, from: {name}"
            yield row(what, p50, "ms", 1e3 * SECONDS / p50, "times real time", note)
        for hop_size, n_scored in ((0.1, 6), (1.0, 40)):
            five, one = apart(score_with_openl3, distinct, hop_size, n_scored)
            what = f"scoring with OpenL3, five members, hop {hop_size:g} s"
            ratio = n_scored * SECONDS / five
            yield row(what, n_scored / five, "clips/s", ratio, "times real time")
            yield row(what, five / n_scored, "s a clip", five / one, "times one member")


def main():
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    print_rows(rows())


if __name__ == "__main__":
    main()
