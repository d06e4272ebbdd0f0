"""SIGTERM and Ctrl-C, which end a command between two units of work."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

Item = TypeVar("Item")


class Stopped(BaseException):
    """Signal that waiting has ended because the process was asked to stop."""


class Stopping:
    """A context in which SIGTERM and Ctrl-C end waiting, but do not interrupt work.

    The second signal has its usual effect.

    Attributes
    ----------
    requested : bool
        Whether a signal has been received.
    """

    def __init__(self) -> None:
        self.requested = False
        self._waits = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *exception: Any) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def wait(self, seconds: float) -> None:
        """Sleep, and raise Stopped once asked to stop."""
        with self._waiting():
            time.sleep(seconds)

    def call(self, function: Callable[[], Item]) -> Item:
        """Call what may take time to return; raise Stopped once asked to stop."""
        with self._waiting():
            return function()

    def each(self, items: Iterable[Item]) -> Iterator[Item]:
        """Iterate over items that may take time to arrive; raise Stopped once asked to stop."""
        iterator = iter(items)
        while True:
            with self._waiting():
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self._waits = True
        try:
            if self.requested:
                raise Stopped
            yield
        finally:
            self._waits = False

    def _request(self, number: int, frame: Any) -> None:
        self.requested = True
        self.__exit__()
        if self._waits:
            raise Stopped
