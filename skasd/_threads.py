"""Threads: what runs at the same time shares the cores."""

from collections.abc import Iterator
from contextlib import contextmanager

from joblib import Parallel, cpu_count, effective_n_jobs
from threadpoolctl import threadpool_limits


def threads_each(n_jobs: int | None) -> int:
    """Return how many threads each of `n_jobs` may use."""
    return max(1, cpu_count() // effective_n_jobs(n_jobs))


def parallel_threads(n_jobs: int | None, calls) -> list:
    """Run calls in `n_jobs` threads, unless joblib is told of another backend.

    Each has its share of BLAS's threads: more than there are cores only wait for each other.

    Parameters
    ----------
    n_jobs : int or None
        Calls that run at the same time; None means 1 unless in a `joblib.parallel_config` context.
    calls : iterable
        Of joblib's `delayed`.

    Returns
    -------
    list
        What they return, in their order.
    """
    with _shared_blas(n_jobs):
        return Parallel(n_jobs=n_jobs, prefer="threads")(calls)


@contextmanager
def _shared_blas(n_jobs: int | None) -> Iterator[None]:
    if effective_n_jobs(n_jobs) == 1:
        yield
    else:
        with threadpool_limits(threads_each(n_jobs), user_api="blas"):
            yield
