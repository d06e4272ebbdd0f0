"""Every system on the toy-car protocol and on synthetic machines: ``python -m benchmarks.toycar``.

    python -m benchmarks.toycar FOLDER --splits 5       # toy cars
    python -m benchmarks.toycar --splits 5              # synthetic machines

FOLDER holds ``id_01.npz`` and ``id_02.npz``: log-mel spectrograms of the DCASE 2020 development
test clips of two toy cars, keys ``normal`` and ``anomaly``. Of the normal clips, permuted with the
split's seed, the first 200 train; the others and every anomalous one test. ``id_03_train.npz`` and
``id_04_train.npz`` hold training clips of two more cars, for `MachineIDEmbedding` alone.

A split of the synthetic machines is another machine of each type: 60 clips train, 40 normal and 40
anomalous ones test.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

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


def systems(embedding: MachineIDEmbedding, random_state: int = 0):
    """Return the systems to compare, by name."""
    iae = {"input": "spectrograms", "openl3": False, "random_state": random_state}
    plus = {"input": "spectrograms", "random_state": random_state}
    twfr = make_pipeline(TimeWeightedPooling(), GaussianMixtureDetector())
    neighbours = make_pipeline(FrozenEstimator(embedding), NearestNeighborsDetector())
    return {
        "levels averaged over time, one shrunk Gaussian": twfr,
        "`make_iaeo3_plus`": make_iaeo3_plus(**plus),
        "`MachineIDEmbedding`, nearest neighbours": neighbours,
        "`make_iaeo3_plus(embedding=...)`": make_iaeo3_plus(embedding=embedding, **plus),
        "IAE, mean error, min of 2 seeds": make_iaeo3(score="mean", n_repeats=2, **iae),
        "`make_iaeo3`: five statistics, 3-component mixture": make_iaeo3(**iae),
        "fusion of the IAE and the averaged levels": FusionDetector(
            [
                ("iae", make_iaeo3(score="mean", n_repeats=1, **iae)),
                ("levels", twfr),
            ],
            cv=2,
        ),
        "`make_baseline`": make_baseline(input="spectrograms", random_state=random_state),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--systems", type=int, help="Only so many of the systems.")
    arguments = parser.parse_args()
    results = {}
    for seed in range(arguments.splits):
        folder = arguments.folder
        splits, fleet, machine_ids = toy_cars(folder, seed) if folder else synthetic_machines(seed)
        embedding = MachineIDEmbedding(random_state=0).fit(fleet, machine_ids)
        for name, system in list(systems(embedding).items())[: arguments.systems]:
            for machine, (train, test, y) in splits.items():
                scores = -system.fit(train).score_samples(test)
                figures = auc(y, scores), pauc(y, scores)
                results.setdefault(name, {}).setdefault(machine, []).append(figures)
                print(f"split {seed}, {name}, {machine}: {figures}", flush=True)
    machines = list(splits)
    print(f"| system | {' | '.join(machines)} |\n| --- |{' --- |' * len(machines)}")
    for name, by_machine in results.items():
        cells = []
        for figures in by_machine.values():
            mean, spread = np.mean(figures, axis=0), np.std(figures, axis=0)
            cells.append(f"{mean[0]:.3f} ± {spread[0]:.3f} / {mean[1]:.3f} ± {spread[1]:.3f}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
