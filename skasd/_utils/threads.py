"""Threads that share the cores."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from itertools import islice
from threading import Lock
from typing import TypeVar

from joblib import Parallel, cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Value = TypeVar("Value")


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


def map_side_by_side(function: Callable[[Item], Value], items: Sequence[Item]) -> list[Value]:
    """Call a function with each item, side by side in the threads that BLAS would use.

    Products of a few hundred rows keep two threads of BLAS busy two thirds of the time, and threads
    that compute one each nearly all of it. With one thread for each product, results also do not
    depend on the number of cores.

    Parameters
    ----------
    function : callable
        What spends its time in products.
    items : sequence
        Its arguments.

    Returns
    -------
    list
        The return values, in the order of the items.

    Examples
    --------
    >>> from skasd._utils.threads import map_side_by_side
    >>> map_side_by_side(len, ["a", "bc"])
    [1, 2]
    """
    pending, values = deque(enumerate(items)), dict[int, Value]()

    def work() -> None:
        while pending:
            try:
                index, item = pending.popleft()
            except IndexError:  # another thread was faster
                return
            values[index] = function(item)

    with _one_thread_of_blas.instead() as n_threads:
        helpers = min(n_threads, len(items)) - 1
        futures = [_pool(os.getpid()).submit(work) for _ in range(helpers)]
        try:
            work()
            for future in futures:
                if not future.cancel():
                    future.result()
        finally:
            pending.clear()  # after an error, nobody needs the rest
    return [values[index] for index in range(len(items))]


def one_ahead(prepare: Callable[[Item], object], items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, each prepared in a thread while the one before it is used; keep no others.

    Parameters
    ----------
    prepare : callable
        What an item needs before it is yielded; what it returns is dropped.
    items : iterable
        Its arguments.

    Yields
    ------
    item

    Examples
    --------
    >>> from skasd._utils.threads import one_ahead
    >>> list(one_ahead(lambda letters: letters.append("b"), [["a"], []]))
    [['a', 'b'], ['b']]
    """
    iterator = iter(items)
    for item in islice(iterator, 1):
        prepare(item)
        with ThreadPoolExecutor(1) as pool:
            for upcoming in iterator:
                preparing = pool.submit(prepare, upcoming)
                yield item
                preparing.result()
                item = upcoming
        yield item


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    # Kept, since a new thread takes as long as a product; a forked process has no threads yet.
    return ThreadPoolExecutor(cpu_count(), thread_name_prefix=f"skasd-{process}")


class _OneThreadOfBLAS:
    """Keeps BLAS to one thread while any thread of the process needs that.

    The number of threads belongs to the process: if each caller set back what it had found, the
    last of two that overlap would set back the limit of the first.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_callers = 0
        self._n_threads = 1
        self._limit = ExitStack()

    @contextmanager
    def instead(self) -> Iterator[int]:
        """Keep BLAS to one thread in the context, which gets the number that it would use."""
        with self._lock:
            if self._n_callers == 0:
                # threadpoolctl does not know macOS's Accelerate.
                libraries = _controller().select(user_api="blas").lib_controllers
                self._n_threads = max((each.num_threads for each in libraries), default=1)
                self._limit.enter_context(limited_threads(1, "blas"))
            self._n_callers += 1
        try:
            yield self._n_threads
        finally:
            with self._lock:
                self._n_callers -= 1
                if self._n_callers == 0:
                    self._limit.close()


_one_thread_of_blas = _OneThreadOfBLAS()


def limited_threads(n_threads: int, user_api: str | None) -> AbstractContextManager:
    """Let the libraries of BLAS, of OpenMP, or of both (None) use at most this many threads."""
    return _controller().limit(limits=n_threads, user_api=user_api)


@cache
def _controller() -> ThreadpoolController:
    # It looks through all libraries that are loaded, which takes milliseconds.
    return ThreadpoolController()
