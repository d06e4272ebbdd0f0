"""Watching a running machine."""

from skasd._utils.public_names import claim_names
from skasd.audio._blocks import read_blocks, read_sample_rate
from skasd.audio._pcm import PCM_FORMATS, read_pcm
from skasd.monitoring.alarm import Alarm
from skasd.monitoring.event_file import EventFile
from skasd.monitoring.events import ClipFile, MonitorEvent
from skasd.monitoring.monitor import Monitor

__all__ = [
    "PCM_FORMATS",
    "Alarm",
    "ClipFile",
    "EventFile",
    "Monitor",
    "MonitorEvent",
    "read_blocks",
    "read_pcm",
    "read_sample_rate",
]

claim_names(__name__)
