"""Threads: what runs at the same time shares the cores."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from joblib import Parallel, cpu_count, effective_n_jobs
from threadpoolctl import threadpool_limits


def threads_each(n_jobs: int | None) -> int:
    """Return how many threads each of `n_jobs` may use."""
    return max(1, cpu_count() // effective_n_jobs(n_jobs))


def parallel_threads(n_jobs: int | None, calls: Iterable) -> list:
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
    with _blas_shared_by(n_jobs):
        return Parallel(n_jobs=n_jobs, prefer="threads")(calls)


def stream_threads(n_jobs: int | None, calls: Iterable) -> Iterator:
    """Do the same, and yield what they return, in their order, as it comes."""
    with _blas_shared_by(n_jobs):
        yield from Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(calls)


def _blas_shared_by(n_jobs: int | None) -> AbstractContextManager:
    share = threads_each(n_jobs)
    return nullcontext() if share == cpu_count() else threadpool_limits(share, user_api="blas")
