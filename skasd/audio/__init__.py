"""Recordings in: read, mix down or pick a channel, resample, check.

*Clips* are what every transformer of recordings accepts: a sequence of n_clips recordings; or a 2-D
array of shape (n_clips, n_samples). Clips may differ in length. Each is one of:

- a path (str or PathLike)
- a 1-D array of samples: floats in [-1, 1], or ints of 8, 16 or 32 bits, whose full scale is 1.
  Samples of 24 bits are the upper ones of 32, as soundfile and scipy read them.
- ``(rate, samples)``, with samples of shape (n_samples,) or (n_samples, n_channels), as
  `scipy.io.wavfile.read` returns it
- ``{"array": samples, "sampling_rate": rate}``, or with "path" or "bytes" instead, as Hugging
  Face's datasets give it
- a binary file that can be read from its beginning, such as `io.BytesIO`

The same sound is the same clip in each form. Whatever is wrong with one is said by an `AudioError`.
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
