"""Where ``skasd monitor`` takes its events, besides a file or standard output."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from skasd.audio._clips import Clip
from skasd.cli._app import complain
from skasd.monitoring._alarm_command import AlarmCommand
from skasd.monitoring._monitor_event import MonitorEvent
from skasd.monitoring._mqtt import PASSWORD, MqttPublisher

Serve = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:]PORT",
        help="Show a live page on this computer; with a host, such as 0.0.0.0, to others too, who "
        "then need the token that is printed, or that of SKASD_SERVE_TOKEN.",
    ),
]

OnAlarm = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        help="Run when the alarm is raised or cleared, with the event as JSON on standard input. "
        "Split at spaces, unless quoted; no shell runs it.",
    ),
]

Mqtt = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Publish the events: mqtt://USER@HOST:PORT/TOPIC, or mqtts:// for TLS. The password "
        f"is that of {PASSWORD}.",
    ),
]

MqttPasswordFile = Annotated[
    Path | None, typer.Option(help="A file that holds the password of --mqtt.")
]


class Outlets:
    """Where events are taken as they come.

    Parameters
    ----------
    stack : ExitStack
        Closes them.
    serve, on_alarm, mqtt, mqtt_password_file
        See the options of ``skasd monitor``.
    detector : fitted detector
        It explains anomalous windows.
    title : str
        Of the live page.

    Raises
    ------
    ValueError, OSError, ImportError
        If one of them cannot be opened.
    """

    def __init__(
        self,
        stack: ExitStack,
        *,
        serve: str | None,
        on_alarm: str | None,
        mqtt: str | None,
        mqtt_password_file: Path | None,
        detector: Any,
        title: str,
    ):
        self._add: list[Callable[[MonitorEvent, str], None]] = []
        self._page = None
        if mqtt is not None:
            password = _read_password(mqtt_password_file)
            publisher = MqttPublisher(mqtt, password, complain)
            self._add.append(stack.enter_context(publisher).add)
        elif mqtt_password_file is not None:
            raise ValueError("--mqtt-password-file: is for --mqtt. Pass both, or none.")
        if on_alarm is not None:
            command = AlarmCommand(on_alarm, complain)
            self._add.append(stack.enter_context(command).add)
        if serve is not None:
            from skasd.report._live_page import LivePage

            self._page = stack.enter_context(LivePage(serve, detector, title=title))
            complain(f"live page: {self._page.url}")

    @property
    def need_times(self) -> bool:
        """Whether events are to be written with the time of day, to be shown by a later run."""
        return self._page is not None

    def resume(self, events: Path, folder: Path | None) -> None:
        """Show what an earlier run has written; see `LivePage.resume`."""
        if self._page is not None:
            self._page.resume(events, folder)

    def add(self, event: MonitorEvent, when: datetime, clip: Clip | None) -> None:
        """Take an event everywhere.

        Parameters
        ----------
        event : MonitorEvent
            The event.
        when : datetime
            When it came.
        clip : Clip or None
            What was heard.
        """
        if self._add:
            line = event.to_json(time=when.isoformat(timespec="milliseconds"))
            for add in self._add:
                add(event, line)
        if self._page is not None:
            self._page.add(event, when, clip)


def _read_password(file: Path | None) -> str | None:
    if file is not None:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    return os.environ.get(PASSWORD)
