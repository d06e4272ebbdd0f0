"""Every system on the toy-car protocol and on synthetic machines: ``python -m benchmarks.toycar``.

    python -m benchmarks.toycar FOLDER --splits 5       # toy cars
    python -m benchmarks.toycar --splits 5              # synthetic machines
    python -m benchmarks.toycar FOLDER --only plus --only levels --json results.json

FOLDER holds ``id_01.npz`` and ``id_02.npz``: log-mel spectrograms of the DCASE 2020 development
test clips of two toy cars, keys ``normal`` and ``anomaly``. Of the normal clips, permuted with the
split's seed, the first 200 train; the others and every anomalous one test. ``id_03_train.npz`` and
``id_04_train.npz`` hold training clips of two more cars, for `MachineIDEmbedding` alone.

A split of the synthetic machines is another machine of each type: 60 clips train, 40 normal and 40
anomalous ones test.

Figures are AUC / pAUC, mean ± standard deviation over the splits. ``--json FILE`` adds them to
those that FILE holds, and the table shows all of them: it can be put together from several runs.
Detectors of PyOD stand at the end of our pipeline where it is installed.
"""

import argparse
import json
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from benchmarks.measure import Row, anomaly_scores
from skasd import (
    FusionDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    MachineIDEmbedding,
    NearestNeighborsDetector,
    TimeWeightedPooling,
    make_baseline,
    make_iaeo3,
    make_iaeo3_plus,
)
from skasd.datasets import make_machine_sounds
from skasd.metrics import auc, pauc

CARS = ("id_01", "id_02")
OTHER_CARS = ("id_03", "id_04")
MACHINES = ("fan", "pump", "slider", "valve")


def load_split(path: Path, seed: int = 0):
    """Return training spectrograms, test spectrograms, and the labels of those."""
    with np.load(path) as file:
        normal, anomaly = file["normal"].astype(np.float32), file["anomaly"].astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(normal))
    test = np.concatenate([normal[order[200:]], anomaly])
    return normal[order[:200]], test, np.repeat([1, -1], [len(order) - 200, len(anomaly)])


def toy_cars(folder: Path, seed: int):
    """Return training and test clips by car, and the training clips of all cars with their ids."""
    splits = {car: load_split(folder / f"{car}.npz", seed) for car in CARS}
    fleet = [splits[car][0] for car in CARS]
    for car in OTHER_CARS:
        with np.load(folder / f"{car}_train.npz") as file:
            fleet.append(file[file.files[0]].astype(np.float32))
    machine_ids = np.repeat([*CARS, *OTHER_CARS], [len(clips) for clips in fleet])
    return splits, np.concatenate(fleet), machine_ids


def synthetic_machines(seed: int):
    """Return the same of a fan, a pump, a slider and a valve."""
    splits = {}
    for machine in MACHINES:
        clips, y = make_machine_sounds(
            machine, n_normal=100, n_anomalous=40, duration=4.0, random_state=seed
        )
        spectrograms = np.array(LogMelSpectrogram().transform(clips))
        splits[machine] = spectrograms[:60], spectrograms[60:], y[60:]
    fleet = [splits[machine][0] for machine in MACHINES]
    machine_ids = np.repeat(MACHINES, [len(clips) for clips in fleet])
    return splits, np.concatenate(fleet), machine_ids


SYSTEMS = {
    "baseline": "`make_baseline`",
    "iae": '`make_iaeo3(score="mean")`: IAE alone, minimum of 2 seeds',
    "iaeo3": "`make_iaeo3`: five statistics, 3-component mixture",
    "levels": "levels averaged over time, one shrunk Gaussian",
    "fusion": "fusion of the IAE and the averaged levels",
    "ecod": "averaged levels, PyOD's `ECOD`",
    "knn": "averaged levels, PyOD's `KNN`",
    "lof": "averaged levels, PyOD's `LOF`",
    "iforest": "averaged levels, PyOD's `IForest`",
    "embedding": "`MachineIDEmbedding`, nearest neighbours",
    "plus": "`make_iaeo3_plus`",
    "plus_embedding": "`make_iaeo3_plus(embedding=...)`",
}
NEED_EMBEDDING = {"embedding", "plus_embedding"}
NEED_PYOD = {"ecod": "ECOD", "knn": "KNN", "lof": "LOF", "iforest": "IForest"}


