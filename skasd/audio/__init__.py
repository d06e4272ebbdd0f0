"""Recordings in: read, mix down or pick a channel, resample, check.

*Clips* are what every transformer of recordings accepts: a sequence of n_clips recordings, each a
path (str or PathLike) or a 1-D array of samples; or a 2-D array of shape (n_clips, n_samples).
Clips may differ in length. Whatever is wrong with one of them is said by an `AudioError`.
"""

from skasd.audio._clips import Clip, Clips, check_clip, check_clips, check_sequence
from skasd.audio._reading import mix_down, read_clip, scale_samples
from skasd.audio._recording import check_recording, open_recording
from skasd.exceptions import AudioError

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
