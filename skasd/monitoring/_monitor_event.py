"""The event that a monitor reports for each window."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self


class ClipFile(NamedTuple):
    """A file in a folder, distinct from other files and from earlier versions of itself.

    Parameters
    ----------
    name : str
        Name in its folder.
    size : int
        Size, in bytes.
    mtime_ns : int
        Time of the last change, in ns.

    Examples
    --------
    >>> from skasd.monitoring._monitor_event import ClipFile
    >>> ClipFile("fan.wav", 320044, 10**18) == ClipFile("fan.wav", 320044, 10**18 + 1)
    False
    """

    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class MonitorEvent:
    """The event that a monitor reports for one window.

    Parameters
    ----------
    window : int
        Number of the window or clip, counted from 0.
    start, end : float or None
        Start and end of the window, in seconds from the first sample. None for a clip in a folder.
    anomaly_score : float
        Higher is more anomalous; NaN if it could not be scored.
    threshold : float
        The anomaly score above which a window is anomalous.
    is_anomalous : bool
        Whether the score is above the threshold; False if it could not be scored.
    alarm : bool
        Whether the alarm is up after this window.
    alarm_change : {"raised", "cleared"} or None
        How this window changed the alarm, if at all.
    error : str or None
        Why the window could not be scored. It then counts neither for nor against the alarm.
    clip : ClipFile or None
        The file of a clip in a folder.
    p_value : float or None
        Share of healthy windows that sound as odd; None if the window could not be scored, or the
        detector does not know.

    Examples
    --------
    >>> from skasd.monitoring import MonitorEvent
    >>> event = MonitorEvent(0, 0.0, 10.0, 3.5, 2.0, True, False, None, None)
    >>> event.to_json()
    '{"window": 0, "start": 0.0, "end": 10.0, "anomaly_score": 3.5, "threshold": 2.0, \
"is_anomalous": true, "alarm": false, "alarm_change": null, "error": null, "p_value": null}'
    >>> MonitorEvent.from_json(event.to_json()) == event
    True
    """

    window: int
    start: float | None
    end: float | None
    anomaly_score: float
    threshold: float
    is_anomalous: bool
    alarm: bool
    alarm_change: str | None
    error: str | None
    clip: ClipFile | None = None
    p_value: float | None = None

    def to_json(self, **more: Any) -> str:
        """Return the event as one line of JSON.

        Parameters
        ----------
        **more
            Additional fields, which `from_json` ignores.

        Returns
        -------
        str
            The line. A score of NaN becomes null. A window has no clip, and a clip has no start
            and end.
        """
        fields = asdict(self)
        if self.clip is None:
            del fields["clip"]
        else:
            del fields["start"], fields["end"]
            fields["clip"] = self.clip._asdict()
        if math.isnan(self.anomaly_score):
            fields["anomaly_score"] = None
        return json.dumps({**fields, **more}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read an event from JSON.

        Parameters
        ----------
        text : str or bytes
            The JSON that `to_json` returned.

        Returns
        -------
        MonitorEvent
            The event.

        Raises
        ------
        ValueError
            If the text is not an event.
        """
        try:
            # As text: of bytes, json takes UTF-16 and a byte order mark as well.
            fields = json.loads(text if isinstance(text, str) else text.decode())
        except RecursionError as error:
            raise ValueError("not an event: it is nested too deeply") from error
        try:
            # Version 0.1.0.dev0 had no p-values.
            values = {name: fields[name] for name in _FIELDS if name != "p_value" or name in fields}
            if "clip" in fields:
                clip, start, end = ClipFile(**fields["clip"]), None, None
            else:
                clip, start, end = None, fields["start"], fields["end"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an event: {error}") from error
        checked = {**values, "start": start, "end": end, **(clip._asdict() if clip else {})}
        for name, value in checked.items():
            if not isinstance(value, _KINDS[name]):
                raise ValueError(f"not an event: its {name} is {value!r:.100}")
        if values["anomaly_score"] is None:
            values["anomaly_score"] = math.nan
        return cls(**values, start=start, end=end, clip=clip)


_FIELDS = {
    "window": int,
    "anomaly_score": float | None,
    "threshold": float,
    "is_anomalous": bool,
    "alarm": bool,
    "alarm_change": str | None,
    "error": str | None,
    "p_value": float | None,
}

_KINDS: dict[str, Any] = {
    **_FIELDS,
    "start": float | int | None,
    "end": float | int | None,
    "name": str,
    "size": int,
    "mtime_ns": int,
}
"""Types of the fields of an event and of a clip."""
