"""Threads: what runs at the same time shares the cores."""

from collections.abc import Iterable
from contextlib import nullcontext

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
    share = threads_each(n_jobs)
    limits = nullcontext() if share == cpu_count() else threadpool_limits(share, user_api="blas")
    with limits:
        return Parallel(n_jobs=n_jobs, prefer="threads")(calls)
