"""Watching a running machine."""

from skasd._utils.public_names import claim_names
from skasd.audio._blocks import read_blocks, read_sample_rate
from skasd.audio._pcm import PCM_FORMATS, read_pcm
from skasd.exceptions import EventFileError
from skasd.monitoring._alarm import Alarm
from skasd.monitoring._event_file import EventFile
from skasd.monitoring._monitor import Monitor
from skasd.monitoring._monitor_event import ClipFile, MonitorEvent

__all__ = [
    "PCM_FORMATS",
    "Alarm",
    "ClipFile",
    "EventFile",
    "EventFileError",
    "Monitor",
    "MonitorEvent",
    "read_blocks",
    "read_pcm",
    "read_sample_rate",
]

claim_names(__name__)
