"""The sources that ``skasd monitor`` listens to."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from skasd.audio._blocks import read_blocks, read_sample_rate
from skasd.audio._pipes import PipedSound
from skasd.cli._stopping import Stopping
from skasd.monitoring._monitor import Monitor
from skasd.monitoring._monitor_event import MonitorEvent


class Source(Protocol):
    """A source of a monitor's sound.

    Attributes
    ----------
    sample_rate : int
        Sample rate of the monitor's blocks, in Hz.
    """

    sample_rate: int

    def settings(self, monitor: Monitor) -> dict[str, Any]:
        """Return the settings that identify events from this source and its windows."""

    def events(
        self, monitor: Monitor, after: Iterable[MonitorEvent], stopping: Stopping
    ) -> Iterator[MonitorEvent]:
        """Iterate over the events, continuing where an earlier run ended."""


@dataclass
class PipeSource(Source):
    """Sound from standard input; with `replay`, it starts where it did in the earlier run."""

    sound: PipedSound
    replay: bool

    @property
    def sample_rate(self) -> int:  # type: ignore[override]
        """See `Source`."""
        return self.sound.sample_rate

    def settings(self, monitor: Any) -> Any:
        """See `Source`."""
        return {
            "source": "-",
            "rate": self.sound.sample_rate,
            "channels": self.sound.n_channels,
            "format": self.sound.sample_format,
            **_window_settings(monitor),
        }

    def events(self, monitor: Any, after: Any, stopping: Any) -> Any:
        """See `Source`."""
        return monitor.stream(stopping.each(self.sound.blocks), after=after, replay=self.replay)


class RecordingSource(Source):
    """A recording of any length."""

    def __init__(self, path: Path):
        self.path = path
        self.sample_rate = read_sample_rate(os.fspath(path))

    def settings(self, monitor: Any) -> Any:
        """See `Source`."""
        status = self.path.stat()
        return {
            "source": os.fspath(self.path.resolve()),
            "size": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            **_window_settings(monitor),
        }

    def events(self, monitor: Any, after: Any, stopping: Any) -> Any:
        """See `Source`."""
        blocks = read_blocks(os.fspath(self.path))
        return monitor.stream(stopping.each(blocks), after=after, replay=True)


@dataclass
class FolderSource(Source):
    """A folder in which clips arrive. The files themselves give their sample rate."""

    path: Path
    poll_seconds: float
    once: bool
    sample_rate: int = 16000

    def settings(self, monitor: Any) -> Any:
        """See `Source`."""
        return {"source": os.fspath(self.path.resolve()), **_alarm_settings(monitor)}

    def events(self, monitor: Any, after: Any, stopping: Any) -> Any:
        """See `Source`."""
        return monitor.watch(
            self.path,
            poll_seconds=self.poll_seconds,
            once=self.once,
            after=after,
            wait=stopping.wait,
        )


def _alarm_settings(monitor: Monitor) -> dict[str, Any]:
    settings: dict[str, Any] = {"alarm": monitor.alarm, "release": monitor.release}
    if monitor.false_alarms is not None:
        settings["false_alarms"] = monitor.false_alarms
    return settings


def _window_settings(monitor: Monitor) -> dict[str, Any]:
    return {
        "clip_seconds": monitor.clip_seconds,
        "hop_seconds": monitor.hop_seconds,
        **_alarm_settings(monitor),
    }
