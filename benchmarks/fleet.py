"""Many machines, serially and on Dask: ``python -m benchmarks.fleet``.

Synthetic machines, a small IAEO3+ for each, fitted and scored by paths: in this process, and on
local clusters of real worker processes with one thread each, also with a worker that is killed in
the middle. Every process has one BLAS thread and one of JAX's, so that scores must be equal to the
bit; all share JAX's compilation cache, which is filled first. Then machines with a handful of
features: time and memory from 1 to 1,000 of them.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np

import skasd
from benchmarks.clips import write_clips
from benchmarks.measure import Row, apart, memory, print_rows
from skasd import FleetDetector, GaussianMixtureDetector, make_iaeo3_plus

MACHINE_TYPES = ("fan", "pump", "slider", "valve")
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
    return make_iaeo3_plus(
        n_mels=64, encoder_units=(64, 32, 16), epochs=5, n_repeats=2, random_state=0
    )


def write_machines(folder: Path, n_machines: int):
    """Write clips; return the paths and labels of those to fit, and of those to score."""
    train, test = ([], []), ([], [])
    for seed in range(n_machines):
        machine_type = MACHINE_TYPES[seed % len(MACHINE_TYPES)]
        clips, _ = write_clips(
            folder,
            machine_type,
            n_normal=N_TRAIN,
            n_anomalous=N_TEST,
            duration=SECONDS,
            random_state=seed,
        )
        for (paths, labels), part in ((train, clips[:N_TRAIN]), (test, clips[N_TRAIN:])):
            paths += part
            labels += [f"{machine_type}_id_{seed:02}"] * len(part)
    return train, test


def fit_and_score(estimator, train, test):
    """Return scores, and the seconds of both."""
    start = time.perf_counter()
    fleet = FleetDetector(estimator).fit(train[0], machine=train[1])
    fitted = time.perf_counter()
    scores = fleet.score_samples(test[0], machine=test[1])
    return scores, fitted - start, time.perf_counter() - fitted


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


def row(what, value, unit, ratio=None, ratio_of="", note="") -> Row:
    return Row("e", what, value, unit, ratio, ratio_of, note)


def compare(n_machines: int, workers: list[int], folder: Path) -> list[Row]:
    """Fit and score serially, and on clusters; in the last of them a worker is killed."""
    train, test = write_machines(folder, n_machines)
    fit_and_score(small_system(), *[(paths[:5], labels[:5]) for paths, labels in (train, test)])
    expected, serial, score = fit_and_score(small_system(), train, test)
    what = f"{n_machines} machines of {N_TRAIN} clips of {SECONDS:g} s, fit"
    note = f"score {score:.1f} s, peak {memory('VmHWM'):.0f} MB"
    rows = [row(f"{what} serially", serial, "s", 1.0, "of the serial time", note)]

    def add(name, scores, fit, score, client):
        change = np.max(np.abs(scores / expected - 1))
        equal = "equal to the bit" if change == 0 else f"largest relative change {change:.1e}"
        note = f"score {score:.1f} s, peak {worker_memory(client)} MB a worker, scores {equal}"
        rows.append(row(f"{what}, {name}", fit, "s", fit / serial, "of the serial time", note))

    for n_workers in workers:
        with dask_workers(n_workers) as client:
            scores, fit, score = fit_and_score(small_system(), train, test)
            add(f"{n_workers} Dask workers", scores, fit, score, client)
    with dask_workers(workers[-1]) as client:
        victim = next(iter(client.run(os.getpid).values()))
        killer = threading.Timer(fit / 2, os.kill, [victim, signal.SIGKILL])
        killer.start()
        scores, fit, score = fit_and_score(small_system(), train, test)
        killer.join()
        add(f"{workers[-1]} Dask workers, one killed halfway", scores, fit, score, client)
    return rows


def grow(n_workers: int, folder: Path) -> list[Row]:
    """Fit, score, save and load more and more machines with few features."""
    detector = GaussianMixtureDetector(n_components=1, random_state=0)
    rng = np.random.default_rng(0)
    rows, times = [], []
    with dask_workers(n_workers) as client:
        warm_up = rng.normal(size=(40, 10)), np.repeat(["a", "b"], 20)
        fit_and_score(detector, warm_up, warm_up)
        for n_machines in GROWTH:
            names = np.repeat([f"fan_id_{i:04}" for i in range(n_machines)], 20)
            data = rng.normal(size=(len(names), 10)), names
            start = time.perf_counter()
            fleet = FleetDetector(detector).fit(data[0], machine=names)
            fit = time.perf_counter() - start
            scores = fleet.score_samples(data[0], machine=names)
            with joblib.parallel_config(backend="sequential"):
                start = time.perf_counter()
                skasd.save(fleet, folder / str(n_machines))
                save = time.perf_counter() - start
                loaded = skasd.load(folder / str(n_machines))
                same = np.array_equal(loaded.score_samples(data[0], machine=names), scores)
                load = time.perf_counter() - start - save
            times.append(fit)
            note = (
                f"saved in {save:.2f} s; loaded and scored in {load:.2f} s, "
                f"{'equal' if same else 'NOT EQUAL'}; {worker_memory(client)} MB a worker"
            )
            what = f"{n_machines} machines of 20 x 10 features, fit on {n_workers} Dask workers"
            rows.append(row(what, fit, "s", 1e3 * fit / n_machines, "ms a machine", note))
    slope = np.polyfit(np.log(GROWTH[1:]), np.log(times[1:]), 1)[0]
    rows.append(row("growth of time with machines, from 10 on", slope, "", slope, "exponent"))
    return rows


def rows(n_machines: int = 50, workers: tuple[int, ...] = (2, 4)) -> Iterator[Row]:
    """Measure machines with clips, then machines with features."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**ONE_THREAD, "JAX_COMPILATION_CACHE_DIR": folder}
        yield from apart(compare, n_machines, workers, Path(folder), **environment)
        yield from apart(grow, workers[0], Path(folder), **environment)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    arguments = parser.parse_args()
    print_rows(rows(arguments.machines, arguments.workers))


if __name__ == "__main__":
    main()
