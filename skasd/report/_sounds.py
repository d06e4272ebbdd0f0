"""Recordings as a page plays them."""

import os
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from skasd._steps import first_steps
from skasd.audio._blocks import read_sample_rate
from skasd.audio._clips import Clip
from skasd.audio._length import MAX_SECONDS
from skasd.audio._reading import ASSUMED_RATE, read_clip
from skasd.exceptions import AudioError

MOST_BYTES = 20_000_000
"""Of all sounds of a page, as they are in it."""

LONGEST = 30.0
"""Seconds of a recording that are played."""

PLAYABLE = 8000, 48000
"""Sample rates that every browser plays, in Hz."""


class Sound(NamedTuple):
    """What is played of a recording.

    Parameters
    ----------
    uri : str or None
        The sound itself, as FLAC; None if it is not in the page.
    start, seconds : float
        Where in the recording it starts, and how long it is, in s.
    is_whole : bool
        Whether that is all of the recording.
    missing : str or None
        Why there is no sound.
    """

    uri: str | None
    start: float = 0.0
    seconds: float = 0.0
    is_whole: bool = True
    missing: str | None = None


class Played(NamedTuple):
    """What is played of a recording, as a file.

    Parameters
    ----------
    flac : bytes
        The file.
    start, seconds : float
        See `Sound`.
    is_whole : bool
        See `Sound`.
    """

    flac: bytes
    start: float
    seconds: float
    is_whole: bool


class Sounds:
    """The sounds of one page, which share its room.

    Parameters
    ----------
    detector : fitted detector
        It says which channel it listens to, and the sample rate of arrays.
    """

    def __init__(self, detector: Any):
        steps = first_steps(detector)
        self._channel = _first(steps, "channel", "mean")
        self._input_sample_rate = _first(steps, "input_sample_rate", None)
        self._max_seconds = _first(steps, "max_seconds", MAX_SECONDS)
        self._room = MOST_BYTES

    def sound_of(self, clip: Clip, around: float = 0.0) -> Sound:
        """Take in what is played of a clip, as long as there is room.

        Parameters
        ----------
        clip : Clip
            A recording.
        around : float, default=0.0
            The middle of what is played of a long recording, in s.

        Returns
        -------
        Sound
        """
        if not self._room:
            return Sound(None, missing="Not in this page, to keep it small.")
        try:
            played = self.play(clip, around)
        except AudioError as error:
            return Sound(None, missing=f"Cannot be played: {error.problem}.")
        uri = f"data:audio/flac;base64,{b64encode(played.flac).decode()}"
        if len(uri) > self._room:
            # What comes later is less odd, and does not overtake.
            self._room = 0
            return self.sound_of(clip)
        self._room -= len(uri)
        return Sound(uri, played.start, played.seconds, played.is_whole)

    def play(self, clip: Clip, around: float = 0.0) -> Played:
        """Encode what is played of a clip.

        Parameters
        ----------
        clip, around
            See `sound_of`.

        Returns
        -------
        Played

        Raises
        ------
        AudioError
            If the clip cannot be read.
        """
        rate = clip.sample_rate or self._input_sample_rate or ASSUMED_RATE
        if isinstance(clip.source, str):
            rate = read_sample_rate(clip.source)
        rate = min(max(rate, PLAYABLE[0]), PLAYABLE[1])
        samples = read_clip(
            clip,
            sample_rate=rate,
            input_sample_rate=self._input_sample_rate,
            channel=self._channel,
            max_seconds=self._max_seconds,
        )
        n_played = min(len(samples), round(LONGEST * rate))
        start = min(max(round(around * rate) - n_played // 2, 0), len(samples) - n_played)
        flac = _as_flac(samples[start : start + n_played], rate)
        return Played(flac, start / rate, n_played / rate, n_played == len(samples))


def _first(steps: list[Any], name: str, default: Any) -> Any:
    return next((getattr(step, name) for step in steps if hasattr(step, name)), default)


def _as_flac(samples: Any, sample_rate: int) -> bytes:
    import soundfile

    file = BytesIO()
    soundfile.write(file, samples / max(1, abs(samples).max()), sample_rate, format="FLAC")
    return file.getvalue()


def link_to(clip: Clip, page: Path) -> str | None:
    """Return the address of a recording: relative if page and recording move together.

    Parameters
    ----------
    clip : Clip
        A recording.
    page : Path
        The page that links to it.

    Returns
    -------
    str or None
        None if the clip is no file.
    """
    if not isinstance(clip.source, str):
        return None
    path, folder = Path(os.path.abspath(clip.source)), Path(os.path.abspath(page)).parent
    if path.is_relative_to(folder):
        return "./" + quote(os.fsencode(path.relative_to(folder).as_posix()))
    return path.as_uri()
