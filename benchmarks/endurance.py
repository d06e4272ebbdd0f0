"""A week of monitoring, fast forward: ``python -m benchmarks.endurance --weights FILE``.

A stream of a synthetic machine goes through `skasd.Monitor`, as fast as it is scored, and its
events into an event file. The detector has an autoencoder and OpenL3 in it. Faults raise the alarm
now and then, and samples are lost. With every hour of sound, memory, descriptors, threads and
files are counted. Printed is how many MB memory has grown by in 100 hours, by least squares,
without the first tenth. ``--minutes`` ends a run that would take too long: what was run is said,
and no more is claimed.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import FeatureUnion, make_pipeline

import skasd
from benchmarks.measure import command_line, memory
from skasd.datasets import make_machine_sounds
from skasd.monitoring import EventFile

RATE = 16000
HOUR = 3600 * RATE
N_TRAIN = 24
LONGEST_BLOCK = 60_000
"""Samples that come at once: 1 to so many."""


@dataclass
class Census:
    """What the process holds after some hours of sound."""

    hours: float
    megabytes: float
    descriptors: int
    threads: int
    files: int

    @classmethod
    def take(cls, hours: float, folder: Path) -> "Census":
        """Count."""
        return cls(
            hours,
            memory("VmRSS"),
            len(os.listdir("/proc/self/fd")),
            threading.active_count(),
            sum(len(files) for _, _, files in os.walk(folder)),
        )

    def __str__(self) -> str:
        return (
            f"{self.hours:.1f} h: {self.megabytes:.1f} MB, {self.descriptors} descriptors, "
            f"{self.threads} threads, {self.files} files"
        )


def make_detector(weights: Path, clips: list[np.ndarray], window: float) -> Any:
    """Fit an autoencoder and OpenL3, which sees a second at each end of a window, side by side."""
    autoencoder = make_pipeline(
        skasd.LogMelSpectrogram(n_mels=32, hop_length=1024),
        skasd.InterpolationAutoencoder(epochs=1, random_state=0),
    )
    embedding = skasd.OpenL3Embedding(
        "mel128", hop_size=window, center=False, weights=weights, cache=None
    )
    openl3 = make_pipeline(embedding, skasd.PrincipalComponents(5))
    features = FeatureUnion([("autoencoder", autoencoder), ("openl3", openl3)])
    return make_pipeline(features, skasd.GaussianMixtureDetector(random_state=0)).fit(clips)


def make_stream(pieces: np.ndarray, faults: np.ndarray, hours: float) -> Iterator[np.ndarray]:
    """Yield blocks of any size: healthy pieces, two hours of a fault a day, lost samples."""
    rng = np.random.default_rng(0)
    n_yielded, n_samples = 0, round(hours * HOUR)
    while n_yielded < n_samples:
        in_day = n_yielded / HOUR % 24
        piece = rng.choice(faults if 12 <= in_day < 14 else pieces).astype(np.float32)
        if rng.random() < 0.0005:
            piece[:100] = np.nan
        n_yielded += len(piece)
        while len(piece):
            size = rng.integers(1, LONGEST_BLOCK)
            yield piece[:size]
            piece = piece[size:]


def watch(arguments: Any, folder: Path) -> list[Census]:
    """Monitor the stream, and count every hour."""
    sounds, y = make_machine_sounds("pump", n_normal=120, n_anomalous=4, random_state=0)
    pieces, faults = sounds[y == 1], sounds[y == -1]
    rng, n_joined = np.random.default_rng(1), max(1, round(arguments.window / 10))
    train = [np.concatenate(rng.choice(pieces, n_joined)) for _ in range(N_TRAIN)]
    detector = make_detector(arguments.weights, train, arguments.window)
    monitor = skasd.Monitor(detector, clip_seconds=arguments.window, sample_rate=RATE)
    del train
    stream = make_stream(pieces, faults, arguments.hours)
    censuses: list[Census] = []
    begin, hours = time.perf_counter(), 0
    raised = failed = anomalous = n_events = 0
    with EventFile(folder / "events.jsonl", {"source": "endurance"}) as file:
        for event in monitor.stream(stream):
            file.append(event)
            n_events += 1
            raised += event.alarm_change == "raised"
            failed += event.error is not None
            anomalous += event.is_anomalous
            if event.end >= 3600 * (hours + 1):
                hours += 1
                censuses.append(Census.take(hours, folder))
                if hours % 10 == 0 or hours == 1:
                    print(censuses[-1], flush=True)
            if time.perf_counter() - begin > 60 * arguments.minutes:
                print(f"stopped after {arguments.minutes:g} minutes")
                break
    seconds = time.perf_counter() - begin
    print(
        f"{censuses[-1].hours if censuses else 0} of {arguments.hours:g} h in {seconds:.0f} s; "
        f"{n_events} windows of {arguments.window:g} s, {anomalous} anomalous, {failed} with lost "
        f"samples, {raised} alarms"
    )
    print("files:", *sorted(path.name for path in folder.rglob("*") if path.is_file()))
    return censuses


def judge(censuses: list[Census]) -> None:
    """Print how memory has grown, and what has come to be that was not there."""
    settled = censuses[len(censuses) // 10 :]
    hours, megabytes = ([getattr(c, name) for c in settled] for name in ("hours", "megabytes"))
    slope = np.polyfit(hours, megabytes, 1)[0]
    print(
        f"memory: {100 * slope:+.2f} MB per 100 h, between {min(megabytes):.1f} and "
        f"{max(megabytes):.1f} MB"
    )
    for name in ("descriptors", "threads", "files"):
        counts = [getattr(census, name) for census in settled]
        print(f"{name}: {counts[0]} at first, {max(counts)} at most, {counts[-1]} at last")


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="OpenL3's, for mel128.")
    parser.add_argument("--hours", type=float, default=200)
    parser.add_argument("--window", type=float, default=60, help="Length of one, in s.")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Stop after that.")
    arguments = parser.parse_args()
    arguments.weights = arguments.weights.absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Whatever is left anywhere is left here.
        tempfile.tempdir = name
        os.environ["TMPDIR"] = os.environ["XDG_CACHE_HOME"] = name
        censuses = watch(arguments, folder)
    if len(censuses) < 10:
        sys.exit("too short to say how memory grows")
    judge(censuses)


if __name__ == "__main__":
    main()
