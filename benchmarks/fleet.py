"""Many machines, serially and on Dask: ``python -m benchmarks.fleet``.

Synthetic machines, a small IAEO3+ for each, fitted and scored by paths: in this process, and on
local clusters of real worker processes with one thread each, also with a worker that is killed in
the middle. Every process has one BLAS thread and one of JAX's, so that scores must be equal to the
bit; all share JAX's compilation cache, which is filled first. Then machines with a handful of
features: time and memory from 1 to 1,000 of them.
"""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np

import skasd
from benchmarks.clips import write_clips
from benchmarks.measure import MACHINES, Row, apart, command_line, memory, report
from skasd import FleetDetector, GaussianMixtureDetector, make_iaeo3_plus

N_TRAIN, N_TEST, SECONDS = 20, 5, 2.0
GROWTH = (1, 10, 100, 1000)
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PJRT_NPROC": "1",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


def small_system():
    return make_iaeo3_plus(n_mels=64, epochs=5, n_repeats=2, random_state=0).set_params(
        estimator__features__log_mel__branches__iae__encoder_units=(64, 32, 16)
    )


@dataclass
class Clips:
    """Paths or features of clips, and the machine of each."""

    X: list[str] | np.ndarray = field(default_factory=list)
    machine: list[str] | np.ndarray = field(default_factory=list)

    def first(self, n: int) -> "Clips":
        """Return the first clips alone."""
        return Clips(self.X[:n], self.machine[:n])


@dataclass
class Outcome:
    """The scores, and how long fitting and scoring took."""

    scores: np.ndarray
    fit_seconds: float
    score_seconds: float


def write_machines(folder: Path, n_machines: int) -> tuple[Clips, Clips]:
    """Write clips; return those to fit, and those to score."""
    train, test = Clips(), Clips()
    for seed in range(n_machines):
        machine_type = MACHINES[seed % len(MACHINES)]
        clips, _ = write_clips(
            folder,
            machine_type,
            n_normal=N_TRAIN,
            n_anomalous=N_TEST,
            duration=SECONDS,
            random_state=seed,
        )
        for part, paths in ((train, clips[:N_TRAIN]), (test, clips[N_TRAIN:])):
            part.X += paths
            part.machine += [f"{machine_type}_id_{seed:02}"] * len(paths)
    return train, test


def fit_and_score(estimator, train: Clips, test: Clips) -> Outcome:
    start = time.perf_counter()
    fleet = FleetDetector(estimator).fit(train.X, machine_label=train.machine)
    fitted = time.perf_counter()
    scores = fleet.score_samples(test.X, machine_label=test.machine)
    scored = time.perf_counter()
    return Outcome(scores=scores, fit_seconds=fitted - start, score_seconds=scored - fitted)


@contextmanager
def dask_workers(n_workers: int):
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, Client(cluster) as client, joblib.parallel_config(backend="dask"):
        yield client


def worker_memory(client) -> int:
    return round(max(client.run(memory, "VmHWM").values()))


def compare(n_machines: int, workers: list[int], folder: Path) -> list[Row]:
    """Fit and score serially, and on clusters; in the last of them a worker is killed."""
    train, test = write_machines(folder, n_machines)
    fit_and_score(small_system(), train.first(5), test.first(5))
    what = f"{n_machines} machines of {N_TRAIN} clips of {SECONDS:g} s, fit"
    serial = fit_and_score(small_system(), train, test)
    rows = [
        Row(
            part="e",
            what=f"{what} serially",
            value=serial.fit_seconds,
            unit="s",
            ratio=1.0,
            ratio_of="of the serial time",
            note=f"score {serial.score_seconds:.1f} s, peak {memory('VmHWM'):.0f} MB",
        )
    ]

    def add(name: str, outcome: Outcome, client) -> None:
        change = np.max(np.abs(outcome.scores / serial.scores - 1))
        equal = "equal to the bit" if change == 0 else f"largest relative change {change:.1e}"
        rows.append(
            Row(
                part="e",
                what=f"{what}, {name}",
                value=outcome.fit_seconds,
                unit="s",
                ratio=outcome.fit_seconds / serial.fit_seconds,
                ratio_of="of the serial time",
                note=f"score {outcome.score_seconds:.1f} s, peak {worker_memory(client)} MB a "
                f"worker, scores {equal}",
            )
        )

    for n_workers in workers:
        with dask_workers(n_workers) as client:
            outcome = fit_and_score(small_system(), train, test)
            add(f"{n_workers} Dask workers", outcome, client)
    with dask_workers(workers[-1]) as client:
        victim = next(iter(client.run(os.getpid).values()))
        halfway = outcome.fit_seconds / 2
        killer = threading.Timer(halfway, os.kill, [victim, signal.SIGKILL])
        killer.start()
        outcome = fit_and_score(small_system(), train, test)
        killer.join()
        add(f"{workers[-1]} Dask workers, one killed halfway", outcome, client)
    return rows


def grow(n_workers: int, folder: Path) -> list[Row]:
    """Fit, score, save and load more and more machines with few features."""
    detector = GaussianMixtureDetector(n_components=1, random_state=0)
    rng = np.random.default_rng(0)
    rows, times = [], []
    with dask_workers(n_workers) as client:
        warm_up = Clips(rng.normal(size=(40, 10)), np.repeat(["a", "b"], 20))
        fit_and_score(detector, warm_up, warm_up)
        for n_machines in GROWTH:
            names = np.repeat([f"fan_id_{i:04}" for i in range(n_machines)], 20)
            features = rng.normal(size=(len(names), 10))
            start = time.perf_counter()
            fleet = FleetDetector(detector).fit(features, machine_label=names)
            fit = time.perf_counter() - start
            scores = fleet.score_samples(features, machine_label=names)
            with joblib.parallel_config(backend="sequential"):
                start = time.perf_counter()
                skasd.save(fleet, folder / str(n_machines))
                save = time.perf_counter() - start
                loaded = skasd.load(folder / str(n_machines))
                same = np.array_equal(loaded.score_samples(features, machine_label=names), scores)
                load = time.perf_counter() - start - save
            times.append(fit)
            rows.append(
                Row(
                    part="e",
                    what=f"{n_machines} machines of 20 x 10 features, fit on {n_workers} Dask "
                    "workers",
                    value=fit,
                    unit="s",
                    ratio=1e3 * fit / n_machines,
                    ratio_of="ms a machine",
                    note=f"saved in {save:.2f} s; loaded and scored in {load:.2f} s, "
                    f"{'equal' if same else 'NOT EQUAL'}; {worker_memory(client)} MB a worker",
                )
            )
    slope = np.polyfit(np.log(GROWTH[1:]), np.log(times[1:]), 1)[0]
    rows.append(
        Row(
            part="e",
            what="growth of time with machines, from 10 on",
            value=slope,
            unit="",
            ratio=slope,
            ratio_of="exponent",
        )
    )
    return rows


def rows(n_machines: int = 50, workers: tuple[int, ...] = (2, 4)) -> Iterator[Row]:
    """Measure machines with clips, then machines with features."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**ONE_THREAD, "JAX_COMPILATION_CACHE_DIR": folder}
        yield from apart(compare, n_machines, workers, Path(folder), **environment)
        yield from apart(grow, workers[0], Path(folder), **environment)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    arguments = parser.parse_args()
    report(rows(arguments.machines, arguments.workers))


if __name__ == "__main__":
    main()
