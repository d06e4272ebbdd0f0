"""A command that is run when the alarm is raised or cleared."""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from tempfile import TemporaryFile
from threading import Lock, Thread
from typing import Self

from skasd.monitoring._monitor_event import MonitorEvent

MOST_WAITING = 100
"""Changes of the alarm that wait for the command; what comes then is left out, and reported."""

SECONDS = 60.0
"""That the command may take."""

LAST_SECONDS = 30.0
"""That the end of the monitor waits for it."""

MOST_SAID = 500
"""Characters of what a failed command has written to its standard error."""


class AlarmCommand:
    """A command that is run when the alarm is raised or cleared, in a context.

    Parameters
    ----------
    command : str
        The command and its arguments, split as a shell splits them; no shell runs it.
    complain : callable
        Called with a line on what has failed.
    seconds, last_seconds : float
        How long the command may take, and how long leaving the context may.

    Raises
    ------
    ValueError
        If there is no such command.

    Notes
    -----
    Commands run one at a time and in the order of the events, beside the monitor, which does not
    wait for them. Each finds the event as JSON on its standard input. Its standard output is thrown
    away, as the monitor's is for events.

    Examples
    --------
    >>> import sys
    >>> from skasd.monitoring import MonitorEvent
    >>> from skasd.monitoring._alarm_command import AlarmCommand
    >>> event = MonitorEvent(4, 0.0, 1.0, 3.5, 2.0, True, True, "raised", None)
    >>> code = "import json, sys; sys.exit(json.load(sys.stdin)['alarm_change'])"
    >>> with AlarmCommand(f'"{sys.executable}" -c "{code}"', print) as command:
    ...     command.add(event, event.to_json())  # doctest: +ELLIPSIS
    on alarm, window 4: ... failed with exit code 1: raised
    """

    def __init__(
        self,
        command: str,
        complain: Callable[[str], None],
        *,
        seconds: float = SECONDS,
        last_seconds: float = LAST_SECONDS,
    ):
        try:
            self._arguments = _split(command)
        except ValueError as error:
            raise ValueError(f"on alarm: {command!r} cannot be split: {error}.") from error
        if not self._arguments or shutil.which(self._arguments[0]) is None:
            raise ValueError(
                f"on alarm: there is no command {command!r}. Pass one that can be run, and quote "
                "spaces in its path."
            )
        self._complain, self._seconds, self._last_seconds = complain, seconds, last_seconds
        self._waiting: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="on alarm", daemon=True)
        self._process: subprocess.Popen | None = None
        self._is_over = False
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._waiting.put(None)
        self._thread.join(self._last_seconds)
        with self._lock:
            self._is_over = True
            if self._thread.is_alive() and self._process is not None:
                _kill(self._process)
                n_left = max(self._waiting.qsize() - 1, 0)
                self._say(
                    f"on alarm: stopped {self._last_seconds:g} s after the monitor's end, with "
                    f"{n_left} more to run"
                )

    def add(self, event: MonitorEvent, line: str) -> None:
        """Run the command, if the event is a change of the alarm.

        Parameters
        ----------
        event : MonitorEvent
            The event.
        line : str
            The event as JSON.
        """
        if event.alarm_change is None:
            return
        name = f"on alarm, window {event.window}"
        if self._waiting.qsize() >= MOST_WAITING:
            self._say(f"{name}: not run, as {MOST_WAITING} others wait")
        else:
            self._waiting.put((name, line))

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            name, line = item
            # Files, not pipes: a process that the command leaves behind would keep these open.
            with TemporaryFile() as said, TemporaryFile() as given:
                given.write(line.encode() + b"\n")
                given.seek(0)
                try:
                    problem = self._run(given, said)
                except OSError as error:
                    problem = f"cannot be run: {error.strerror}"
                if self._is_over:
                    return
                if problem is not None:
                    said.seek(max(said.seek(0, os.SEEK_END) - MOST_SAID, 0))
                    last = said.read().decode(errors="replace").strip()
                    self._say(
                        f"{name}: {self._arguments[0]} {problem}{f': {last}' if last else ''}"
                    )

    def _run(self, given: object, said: object) -> str | None:
        """Run the command, and return what went wrong."""
        with self._lock:
            if self._is_over:
                return None
            self._process = process = subprocess.Popen(
                self._arguments,
                stdin=given,  # type: ignore[call-overload]
                stdout=subprocess.DEVNULL,
                stderr=said,
                # Ctrl-C is for the monitor.
                start_new_session=True,
            )
        try:
            code = process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            return f"stopped after {self._seconds:g} s"
        return f"failed with exit code {code}" if code else None

    def _say(self, text: str) -> None:
        # Nobody may read standard error any more, which ends no alarm.
        with suppress(OSError):
            self._complain(text)


def _split(command: str) -> list[str]:
    if os.name == "posix":
        return shlex.split(command)
    # A backslash is a part of paths, and escapes nothing.
    return [argument.strip('"') for argument in shlex.split(command, posix=False)]


def _kill(process: subprocess.Popen) -> None:
    """Kill a command, and what it has started."""
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
