"""How many threads run at a time: ``python -m benchmarks.threads``.

IAEO3, five members, fits and scores with one job and with two. Meanwhile a second process counts, a
hundred times a second, the threads of the first that run, or would if a core were free. There
should be no more than cores: each job has its share of them.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import joblib
import numpy as np

from benchmarks.clips import fit_with_openl3, write_clips
from benchmarks.measure import Row, apart, run
from skasd import make_iaeo3

N_CLIPS, N_WITH_OPENL3, EPOCHS = 200, 16, 5
SECONDS_BETWEEN_COUNTS = 0.01


def running_threads(process: int) -> int:
    """Count the threads of a process that are in the kernel's state R."""
    states = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        try:
            states.append((thread / "stat").read_text().rsplit(")", 1)[1].split()[0])
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
    return states.count("R")


def count_until(stopped, started, process: int, counts) -> None:
    """Count again and again, and send all counts when stopped."""
    started.set()
    results = []
    while not stopped.wait(SECONDS_BETWEEN_COUNTS):
        results.append(running_threads(process))
    counts.send(results)


def threads_during(call: Callable[[], object]) -> list[int]:
    """Return the counts that are taken while a call lasts."""
    context = get_context("spawn")
    stopped, started = context.Event(), context.Event()
    received, sent = context.Pipe(duplex=False)
    counter = context.Process(target=count_until, args=(stopped, started, os.getpid(), sent))
    counter.start()
    started.wait()
    call()
    stopped.set()
    counts = received.recv()
    counter.join()
    return counts


def measure(paths: list[str], n_jobs: int) -> dict[str, list[int]]:
    """Return the counts of fitting, and of scoring without and with OpenL3."""
    # Starts what would be started once in a process.
    make_iaeo3(openl3=False, epochs=1, random_state=0).fit(paths[:10]).score_samples(paths[:5])
    detector = make_iaeo3(openl3=False, epochs=EPOCHS, random_state=0, n_jobs=n_jobs)
    with_openl3 = fit_with_openl3(paths[:12], hop_size=1.0, n_jobs=n_jobs)
    return {
        "fit without OpenL3": threads_during(lambda: detector.fit(paths)),
        "scoring without OpenL3": threads_during(lambda: detector.score_samples(2 * paths)),
        "scoring with OpenL3": threads_during(
            lambda: with_openl3.score_samples(paths[:N_WITH_OPENL3])
        ),
    }


def rows() -> Iterator[Row]:
    """Count with one job and with two."""
    with tempfile.TemporaryDirectory() as folder:
        paths, _ = write_clips(Path(folder), "pump", n_normal=N_CLIPS)
        for n_jobs in (1, 2):
            for what, counts in apart(measure, paths, n_jobs).items():
                mean = np.mean(counts)
                yield Row(
                    part="d",
                    what=f"threads that run, {what}, n_jobs={n_jobs}",
                    value=mean,
                    unit="threads",
                    ratio=mean / joblib.cpu_count(),
                    ratio_of="of the cores",
                    note=f"95 % of the counts at most {np.percentile(counts, 95):.0f}",
                )


if __name__ == "__main__":
    run(__doc__, rows)
