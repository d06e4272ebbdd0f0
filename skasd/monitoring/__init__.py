"""Monitoring a running machine."""

from skasd._utils.public_names import claim_names
from skasd.exceptions import EventFileError
from skasd.monitoring._alarm import Alarm
from skasd.monitoring._event_file import EventFile
from skasd.monitoring._monitor import Monitor
from skasd.monitoring._monitor_event import MonitorEvent

__all__ = [
    "Alarm",
    "EventFile",
    "EventFileError",
    "Monitor",
    "MonitorEvent",
]

claim_names(__name__)