def make_system(name: str, embedding: MachineIDEmbedding | None, random_state: int = 0):
    """Make the system of that name, not fitted."""
    seeded = {"input": "spectrograms", "random_state": random_state}
    iaeo3 = {"openl3": False, **seeded}
    levels = make_pipeline(TimeWeightedPooling(), GaussianMixtureDetector(random_state=0))
    match name:
        case "baseline":
            return make_baseline(**seeded)
        case "iae":
            return make_iaeo3(score="mean", n_repeats=2, **iaeo3)
        case "iaeo3":
            return make_iaeo3(**iaeo3)
        case "levels":
            return levels
        case "fusion":
            iae = make_iaeo3(score="mean", n_repeats=1, **iaeo3)
            return FusionDetector([("iae", iae), ("levels", levels)], cv=2)
        case "embedding":
            return make_pipeline(FrozenEstimator(embedding), NearestNeighborsDetector())
        case "plus":
            return make_iaeo3_plus(**seeded)
        case "plus_embedding":
            return make_iaeo3_plus(embedding=embedding, **seeded)
        case _:
            module = import_module(f"pyod.models.{name}")
            return make_pipeline(TimeWeightedPooling(), getattr(module, NEED_PYOD[name])())


def available_systems() -> list[str]:
    """Return the names of all systems, without PyOD's where it is not installed."""
    without = set() if find_spec("pyod") else NEED_PYOD.keys()
    return [name for name in SYSTEMS if name not in without]


def measure(folder: Path | None, seed: int, names: list[str]) -> Iterator[tuple]:
    """Yield system, machine, AUC and pAUC in one split."""
    splits, fleet, machine_ids = toy_cars(folder, seed) if folder else synthetic_machines(seed)
    embedding = None
    if NEED_EMBEDDING & set(names):
        embedding = MachineIDEmbedding(random_state=0).fit(fleet, machine_ids)
    for name in names:
        for machine, (train, test, y) in splits.items():
            scores = anomaly_scores(make_system(name, embedding).fit(train), test)
            yield name, machine, (auc(y, scores), pauc(y, scores))


def rows(folder: Path | None = None) -> Iterator[Row]:
    """Measure every system in split 0, on toy cars where `folder` holds them."""
    baseline = {}
    for name, machine, (area, partial) in measure(folder, 0, available_systems()):
        baseline.setdefault(machine, area)
        what = f"AUC, {machine}, {SYSTEMS[name]}"
        ratio = area / baseline[machine]
        yield Row("f", what, area, "", ratio, "of the baseline's", f"pAUC {partial:.3f}")


def table(results: dict) -> str:
    """Return the Markdown table of ``results[system][machine][split]``, AUC and pAUC."""
    machines = list(dict.fromkeys(machine for row in results.values() for machine in row))
    lines = [f"| system | {' | '.join(machines)} |", f"| --- |{' --- |' * len(machines)}"]
    for name in (name for name in SYSTEMS if name in results):
        cells = []
        for machine in machines:
            figures = list(results[name].get(machine, {}).values())
            means, spreads = np.mean(figures, axis=0), np.std(figures, axis=0)
            cells.append(
                " / ".join(
                    f"{mean:.3f} ± {spread:.3f}" if len(figures) > 1 else f"{mean:.3f}"
                    for mean, spread in zip(means, spreads, strict=True)
                )
            )
        lines.append(f"| {SYSTEMS[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--only", action="append", choices=SYSTEMS, help="This system; repeatable.")
    parser.add_argument("--json", type=Path, help="Where to add the figures.")
    arguments = parser.parse_args()
    results = {}
    if arguments.json and arguments.json.exists():
        results = json.loads(arguments.json.read_text())
    names = arguments.only or available_systems()
    for seed in range(arguments.splits):
        for name, machine, figures in measure(arguments.folder, seed, names):
            results.setdefault(name, {}).setdefault(machine, {})[str(seed)] = figures
            print(f"split {seed}, {name}, {machine}: {figures}", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1))
    print(table(results))


if __name__ == "__main__":
    main()
