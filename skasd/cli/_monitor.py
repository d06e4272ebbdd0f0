"""``skasd monitor``: monitor a machine."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skasd.audio._pipes import read_pipe
from skasd.cli._app import ANOMALY_FOUND, SOME_NOT_SCORED, app, complain, nothing_done
from skasd.cli._options import Key, ModelFile
from skasd.cli._outlets import Mqtt, MqttPasswordFile, OnAlarm, Outlets, Serve
from skasd.cli._sources import FolderSource, PipeSource, RecordingSource, Source
from skasd.cli._stopping import Stopped, Stopping
from skasd.exceptions import AudioError
from skasd.monitoring._event_file import EventFile
from skasd.monitoring._monitor import Monitor
from skasd.monitoring._monitor_event import MonitorEvent

if TYPE_CHECKING:
    from skasd.audio._training_recordings import TrainingRecordings


@app.command(
    epilog="Example: arecord -t raw -f S16_LE -r 16000 | skasd monitor fan.skasd - "
    "--events events.jsonl"
)
def monitor(
    model: ModelFile,
    source: Annotated[
        str,
        typer.Argument(
            help="A recording of any length, a folder in which clips arrive, or - for WAV or raw "
            "PCM from standard input."
        ),
    ],
    events: Annotated[
        Path | None,
        typer.Option(help="File to append the events to. If it exists, the monitor continues it."),
    ] = None,
    clip_seconds: Annotated[
        float | None,
        typer.Option(
            help="Length of a window.", show_default="that of the training clips, 10 if unknown"
        ),
    ] = None,
    hop_seconds: Annotated[
        float | None,
        typer.Option(
            help="From the start of a window to that of the next.",
            show_default="the length of a window",
        ),
    ] = None,
    alarm: Annotated[
        str,
        typer.Option(help="k of n: raise the alarm once k of the last n windows are anomalous."),
    ] = "3 of 5",
    release: Annotated[
        int | None,
        typer.Option(
            help="Clear the alarm once at most this many are.", show_default="(k - 1) // 2"
        ),
    ] = None,
    false_alarms: Annotated[
        str | None,
        typer.Option(
            help="How often the alarm of a healthy machine may be raised, such as '1 per week'.",
            show_default="as the model's threshold makes it",
        ),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(min=1, help="Raw PCM: samples per second.", show_default="16000"),
    ] = None,
    channels: Annotated[
        int | None, typer.Option(min=1, help="Raw PCM: interleaved channels.", show_default="1")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Raw PCM: format of a sample, as ffmpeg or arecord calls it: u8, s16le, s24le, "
            "s32le, f32le, f64le, the same with be, or S16_LE, S24_3LE, S24_LE and so on.",
            show_default="s16le",
        ),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Standard input: it starts where it started the last time. Windows that are "
            "already in the event file are skipped.",
        ),
    ] = False,
    poll: Annotated[
        float, typer.Option(min=0.01, help="Folder: seconds from one look to the next.")
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Folder: score the clips that are there, and stop.")
    ] = False,
    key: Key = None,
    timestamps: Annotated[
        bool,
        typer.Option(
            "--timestamps", help="Add the time of day to each event, as --serve does as well."
        ),
    ] = False,
    serve: Serve = None,
    on_alarm: OnAlarm = None,
    mqtt: Mqtt = None,
    mqtt_password_file: MqttPasswordFile = None,
    fail_on_anomaly: Annotated[
        bool, typer.Option("--fail-on-anomaly", help="Exit code 1 if a window is anomalous.")
    ] = False,
    fail_on_alarm: Annotated[
        bool, typer.Option("--fail-on-alarm", help="Exit code 1 if the alarm was up.")
    ] = False,
) -> None:
    """Monitor a machine: one line of JSON for each window, or for each clip in a folder.

    If stopped or killed, and started again with the same event file, it continues with the next
    window of a recording or the next clip in a folder, and scores none twice. Standard input is
    lost in the meantime, unless --replay says that it starts over.

    SIGTERM and Ctrl-C end it after the current window. Exit code 3: a window could not be scored,
    but the others were.
    """
    from skasd._steps import training_recordings
    from skasd.persistence._model_file import load

    found = _Findings()
    with nothing_done("monitor"), ExitStack() as stack:
        stopping = stack.enter_context(Stopping())
        stack.enter_context(suppress(Stopped))
        detector = load(model, key=key)
        outlets = Outlets(
            stack,
            serve=serve,
            on_alarm=on_alarm,
            mqtt=mqtt,
            mqtt_password_file=mqtt_password_file,
            detector=detector,
            title=f"{model.stem}: monitor",
        )
        if events is not None:
            outlets.resume(events, Path(source) if os.path.isdir(source) else None)
        if source == "-":
            pipe = partial(
                read_pipe,
                sys.stdin.buffer,
                sample_rate=rate,
                n_channels=channels,
                sample_format=format_,
            )
            piped = stopping.call(pipe)
            if piped.has_header:
                complain(
                    f"standard input is WAV, by its RIFF header: {piped.sample_rate} Hz, channels: "
                    f"{piped.n_channels}, {piped.sample_format}"
                )
            elif rate is None:
                _warn_of_assumed_rate(piped.sample_rate, training_recordings(detector))
            sound: Source = PipeSource(piped, replay)
        elif os.path.isdir(source):
            sound = FolderSource(Path(source), poll, once)
        else:
            sound = RecordingSource(Path(source))
        monitor = Monitor(
            detector,
            clip_seconds=clip_seconds,
            hop_seconds=hop_seconds,
            alarm=alarm,
            release=release,
            false_alarms=false_alarms,
            sample_rate=sound.sample_rate,
        )
        if clip_seconds is None and not isinstance(sound, FolderSource):
            known = training_recordings(monitor.detector) is not None
            why = "as long as the training clips" if known else "as the model knows none of its own"
            complain(f"windows of {monitor.clip_seconds:g} s, {why}")
        if false_alarms is not None:
            complain(f"expect {monitor.expected_false_alarms}")
        after: Iterable[MonitorEvent] = ()
        write: Callable[..., None] = _write_to_stdout
        if events is not None:
            settings = {"model": _digest(model), **sound.settings(monitor)}
            event_file = stack.enter_context(EventFile(events, settings))
            after, write = event_file, event_file.append
        try:
            for event in sound.events(monitor, after, stopping):
                now = datetime.now(UTC)
                is_timed = timestamps or outlets.need_times
                time = {"time": now.isoformat(timespec="milliseconds")} if is_timed else {}
                write(event, **time)
                found.add(event)
                outlets.add(event, now, monitor._last_clip)
                if stopping.requested:
                    break
        except AudioError as error:
            # The source itself is cut off; everything before that is scored.
            if not found.n_events:
                raise
            found.has_error = True
            complain(f"skasd monitor: {error}")
    if (fail_on_anomaly and found.has_anomaly) or (fail_on_alarm and found.has_alarm):
        raise typer.Exit(ANOMALY_FOUND)
    if found.has_error:
        raise typer.Exit(SOME_NOT_SCORED)


class _Findings:
    """What a run has found."""

    def __init__(self) -> None:
        self.n_events = 0
        self.has_anomaly = self.has_alarm = self.has_error = False

    def add(self, event: MonitorEvent) -> None:
        """Record an event, and report errors and alarms at once."""
        self.n_events += 1
        self.has_anomaly |= event.is_anomalous
        self.has_alarm |= event.alarm
        self.has_error |= event.error is not None
        name = f"window {event.window}" if event.clip is None else event.clip.name
        if event.error is not None:
            complain(f"not scored: {name}: {event.error}")
        if event.alarm_change is not None:
            complain(f"alarm {event.alarm_change}: {name}")


def _write_to_stdout(event: MonitorEvent, **more: str) -> None:
    typer.echo(event.to_json(**more))


def _warn_of_assumed_rate(sample_rate: int, recordings: "TrainingRecordings | None") -> None:
    if recordings is not None and sample_rate not in recordings.sample_rates:
        trained = " and ".join(map(str, recordings.sample_rates))
        complain(
            f"standard input is taken to be at {sample_rate} Hz, and the model was trained at "
            f"{trained} Hz. Pass --rate if the input is at that rate, too."
        )


def _digest(model: Path) -> str:
    with open(model, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
