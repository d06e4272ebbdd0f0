"""Recordings in: read, mix down or pick a channel, resample, check.

*Clips* are what every transformer of recordings accepts: a sequence of n_clips recordings, each a
path (str or PathLike) or a 1-D array of samples; or a 2-D array of shape (n_clips, n_samples).
Clips may differ in length. Whatever is wrong with one of them is said by an `AudioError`.
"""

from skasd.audio.clips import Clip, Clips, check_clip, check_clips, check_sequence
from skasd.audio.error import AudioError
from skasd.audio.reading import mix_down, read_clip, scale_samples
from skasd.audio.recording import check_recording, open_recording

__all__ = [
    "AudioError",
    "Clip",
    "Clips",
    "check_clip",
    "check_clips",
    "check_recording",
    "check_sequence",
    "mix_down",
    "open_recording",
    "read_clip",
    "scale_samples",
]
