"""IAEO3 for one machine of 1,000 clips, by part, and the latency of a clip.

``python -m benchmarks.end_to_end``. The clips are 16-bit WAV files of 10 s at 16 kHz: 100 of a
synthetic pump, ten times each. The autoencoder has the report's 30 epochs. The fit of IAEO3, five
members, whose embeddings come from the cache, is held against the training of one autoencoder
alone, on spectrograms that are at hand; its scoring, without a cache, against that of one member.

OpenL3 has weights of the right shape, which its speed does not depend on. What scores was fitted
with one epoch, and where it has OpenL3 on 12 clips.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import skasd
from benchmarks.clips import GOLDEN_WEIGHTS, fit_with_openl3, write_clips
from benchmarks.iae_fit import MFLOP_PER_WINDOW
from benchmarks.imports import HIDE
from benchmarks.measure import Cost, Row, apart, cost, milliseconds_of, product_gflops, run
from skasd import InterpolationAutoencoder, LogMelSpectrogram, OpenL3Embedding, make_iaeo3

N_CLIPS, N_DISTINCT, SECONDS, EPOCHS = 1000, 100, 10.0, 30
N_WARM, N_COLD = 200, 20

COLD_SCORE = HIDE + "import skasd; skasd.load(sys.argv[1]).score_samples([sys.argv[2]])"


@dataclass
class Scoring:
    """What the same clips cost all five members, and one alone."""

    five: Cost
    one: Cost


def score(detector, paths: list[str]) -> Scoring:
    with cost() as one:
        detector.estimators_[0].score_samples(paths)
    with cost() as five:
        detector.score_samples(paths)
    return Scoring(five=five, one=one)


def fit_by_part(paths: list[str], model: Path) -> list[Row]:
    """Fit and score in this process; save the detector."""
    make_iaeo3(openl3=False, epochs=1, random_state=0).fit(paths[:10])
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
        iaeo3 = make_iaeo3(weights=GOLDEN_WEIGHTS, epochs=EPOCHS, random_state=0)
        prefix = "estimator__features__openl3__embedding__"
        iaeo3.set_params(**{prefix + name: value for name, value in openl3.items()}).fit(paths)
    detector = make_iaeo3(openl3=False, epochs=1, random_state=0).fit(paths)
    skasd.save(detector, model)
    scoring = score(detector, paths)
    seconds_of_sound = len(paths) * SECONDS
    gflops = MFLOP_PER_WINDOW * n_windows * EPOCHS / training.seconds / 1e3
    return [
        Row(
            part="d",
            what=f"spectrograms of {len(paths)} clips of {SECONDS:g} s",
            value=analysis.seconds,
            unit="s",
            ratio=analysis.seconds / fit.seconds,
            ratio_of="of the fit of five members",
            note=f"{seconds_of_sound / analysis.seconds:.0f} x real time",
        ),
        Row(
            part="d",
            what=f"training of one IAE, {EPOCHS} epochs",
            value=training.seconds,
            unit="s",
            ratio=gflops / product,
            ratio_of="of the float32 product's speed",
            note=f"{training.megabytes:.0f} MB above the spectrograms",
        ),
        Row(
            part="d",
            what="fit of IAEO3, five members, from files, embeddings from the cache",
            value=fit.seconds,
            unit="s",
            ratio=fit.seconds / training.seconds,
            ratio_of="times the training of one IAE",
            note=f"{fit.megabytes:.0f} MB",
        ),
        Row(
            part="d",
            what=f"scoring of {len(paths)} clips from files without OpenL3, five members",
            value=scoring.five.seconds,
            unit="s",
            ratio=scoring.five.seconds / scoring.one.seconds,
            ratio_of="times one member",
            note=f"{scoring.five.megabytes:.0f} MB",
        ),
        Row(
            part="d",
            what="scoring without OpenL3, five members, many clips",
            value=len(paths) / scoring.five.seconds,
            unit="clips/s",
            ratio=seconds_of_sound / scoring.five.seconds,
            ratio_of="times real time",
        ),
    ]


def warm_latency(path: str, model: Path) -> list[float]:
    """Return the milliseconds from a file to its score, each time."""
    detector = skasd.load(model)
    return milliseconds_of(lambda: detector.score_samples([path]), n_first=3, n=N_WARM)


def cold_latency(path: str, model: Path) -> list[float]:
    """Return the milliseconds from the start of a process to its score, each time."""
    command = [sys.executable, "-c", COLD_SCORE, model, path]
    return milliseconds_of(lambda: subprocess.run(command, check=True), n_first=1, n=N_COLD)


def score_with_openl3(paths: list[str], hop_size: float, n_scored: int) -> Scoring:
    detector = fit_with_openl3(paths[:12], hop_size=hop_size)
    return score(detector, paths[12 : 12 + n_scored])


def rows() -> Iterator[Row]:
    """Measure the parts, then the latency, then with OpenL3."""
    with tempfile.TemporaryDirectory() as folder:
        distinct, _ = write_clips(Path(folder), "pump", n_normal=N_DISTINCT, duration=SECONDS)
        model = Path(folder, "pump.skasd")
        yield from apart(fit_by_part, N_CLIPS // N_DISTINCT * distinct, model)
        for name, latency in (("loaded", warm_latency), ("process start", cold_latency)):
            p50, p99 = np.percentile(apart(latency, distinct[0], model), [50, 99])
            yield Row(
                part="d",
                what=f"one file to its score, five members, p50, from: {name}",
                value=p50,
                unit="ms",
                ratio=1e3 * SECONDS / p50,
                ratio_of="times real time",
                note=f"p99 {p99:.0f} ms",
            )
        for hop_size, n_scored in ((0.1, 6), (1.0, 40)):
            scoring = apart(score_with_openl3, distinct, hop_size, n_scored)
            what = f"scoring with OpenL3, five members, hop {hop_size:g} s"
            yield Row(
                part="d",
                what=what,
                value=n_scored / scoring.five.seconds,
                unit="clips/s",
                ratio=n_scored * SECONDS / scoring.five.seconds,
                ratio_of="times real time",
            )
            yield Row(
                part="d",
                what=what,
                value=scoring.five.seconds / n_scored,
                unit="s a clip",
                ratio=scoring.five.seconds / scoring.one.seconds,
                ratio_of="times one member",
            )


if __name__ == "__main__":
    run(__doc__, rows)
