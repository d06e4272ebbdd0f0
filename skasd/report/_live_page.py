"""A page that shows a monitor as it runs."""

import json
import os
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Self

from skasd.audio._clips import Clip
from skasd.monitoring._monitor_event import MonitorEvent
from skasd.report._live_events import LiveEvents, OddWindow
from skasd.report._live_server import Answer, LiveServer, parse_address
from skasd.report._metrics import KIND, write_metrics
from skasd.report._page import make_page, page_policy
from skasd.report._score_chart import ScoreChart
from skasd.report._sounds import Sound

SCRIPT = "live.js"

TOKEN = "SKASD_SERVE_TOKEN"
"""Environment variable with the token."""

SHORTEST_TOKEN = 16

N_LISTED = 20
"""Windows in the table."""

NO_PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="672" height="816"/>'


class LivePage:
    """A page that shows a monitor as it runs, in a context.

    Parameters
    ----------
    address : str
        ``PORT`` or ``HOST:PORT``. The server listens from now on.
    detector : fitted detector
        It explains anomalous windows.
    title : str
        Of the page.

    Attributes
    ----------
    url : str
        Where to look, with the token if this page has made it.

    Raises
    ------
    ValueError
        If the address is invalid, or the token of the environment is too short.
    OSError
        If the server cannot listen there.

    Notes
    -----
    If other computers can reach it, a request has to know the token: that of the environment
    variable ``SKASD_SERVE_TOKEN``, or a new one in each run. It is ``token`` in the query, or
    ``Authorization: Bearer``. The connection is not encrypted.

    A window is explained once somebody looks at it, and one at a time, in the server's threads.
    """

    def __init__(self, address: str, detector: Any, *, title: str):
        token = os.environ.get(TOKEN) or None
        if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii()):
            raise ValueError(f"{TOKEN}: expected {SHORTEST_TOKEN} ASCII characters or more.")
        self.title = title
        self._detector = detector
        self._events = LiveEvents()
        self._explains = Lock()
        self._server = LiveServer(*parse_address(address), self._find)
        self.url = self._server.url
        if token is None and not self._server.is_local:
            token = secrets.token_urlsafe(24)
            self.url += f"?token={token}"
        self._server.token = token
        self._pages: dict[str, Callable[[str], Answer]] = {
            "/": self._page,
            "/state.json": self._state,
            "/metrics": lambda query: Answer(write_metrics(self._events).encode(), KIND),
            "/healthz": lambda query: Answer(b"ok\n"),
        }

    def __enter__(self) -> Self:
        Thread(
            target=self._server.serve_forever, args=(0.1,), name="live page", daemon=True
        ).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def resume(self, path: Path, folder: Path | None) -> None:
        """Show what an earlier run has written to its event file; see `LiveEvents.resume`."""
        self._events.resume(path, folder)

    def add(self, event: MonitorEvent, when: datetime, clip: Clip | None) -> None:
        """Show an event; see `LiveEvents.add`."""
        self._events.add(event, when, clip)

    def _find(self, path: str, query: str) -> Answer | None:
        if path in self._pages:
            return self._pages[path](query)
        found = re.fullmatch("/windows/([0-9]{1,18})/(sound|picture)", path)
        if found is None:
            return None
        for odd in self._events.odd:
            if odd.seen.event.window == int(found[1]):
                return self._sound(odd) if found[2] == "sound" else self._picture(odd)
        return None

    def _page(self, query: str) -> Answer:
        # First, so that what comes in the meantime makes the page an old one.
        version, seen = self._events.version, self._events.seen
        chart = None
        if seen:
            scores = [None if s.event.error is not None else s.event.anomaly_score for s in seen]
            chart = ScoreChart.of(scores, seen[-1].event.threshold)
        page = make_page(
            "live.html",
            script=SCRIPT,
            is_served=True,
            title=self.title,
            version_of_state=version,
            seen=seen,
            last=seen[-1] if seen else None,
            alarm_change=self._events.alarm_change,
            chart=chart,
            listed=seen[: -N_LISTED - 1 : -1],
            odd_windows=[(odd, _player(odd, query)) for odd in self._events.odd],
            query=query,
        )
        return Answer(
            page.encode(),
            "text/html; charset=utf-8",
            policy=page_policy(SCRIPT, is_served=True),
        )

    def _state(self, query: str) -> Answer:
        seen = self._events.seen
        state = {
            "version": self._events.version,
            "alarm": seen[-1].event.alarm if seen else None,
            "last": json.loads(seen[-1].event.to_json()) if seen else None,
            "time": seen[-1].time.isoformat() if seen and seen[-1].time else None,
        }
        return Answer(json.dumps(state).encode(), "application/json")

    def _sound(self, odd: OddWindow) -> Answer | None:
        flac = odd.play(self._detector)
        return None if flac is None else Answer(flac, "audio/flac")

    def _picture(self, odd: OddWindow) -> Answer:
        with self._explains:
            is_new = odd.explanation is None and not odd.problem
            picture = odd.draw(self._detector)
        if is_new:
            # The page can now say what was seen, or why there is nothing.
            self._events.has_changed()
        if picture is None:
            return Answer(NO_PICTURE, "image/svg+xml")
        return Answer(picture, "image/webp")


def _player(odd: OddWindow, query: str) -> Sound:
    if odd.missing:
        return Sound(None, missing=odd.missing)
    return Sound(f"windows/{odd.seen.event.window}/sound{query}")
