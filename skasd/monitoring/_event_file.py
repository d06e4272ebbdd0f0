"""Events in a file that outlives whatever writes it."""

import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Any, Self

from skasd._utils.locks import try_to_lock
from skasd.exceptions import EventFileError
from skasd.monitoring._monitor_event import MonitorEvent

FORMAT = 1
_FORMAT_FIELD = "skasd_events"
_LONGEST_LINE = 1 << 20
"""In bytes: events name a clip and an error, and are far shorter."""


class EventFile:
    """File of events, one JSON line per event, appended by one process at a time.

    The process may be killed at any time. The first line says where the events come from. A last
    line that was cut off is dropped when the file is opened. Iterating over the file reads the
    events in it.

    Parameters
    ----------
    path : str or PathLike
        The file; made if it is missing.
    settings : mapping of str to object
        Source and settings of the events, as JSON values. A file with other ones is refused.

    Raises
    ------
    EventFileError
        A ValueError. On entering the context: if the file is not an event file, has another source
        or other settings, or is open in another process. On reading: if a line is not an event.
    OSError
        If the file cannot be opened.

    Notes
    -----
    A lock on the file itself, whatever its name or that of a link, keeps other processes away. It
    is released when the process ends, however it ends. An event is handed to the operating system
    before the next window is read, so a killed process loses none; it is not forced to the disk,
    and a machine without power may lose the last.

    Examples
    --------
    >>> import tempfile
    >>> from skasd.monitoring import EventFile, MonitorEvent
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for window in range(2):
    ...         with EventFile(f"{folder}/events.jsonl", {"source": "fan"}) as file:
    ...             print([event.window for event in file])
    ...             file.append(MonitorEvent(window, 0, 1, 2.0, 3.0, False, False, None, None))
    []
    [0]
    """

    def __init__(self, path: str | os.PathLike, settings: Mapping[str, Any]):
        self.path = Path(path)
        self._header = json.loads(json.dumps({_FORMAT_FIELD: FORMAT, **settings}))
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        # Unbuffered: a line is either handed over or not.
        self._file = file = open(self.path, "a+b", buffering=0)
        try:
            if not try_to_lock(file):
                raise EventFileError(
                    str(self.path),
                    "another monitor appends to it",
                    "Stop that one, or pass another file.",
                )
            self._claim(file)
            self._drop_torn_line(file)
        except (OSError, EventFileError):
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __iter__(self) -> Iterator[MonitorEvent]:
        with open(self.path, "rb") as lines:
            lines.readline(_LONGEST_LINE)
            for number in count(2):
                line = lines.readline(_LONGEST_LINE)
                if not line:
                    return
                try:
                    yield MonitorEvent.from_json(line)
                except ValueError as error:
                    raise EventFileError(
                        str(self.path),
                        f"line {number} cannot be read: {error}",
                        "Repair it, or pass another file.",
                    ) from error

    def append(self, event: MonitorEvent, **more: Any) -> None:
        """Append an event.

        Parameters
        ----------
        event : MonitorEvent
            The next one.
        **more
            Additional fields for its line.

        Raises
        ------
        EventFileError
            If the event cannot be written, such as on a full disk. The file then ends with the
            previous event.
        """
        if self._file is None:
            raise ValueError(
                "The event file is not open. Append within its context: with EventFile(...)."
            )
        self._write(self._file, event.to_json(**more), f"the event of window {event.window}")

    def _write(self, file: FileIO, line: str, name: str) -> None:
        size = file.seek(0, os.SEEK_END)
        rest = line.encode() + b"\n"
        try:
            while rest:
                # A disk that is nearly full takes a part, and refuses the rest.
                rest = rest[file.write(rest) :]
        except OSError as error:
            file.truncate(size)
            raise EventFileError(
                str(self.path),
                f"{name} cannot be written: {error.strerror}",
                "Nothing before it is lost: free some space, and start again to continue.",
            ) from error

    def _claim(self, file: FileIO) -> None:
        """Write the first line, or compare the one that is there."""
        with open(self.path, "rb") as lines:
            held = lines.readline(_LONGEST_LINE)
        header = json.dumps(self._header)
        if (header + "\n").encode().startswith(held):
            # Only a part of this very line: the rest of a run that was killed as it started.
            if len(held) < len(header) + 1:
                file.truncate(0)
                self._write(file, header, "the first line")
            return
        try:
            if not held.endswith(b"\n"):
                raise ValueError("the first event would join its line")
            # As text: of bytes, json takes UTF-16 and a byte order mark as well.
            fields = json.loads(held.decode())
            held_format = fields[_FORMAT_FIELD]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise EventFileError(
                str(self.path),
                "is not an event file of skasd, and is left as it is",
                "Pass another file.",
            ) from error
        if held_format != FORMAT:
            raise EventFileError(
                str(self.path),
                f"has the format {held_format}, and this skasd reads {FORMAT}",
                "Pass another file.",
            )
        names = [n for n in {**fields, **self._header} if fields.get(n) != self._header.get(n)]
        if names:
            difference = "; ".join(
                f"{name} was {fields.get(name)!s:.200}, but is now {self._header.get(name)}"
                for name in names
            )
            raise EventFileError(
                str(self.path),
                f"holds events of another source or other settings: {difference}",
                "Pass another file.",
            )

    def _drop_torn_line(self, file: FileIO) -> None:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = file.seek(max(0, end - 65536))
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                if start + newline + 1 < size:
                    file.truncate(start + newline + 1)
                return
            end = start
