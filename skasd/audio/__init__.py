"""Recordings in: read, mix down or pick a channel, resample, check.

*Clips* are what every transformer of recordings accepts: a sequence of n_clips recordings, each a
path (str or PathLike) or a 1-D array of samples; or a 2-D array of shape (n_clips, n_samples).
Clips may differ in length. Whatever is wrong with one of them is said by an `AudioError`.
"""

from skasd._utils.public_names import claim_names
from skasd.audio._check_recordings import check_recordings
from skasd.audio._clips import check_clips
from skasd.audio._reading import read_clip
from skasd.audio._recording_report import RecordingReport
from skasd.exceptions import AudioError, RecordingWarning

__all__ = [
    "AudioError",
    "RecordingReport",
    "RecordingWarning",
    "check_clips",
    "check_recordings",
    "read_clip",
]

claim_names(__name__)
