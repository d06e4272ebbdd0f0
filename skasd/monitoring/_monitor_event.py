"""What a monitor says of each window."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self


class ClipFile(NamedTuple):
    """A file in a folder, told from others, and from what stood there before.

    Parameters
    ----------
    name : str
        In its folder.
    size : int
        In bytes.
    mtime_ns : int
        When it was changed, in ns.

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
    """What a monitor says of one window.

    Parameters
    ----------
    window : int
        Number of the window, or of the clip, from 0.
    start, end : float or None
        When it begins and ends, in seconds from the first sample. None for a clip in a folder.
    anomaly_score : float
        Higher is more anomalous; NaN if it could not be scored.
    threshold : float
        A higher score is anomalous: ``-detector.offset_``.
    is_anomalous : bool
        What `predict` says; False if it could not be scored.
    alarm : bool
        Whether the alarm is up after this window.
    alarm_change : {"raised", "cleared"} or None
        What this window did to it.
    error : str or None
        Why it could not be scored. It then counts neither for nor against the alarm.
    clip : ClipFile or None
        The file, for a clip in a folder.

    Examples
    --------
    >>> from skasd.monitoring import MonitorEvent
    >>> event = MonitorEvent(0, 0.0, 10.0, 3.5, 2.0, True, False, None, None)
    >>> event.to_json()
    '{"window": 0, "start": 0.0, "end": 10.0, "anomaly_score": 3.5, "threshold": 2.0, \
"is_anomalous": true, "alarm": false, "alarm_change": null, "error": null}'
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

    def to_json(self, **more: Any) -> str:
        """Return it as one line of JSON.

        Parameters
        ----------
        **more
            Further fields, which `from_json` passes over.

        Returns
        -------
        str
            A score of NaN is null. A window has no clip, and a clip has no start and end.
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
        """Read it from JSON.

        Parameters
        ----------
        text : str or bytes
            What `to_json` returned.

        Returns
        -------
        MonitorEvent

        Raises
        ------
        ValueError
            If the text is no event.
        """
        fields = json.loads(text)
        try:
            values = {name: fields[name] for name in _FIELDS}
            if "clip" in fields:
                clip, start, end = ClipFile(**fields["clip"]), None, None
            else:
                clip, start, end = None, fields["start"], fields["end"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"no event: {error}") from error
        for name, value in values.items():
            if not isinstance(value, _FIELDS[name]):
                raise ValueError(f"no event: its {name} is {value!r}")
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
}
