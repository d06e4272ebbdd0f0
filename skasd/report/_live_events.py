"""What a live page knows about a monitor: its last events, and what to show of the odd ones."""

import json
import time
from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from skasd.audio._clips import Clip
from skasd.exceptions import AudioError, EventFileError
from skasd.inspection._explanation import Explanation, explain
from skasd.monitoring._arrivals import find_clip
from skasd.monitoring._monitor_event import MonitorEvent
from skasd.report._odd_clips import draw
from skasd.report._sounds import Sounds

MOST_WINDOWS = 2160
"""Windows that the chart goes back: six hours of windows of ten seconds."""

MOST_ODD = 12
"""Anomalous windows that are shown."""

MOST_BYTES = 64_000_000
"""Of the samples of these; older ones can then no longer be played."""

LONGEST_LINE = 1 << 20
"""Bytes to read; the first line of an event file is far shorter."""

NO_LONGER_KEPT = "Its sound is no longer kept."


class Seen(NamedTuple):
    """An event, and when it came.

    Parameters
    ----------
    event : MonitorEvent
        The event.
    time : datetime or None
        None if nobody has written that down.
    """

    event: MonitorEvent
    time: datetime | None

    @property
    def name(self) -> str:
        """What people call it."""
        event = self.event
        if event.clip is not None:
            return event.clip.name
        return f"window {event.window} ({event.start:.1f} to {event.end:.1f} s)"

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        if self.event.error is not None:
            return "not scored"
        return "anomalous" if self.event.is_anomalous else "normal"

    @property
    def when(self) -> str:
        """When it came, as this computer's clock had it; empty if not known."""
        return "" if self.time is None else f"{self.time.astimezone():%Y-%m-%d %H:%M:%S}"


class OddWindow:
    """An anomalous window, which is explained once somebody looks.

    Parameters
    ----------
    seen : Seen
        Its event.
    clip : Clip or None
        What was heard; None if it is not kept.

    Attributes
    ----------
    explanation : Explanation or None
        None until somebody has looked.
    problem : str
        Why there is none, and no picture; empty if there can be.
    missing : str
        Why it cannot be played; empty if it can.
    """

    def __init__(self, seen: Seen, clip: Clip | None):
        self.seen = seen
        self.explanation: Explanation | None = None
        self.problem = ""
        self.missing = "" if clip is not None else NO_LONGER_KEPT
        self._clip = clip
        self._picture = b""

    @property
    def n_bytes(self) -> int:
        """Size of the samples that it keeps."""
        clip = self._clip
        return clip.source.nbytes if clip and isinstance(clip.source, np.ndarray) else 0

    def forget(self) -> None:
        """Keep the sound no longer."""
        self._clip, self.missing = None, NO_LONGER_KEPT

    def play(self, detector: Any) -> bytes | None:
        """Return the sound as FLAC; None if it cannot be played."""
        try:
            return Sounds(detector).play(self._heard()).flac
        except AudioError as error:
            self.missing = f"Cannot be played: {error.problem}."
            return None

    def draw(self, detector: Any) -> bytes | None:
        """Return the picture as WebP; None if there is none."""
        if not self._picture and not self.problem:
            try:
                explanation = explain(detector, self._heard())
                self._picture = draw(explanation)
                self.explanation = explanation
            except (ValueError, ImportError) as error:
                # Of a detector that can say nothing of its clips, or a file that is gone by now.
                self.problem = str(error)
        return self._picture or None

    def _heard(self) -> Clip:
        """Return the clip, without what is remembered of it."""
        clip, file = self._clip, self.seen.event.clip
        if clip is None:
            raise AudioError(self.seen.name, "its sound is no longer kept", "Listen to a newer one")
        if file is not None and find_clip(Path(str(clip.source))) != file:
            raise AudioError(file.name, "the file is gone, or has changed", "Listen to a newer one")
        return Clip(clip.name, clip.source, clip.sample_rate)


class LiveEvents:
    """The last events of a monitor: one thread adds them, others read them.

    Attributes
    ----------
    version : str
        Another one after every change.
    counts : Counter
        Windows by their verdict, and changes of the alarm by their kind, of this run.
    seen : list of Seen
        The last `MOST_WINDOWS`, the oldest first.
    odd : list of OddWindow
        The last `MOST_ODD` anomalous ones, the newest first.
    alarm_change : Seen or None
        When the alarm was raised or cleared the last time, as far as that is known.
    """

    def __init__(self) -> None:
        # Runs are told apart, so that a browser that stays open notices the next one.
        self.version = f"{time.time_ns():x}-0"
        self.counts: Counter[str] = Counter()
        self.alarm_change: Seen | None = None
        self._seen: deque[Seen] = deque(maxlen=MOST_WINDOWS)
        self._odd: deque[OddWindow] = deque(maxlen=MOST_ODD)
        self._lock = RLock()

    @property
    def seen(self) -> list[Seen]:
        """See `LiveEvents`."""
        with self._lock:
            return list(self._seen)

    @property
    def odd(self) -> list[OddWindow]:
        """See `LiveEvents`."""
        with self._lock:
            return list(self._odd)[::-1]

    def resume(self, path: Path, folder: Path | None) -> None:
        """Take up what an earlier run has written, if there is anything.

        Parameters
        ----------
        path : Path
            The event file, which whoever appends to it checks.
        folder : Path or None
            Where the clips are; None if what was heard is not there.
        """
        for event, when in _last_events(path):
            clip = None
            if folder is not None and event.clip is not None:
                clip = Clip(event.clip.name, str(folder / event.clip.name))
            self._add(Seen(event, when), clip)

    def add(self, event: MonitorEvent, when: datetime, clip: Clip | None) -> None:
        """Take up an event of this run.

        Parameters
        ----------
        event : MonitorEvent
            The event.
        when : datetime
            When it came.
        clip : Clip or None
            What was heard.
        """
        seen = Seen(event, when)
        self.counts[seen.verdict] += 1
        if event.alarm_change is not None:
            self.counts[event.alarm_change] += 1
        self._add(seen, clip)

    def has_changed(self) -> None:
        """Make another version."""
        with self._lock:
            run, _, number = self.version.partition("-")
            self.version = f"{run}-{int(number) + 1}"

    def _add(self, seen: Seen, clip: Clip | None) -> None:
        with self._lock:
            self._seen.append(seen)
            if seen.event.alarm_change is not None:
                self.alarm_change = seen
            if seen.event.is_anomalous:
                self._odd.append(OddWindow(seen, clip))
                self._keep_bounded()
            self.has_changed()

    def _keep_bounded(self) -> None:
        n_bytes = 0
        for odd in reversed(self._odd):
            n_bytes += odd.n_bytes
            if n_bytes > MOST_BYTES:
                odd.forget()


def _last_events(path: Path) -> Iterator[tuple[MonitorEvent, datetime | None]]:
    if not path.is_file():
        return
    with open(path, "rb") as file:
        if not file.readline(LONGEST_LINE).startswith(b'{"skasd_events"'):
            # Whoever appends to it will refuse it.
            return
        lines = deque(iter(partial(file.readline, LONGEST_LINE), b""), maxlen=MOST_WINDOWS)
    for line in lines:
        if not line.endswith(b"\n"):
            # The rest of a run that was killed as it wrote.
            return
        try:
            event, written = MonitorEvent.from_json(line), json.loads(line).get("time")
            yield event, None if written is None else datetime.fromisoformat(written)
        except (ValueError, TypeError, RecursionError) as error:
            raise EventFileError(
                str(path), f"a line cannot be read: {error}", "Repair it, or pass another file."
            ) from error
