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
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from benchmarks.accuracy import Accuracy, accuracy, anomaly_scores
from benchmarks.measure import MACHINES, Row, command_line, table_head, table_line
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

CARS = ("id_01", "id_02")
OTHER_CARS = ("id_03", "id_04")


@dataclass
class Split:
    """Training spectrograms of a machine, test spectrograms, and the labels of those."""

    train: np.ndarray
    test: np.ndarray
    y: np.ndarray


@dataclass
class Fleet:
    """Splits by machine, and training clips of these and of other machines with their ids."""

    splits: dict[str, Split]
    clips: np.ndarray
    machine_ids: np.ndarray


def load_split(path: Path, seed: int) -> Split:
    with np.load(path) as file:
        normal, anomaly = file["normal"].astype(np.float32), file["anomaly"].astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(normal))
    test = np.concatenate([normal[order[200:]], anomaly])
    y = np.repeat([1, -1], [len(order) - 200, len(anomaly)])
    return Split(train=normal[order[:200]], test=test, y=y)


def toy_cars(folder: Path, seed: int) -> Fleet:
    """Return two toy cars, and among the training clips those of two more."""
    splits = {car: load_split(folder / f"{car}.npz", seed) for car in CARS}
    train = {car: split.train for car, split in splits.items()}
    for car in OTHER_CARS:
        with np.load(folder / f"{car}_train.npz") as file:
            train[car] = file[file.files[0]].astype(np.float32)
    return make_fleet(splits, train)


def synthetic_machines(seed: int) -> Fleet:
    """Return a fan, a pump, a slider and a valve."""
    splits = {}
    for machine in MACHINES:
        clips, y = make_machine_sounds(
            machine, n_normal=100, n_anomalous=40, duration=4.0, random_state=seed
        )
        spectrograms = np.array(LogMelSpectrogram().transform(clips))
        splits[machine] = Split(train=spectrograms[:60], test=spectrograms[60:], y=y[60:])
    return make_fleet(splits, {machine: split.train for machine, split in splits.items()})


def make_fleet(splits: dict[str, Split], train: dict[str, np.ndarray]) -> Fleet:
    """Put splits and training clips by machine together."""
    machine_ids = np.repeat(list(train), [len(clips) for clips in train.values()])
    return Fleet(splits=splits, clips=np.concatenate(list(train.values())), machine_ids=machine_ids)


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
    "embedding": "`MachineIDEmbedding`, nearest neighbors",
    "embedding_unmixed": "`MachineIDEmbedding(mixup=0)`, nearest neighbors",
    "adacos": '`MachineIDEmbedding(loss="adacos")`, nearest neighbors',
    "adacos_unmixed": '`MachineIDEmbedding(loss="adacos", mixup=0)`, nearest neighbors',
    "plus": "`make_iaeo3_plus`",
    "plus_embedding": "`make_iaeo3_plus(embedding=...)`",
}
NEED_EMBEDDING = {
    "embedding": {},
    "embedding_unmixed": {"mixup": 0},
    "adacos": {"loss": "adacos"},
    "adacos_unmixed": {"loss": "adacos", "mixup": 0},
    "plus_embedding": {},
}
"""Settings of the embedding that a system takes."""
NEED_PYOD = {"ecod": "ECOD", "knn": "KNN", "lof": "LOF", "iforest": "IForest"}


def make_system(name: str, embedding: MachineIDEmbedding | None, random_state: int = 0):
    """Make the system of that name, not fitted."""
    # Ranked as the report ranks, by members that learn from all clips.
    seeded = {"input": "spectrograms", "cv": None, "random_state": random_state}
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
        case "embedding" | "embedding_unmixed" | "adacos" | "adacos_unmixed":
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


@dataclass
class Result:
    """How good a system is on a machine in one split."""

    system: str
    machine: str
    accuracy: Accuracy


def measure(folder: Path | None, seed: int, names: list[str]) -> Iterator[Result]:
    """Measure systems in one split."""
    fleet = toy_cars(folder, seed) if folder else synthetic_machines(seed)

    @cache
    def embed(**settings) -> MachineIDEmbedding:
        return MachineIDEmbedding(random_state=0, **settings).fit(fleet.clips, fleet.machine_ids)

    for name in names:
        embedding = embed(**NEED_EMBEDDING[name]) if name in NEED_EMBEDDING else None
        for machine, split in fleet.splits.items():
            system = make_system(name, embedding).fit(split.train)
            figures = accuracy(split.y, anomaly_scores(system, split.test))
            yield Result(system=name, machine=machine, accuracy=figures)


def rows(folder: Path | None = None) -> Iterator[Row]:
    """Measure every system in split 0, on toy cars where `folder` holds them."""
    baseline = {}
    for result in measure(folder, 0, available_systems()):
        area, partial = result.accuracy
        baseline.setdefault(result.machine, area)
        yield Row(
            part="f",
            what=f"AUC, {result.machine}, {SYSTEMS[result.system]}",
            value=area,
            unit="",
            ratio=area / baseline[result.machine],
            ratio_of="of the baseline's",
            note=f"pAUC {partial:.3f}",
        )


def table(results: dict) -> str:
    """Return the Markdown table of ``results[system][machine][split]``, AUC and pAUC."""
    machines = list(dict.fromkeys(machine for row in results.values() for machine in row))
    lines = [table_head(("system", *machines))]
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
        lines.append(table_line((SYSTEMS[name], *cells)))
    return "\n".join(lines)


def splits_parser(description: str, systems: dict[str, str]) -> argparse.ArgumentParser:
    """Return the parser of a benchmark over splits."""
    parser = command_line(description)
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--only", action="append", choices=systems, help="This system; repeatable.")
    parser.add_argument("--json", type=Path, help="Where to add the figures.")
    return parser


def read_results(path: Path | None) -> dict:
    """Return the results that are there already."""
    return json.loads(path.read_text()) if path and path.exists() else {}


def parse_splits(description: str, systems: dict[str, str]) -> tuple[argparse.Namespace, dict]:
    """Return the arguments of a benchmark over splits, and the results that are there already."""
    parser = splits_parser(description, systems)
    parser.add_argument("folder", nargs="?", type=Path)
    arguments = parser.parse_args()
    return arguments, read_results(arguments.json)


def main():
    arguments, results = parse_splits(__doc__, SYSTEMS)
    names = arguments.only or available_systems()
    for seed in range(arguments.splits):
        for result in measure(arguments.folder, seed, names):
            by_machine = results.setdefault(result.system, {})
            by_machine.setdefault(result.machine, {})[str(seed)] = result.accuracy
            print(f"split {seed}, {result.system}, {result.machine}: {result.accuracy}", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1))
    print(table(results))


if __name__ == "__main__":
    main()
