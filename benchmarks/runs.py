"""The runs of `benchmarks.quality`: machines, and which clips train and test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.measure import MACHINES
from benchmarks.toycar import CARS, Split, load_split
from skasd.audio import check_clips
from skasd.datasets import make_machine_sounds

MICROPHONES, FOLDS = (0, 1), 4
SIZES, SNRS = (20, 60, 200), (6, 0)
N_NORMAL, N_TEST = 240, 40


@dataclass
class Run:
    """A machine, which of its runs, and what loads the clips: `Clip` objects or spectrograms."""

    machine: str
    name: str
    load: Callable[[], Split]


def is_quick(name: str) -> bool:
    """Tell whether a run is one of those that networks are measured in by ``--quick``."""
    return name in ("split 0", run_name(0, 6, 60)) or name.startswith("fold")


def run_name(seed: int, snr_db: int, n_train: int) -> str:
    """Return what a run on a synthetic machine is called."""
    return f"seed {seed}, {snr_db} dB, {n_train} clips"


def all_runs(cars: Path | None, fan: Path | None, n_splits: int) -> Iterator[Run]:
    """Return every run on the data that is there; those that share clips follow each other."""
    for seed in range(n_splits if cars else 0):
        for car in CARS:
            yield Run(f"car {car}", f"split {seed}", partial(load_car, cars / f"{car}.npz", seed))
    for microphone in MICROPHONES if fan and n_splits else ():
        for fold in range(FOLDS):
            load = partial(load_fold, fan, microphone, fold)
            yield Run(f"real fan, microphone {microphone}", f"fold {fold}", load)
    for seed in range(n_splits):
        for machine in MACHINES:
            for snr_db in SNRS:
                for n_train in SIZES:
                    load = partial(load_sounds, machine, seed, snr_db, n_train)
                    yield Run(machine, run_name(seed, snr_db, n_train), load)


load_car = lru_cache(maxsize=1)(load_split)


def load_fold(folder: Path, microphone: int, fold: int) -> Split:
    normal, anomaly = (recordings(folder / kind, microphone) for kind in ("normal", "anomaly"))
    parts = np.array_split(np.random.default_rng(0).permutation(len(normal)), FOLDS)
    held = parts.pop(fold)
    return Split(
        train=[normal[i] for i in np.concatenate(parts)],
        test=[*(normal[i] for i in held), *anomaly],
        y=np.repeat([1, -1], [len(held), len(anomaly)]),
    )


@lru_cache(maxsize=2)
def recordings(folder: Path, microphone: int) -> list:
    """Read one channel of all recordings of a folder."""
    paths = sorted(folder.glob("*.flac"))
    samples = [soundfile.read(path, dtype="float32", always_2d=True)[0] for path in paths]
    return check_clips([each[:, microphone] for each in samples])


def load_sounds(machine: str, seed: int, snr_db: int, n_train: int) -> Split:
    clips, y = sounds(machine, seed, snr_db)
    first = N_NORMAL - N_TEST
    return Split(train=clips[:n_train], test=clips[first:], y=y[first:])


@lru_cache(maxsize=1)
def sounds(machine: str, seed: int, snr_db: int) -> tuple[list, np.ndarray]:
    """Make the clips of a synthetic machine, which remember their spectrograms."""
    clips, y = make_machine_sounds(
        machine,
        n_normal=N_NORMAL,
        n_anomalous=N_TEST,
        duration=4.0,
        snr_db=snr_db,
        random_state=seed,
    )
    return check_clips(clips), y
