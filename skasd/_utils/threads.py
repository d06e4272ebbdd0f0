"""Threads that share the cores."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache

from joblib import Parallel, cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController


def threads_each(n_jobs: int | None) -> int:
    """Return the number of threads that each of `n_jobs` may use."""
    return max(1, cpu_count() // effective_n_jobs(n_jobs))


def parallel_threads(n_jobs: int | None, calls: Iterable) -> list:
    """Run calls in `n_jobs` threads, unless joblib is set to another backend.

    Each call gets its share of the BLAS threads: more threads than cores only wait for each other.

    Parameters
    ----------
    n_jobs : int or None
        Number of calls to run at the same time; None means 1 unless in a `joblib.parallel_config`
        context.
    calls : iterable
        Calls made by joblib's `delayed`.

    Returns
    -------
    list
        The return values, in the order of the calls.
    """
    if effective_n_jobs(n_jobs) == 1:
        # A pool of one takes longer to set up than to score a clip.
        return [call(*args, **kwargs) for call, args, kwargs in calls]
    with _blas_shared_by(n_jobs):
        return Parallel(n_jobs=n_jobs, prefer="threads")(calls)


def stream_threads(n_jobs: int | None, calls: Iterable) -> Iterator:
    """Run calls like `parallel_threads`, and yield each value, in order, when it is ready."""
    with _blas_shared_by(n_jobs):
        yield from Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(calls)


def _blas_shared_by(n_jobs: int | None) -> AbstractContextManager:
    alone = effective_n_jobs(n_jobs) == 1
    return nullcontext() if alone else limited_threads(threads_each(n_jobs), "blas")


def limited_threads(n_threads: int, user_api: str | None) -> AbstractContextManager:
    """Let the libraries of BLAS, of OpenMP, or of both (None) use at most this many threads."""
    return _controller().limit(limits=n_threads, user_api=user_api)


@cache
def _controller() -> ThreadpoolController:
    # It looks through all libraries that are loaded, which takes milliseconds.
    return ThreadpoolController()
