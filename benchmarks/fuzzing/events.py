"""Event files, which a monitor goes on with."""

import contextlib
import dataclasses
import random
import warnings
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

import skasd
from benchmarks.fuzzing.kind import Files, Kind, MistakenError, write
from benchmarks.fuzzing.mutations import change_json, change_text
from skasd.exceptions import EventFileError
from skasd.monitoring import EventFile
from skasd.monitoring._monitor_event import ClipFile
from skasd.report._live_events import _last_events

SETTINGS = {"source": "fan", "clip_seconds": 0.1}


class EventFiles(Kind):
    """Event files of a stream and of a folder of clips.

    One that is refused is left as it is, but for a last line that was cut off. Of one that is
    taken, every line is an event, and another can follow.
    """

    name = "events"
    share = 1
    most_megabytes = 100

    def __init__(self, folder: Path):
        super().__init__(folder)
        self._nothing = folder / "nothing"
        self._nothing.mkdir(exist_ok=True)
        rng = np.random.default_rng(0)
        steps = skasd.LogMelSpectrogram(n_mels=4, n_fft=256), skasd.SpectrogramStatistics()
        detector = make_pipeline(*steps, skasd.FeatureDetector())
        detector.fit(rng.normal(0, 0.1, size=(8, 1600)))
        self._monitor = skasd.Monitor(detector, clip_seconds=0.1, sample_rate=16_000)
        windows = rng.normal(0, 0.1, size=(12, 1600))
        windows[3:6] *= 2  # raises the alarm
        windows[7, 5] = np.nan
        stream = list(self._monitor.stream(windows))
        clips = [
            dataclasses.replace(event, start=None, end=None, clip=ClipFile(f"{i}.wav", 1, 1))
            for i, event in enumerate(stream)
        ]
        self._honest = {}
        for name, events in {"stream": stream, "clips": clips}.items():
            path = folder / f"{name}.jsonl"
            path.unlink(missing_ok=True)
            with EventFile(path, SETTINGS) as file:
                for event in events:
                    file.append(event)
            self._honest[path.name] = path.read_bytes()
        self._event = stream[0]

    def make(self, rng: random.Random) -> Files:
        """Return an event file."""
        name = rng.choice(list(self._honest))
        content = self._honest[name]
        if rng.random() < 0.5:
            return {name: change_text(content, rng)}
        lines = content.splitlines(keepends=True)
        number = rng.randrange(len(lines))
        lines[number] = change_json(lines[number], rng) + b"\n"
        return {name: b"".join(lines)}

    def read(self, files: Files, folder: Path) -> None:
        """Show the events as the live page does, go on with them, and read them again."""
        write(files, folder)
        ((name, content),) = files.items()
        path = folder / name
        with contextlib.suppress(EventFileError):
            list(_last_events(path))
        try:
            with EventFile(path, SETTINGS) as file, warnings.catch_warnings(action="ignore"):
                n_events = len(list(file))
                if name == "stream.jsonl":
                    list(self._monitor.stream([], after=file))
                else:
                    list(self._monitor.watch(self._nothing, once=True, after=file, wait=_no_wait))
                if n_events != max(0, content.count(b"\n") - 1):
                    raise MistakenError("lines that are no events")
                file.append(self._event)
                if len(list(file)) != n_events + 1:
                    raise MistakenError("an event that is lost")
        except ValueError as error:
            if path.read_bytes() != content[: content.rfind(b"\n") + 1] and (
                path.read_bytes() != content
            ):
                raise MistakenError("a file to be written into") from error
            if not isinstance(error, EventFileError) and "of the earlier run" in str(error):
                raise EventFileError(str(path), str(error), "") from error
            raise


def _no_wait(seconds: float) -> None:
    """Wait for nothing."""
