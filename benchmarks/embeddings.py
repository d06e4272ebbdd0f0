"""What spectra of whole clips add to `MachineIDEmbedding`: ``python -m benchmarks.embeddings``.

    python -m benchmarks.embeddings --json benchmarks/embeddings.json
    python -m benchmarks.embeddings --quick                         # one kind, 4 epochs, a minute
    python -m benchmarks.embeddings --fleets 0 --json benchmarks/embeddings.json   # the table alone

A fleet is eight synthetic machines of one kind, of `skasd.datasets.make_machine_sounds`, each of
which runs at two speeds, the second 8 % faster: its attribute. For each machine and speed, 20
normal clips of 4 s train, and 20 normal and 20 anomalous ones test. The embeddings learn sixteen
classes, machines and speeds; a detector of nearest neighbors is fitted on the embeddings of each
machine. All parameters are the defaults, but the loss and the metric.

Figures are AUC and pAUC, means over the eight machines of a kind. ``--json FILE`` adds to what FILE
holds.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from benchmarks.accuracy import accuracy, anomaly_scores
from benchmarks.measure import MACHINES, table_head, table_line
from benchmarks.toycar import read_results
from skasd import (
    LogMelSpectrogram,
    MachineIDEmbedding,
    NearestNeighborsDetector,
    PowerSpectrum,
    SpectrumEmbedding,
)
from skasd.datasets import make_machine_sounds

N_MACHINES, SPEEDS = 8, (1.0, 1.08)
SECONDS, RATE = 4.0, 16000
N_TRAIN, N_NORMAL, N_ANOMALOUS = 20, 20, 20
LOSSES, METRICS = ("arcface", "adacos"), ("mahalanobis", "cosine")
INPUTS = {
    "levels": "`MachineIDEmbedding`",
    "spectrum": "`SpectrumEmbedding`",
    "both": "both, side by side",
}


class Fleet(NamedTuple):
    """Spectrograms and spectra of all clips, and what they are."""

    spectrograms: np.ndarray
    spectra: np.ndarray
    machines: np.ndarray
    speeds: np.ndarray
    y: np.ndarray
    is_train: np.ndarray


def make_fleet(kind: str, seed: int) -> Fleet:
    """Return the fleet of that seed."""
    parts = []
    for machine in range(N_MACHINES):
        sounds, y = make_machine_sounds(
            kind,
            n_normal=2 * (N_TRAIN + N_NORMAL),
            n_anomalous=2 * N_ANOMALOUS,
            duration=SECONDS * max(SPEEDS) + 0.01,
            random_state=N_MACHINES * seed + machine,
        )
        # Faults grow from clip to clip: each speed has every other one.
        speeds = np.array(SPEEDS)[np.arange(len(sounds)) % 2]
        n_samples = round(SECONDS * RATE)
        clips = np.array(
            [
                (sound if speed == 1 else soxr.resample(sound, RATE, RATE / speed))[:n_samples]
                for sound, speed in zip(sounds, speeds, strict=True)
            ]
        )
        parts.append(
            Fleet(
                spectrograms=np.array(LogMelSpectrogram().transform(clips)),
                spectra=PowerSpectrum().transform(clips),
                machines=np.full(len(clips), machine),
                speeds=speeds,
                y=y,
                is_train=np.arange(len(clips)) < 2 * N_TRAIN,
            )
        )
    return Fleet(*map(np.concatenate, zip(*parts, strict=True)))


def measure(fleet: Fleet, loss: str, **settings) -> Iterator[tuple[str, list]]:
    """Train both embeddings with a loss, and yield the figures of each machine by system."""
    train = fleet.is_train
    classes = [f"{m}_{s}" for m, s in zip(fleet.machines[train], fleet.speeds[train], strict=True)]
    embeddings = {}
    for name, embedding, X in (
        ("levels", MachineIDEmbedding, fleet.spectrograms),
        ("spectrum", SpectrumEmbedding, fleet.spectra),
    ):
        start = time.process_time()
        fitted = embedding(loss=loss, random_state=0, **settings).fit(X[train], classes)
        print(f"{loss}, {name}: {time.process_time() - start:.0f} s of CPU to train", flush=True)
        embeddings[name] = fitted.transform(X)
    embeddings["both"] = np.hstack(list(embeddings.values()))
    for name, features in embeddings.items():
        for metric in METRICS:
            figures = []
            for machine in range(N_MACHINES):
                own, others = ((fleet.machines == machine) & part for part in (train, ~train))
                detector = NearestNeighborsDetector(metric=metric).fit(features[own])
                scores = anomaly_scores(detector, features[others])
                figures.append(accuracy(fleet.y[others], scores))
            yield f"{name} {loss} {metric}", figures


def table(results: dict) -> str:
    """Return the Markdown table of ``results[system][kind and seed][machine]``."""
    kinds = [kind for kind in MACHINES if any(f"{kind} 0" in runs for runs in results.values())]
    lines = [table_head(("embedding", "loss", "metric", *kinds, "mean"))]
    for system, runs in results.items():
        name, loss, metric = system.split()
        by_kind = [
            np.concatenate([figures for run, figures in runs.items() if run.startswith(kind)])
            for kind in kinds
        ]
        means = [*(each.mean(axis=0) for each in by_kind), np.concatenate(by_kind).mean(axis=0)]
        cells = [f"{area:.3f} / {partial:.3f}" for area, partial in means]
        lines.append(table_line((INPUTS[name], f"`{loss}`", f"`{metric}`", *cells)))
    return "\n".join(lines)


def gains(results: dict) -> str:
    """Return what both add to the levels alone: AUC, and its standard error over machines."""
    lines = []
    for loss in LOSSES:
        for metric in METRICS:
            both, levels = (
                np.concatenate(list(results[f"{name} {loss} {metric}"].values()))[:, 0]
                for name in ("both", "levels")
            )
            gain = both - levels
            error = gain.std(ddof=1) / np.sqrt(len(gain))
            lines.append(
                f"{loss}, {metric}: {gain.mean():+.3f} ± {error:.3f}, higher for "
                f"{np.sum(gain > 0)} of {len(gain)} machines, lower for {np.sum(gain < 0)}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fleets", type=int, default=1, help="Fleets of each kind.")
    parser.add_argument("--quick", action="store_true", help="One kind, and 4 epochs.")
    parser.add_argument("--json", type=Path, help="File of the figures.")
    arguments = parser.parse_args()
    results = read_results(arguments.json)
    settings = {"epochs": 4} if arguments.quick else {}
    for seed in range(arguments.fleets):
        for kind in MACHINES[:1] if arguments.quick else MACHINES:
            fleet = make_fleet(kind, seed)
            for loss in LOSSES:
                for system, figures in measure(fleet, loss, **settings):
                    results.setdefault(system, {})[f"{kind} {seed}"] = figures
                    means = np.mean(figures, axis=0).round(3)
                    print(f"{kind} {seed}, {system}: {means}", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    print(gains(results))


if __name__ == "__main__":
    main()
