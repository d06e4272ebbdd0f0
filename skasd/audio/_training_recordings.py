"""What a detector was trained on, and what of a new recording is unlike that."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from skasd._utils.fitted import ListOf, Number, Part
from skasd.audio._misfits import (
    ALIKE_BANDWIDTH,
    CANCELLED_DECIBELS,
    DEAD_DECIBELS,
    LEVEL_DECIBELS,
)
from skasd.audio._recording_facts import RecordingFacts
from skasd.exceptions import AudioError

ALIKE_LENGTH = 0.99
"""Share of a length that counts as the same."""

SHORT_SHARE = 0.1
"""Share of the training clips that may be shorter than what counts as their shortest length."""


@dataclass(frozen=True)
class TrainingRecordings:
    """What the recordings were that a detector was fitted on.

    Parameters
    ----------
    n_clips : int
        Number of clips.
    sample_rates : tuple of int
        Rates that they were recorded at, in Hz.
    n_channels : tuple of int
        Numbers of their channels.
    durations : tuple of float
        Their lengths, in seconds: that of which a tenth are shorter, the median, and the longest.
    bandwidths : tuple of float
        Lowest and highest of the frequencies up to which they hold anything, in Hz.
    levels : tuple of float
        Lowest and highest level, in dB.
    still : float
        Largest share of dropouts.
    cancelled, quietest_channel : float
        Most that the mean of channels lacks, and that a channel is below the loudest, in dB.
    listens_up_to : float
        Highest frequency that is analyzed, in Hz.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import LogMelSpectrogram
    >>> clips = np.random.default_rng(0).normal(0, 0.1, size=(6, 16000))
    >>> spectrogram = LogMelSpectrogram()
    >>> _ = spectrogram.fit_transform(clips)
    >>> print(spectrogram.training_recordings_)
    6 clips of 1 s, 16000 Hz, 1 channel, sound up to 8000 Hz
    """

    n_clips: int
    sample_rates: tuple[int, ...]
    n_channels: tuple[int, ...]
    durations: tuple[float, float, float]
    bandwidths: tuple[float, float]
    levels: tuple[float, float]
    still: float
    cancelled: float
    quietest_channel: float
    listens_up_to: float

    _fitted: ClassVar[dict[str, Part]] = {
        "n_clips": Number("i", low=1),
        "sample_rates": ListOf(Number("i", low=1), fewest=1),
        "n_channels": ListOf(Number("i", low=1), fewest=1),
        "durations": ListOf(Number(above=0), fewest=3, most=3),
        "bandwidths": ListOf(Number(low=0), fewest=2, most=2),
        "levels": ListOf(Number(), fewest=2, most=2),
        "still": Number(low=0, high=1),
        "cancelled": Number(low=0),
        "quietest_channel": Number(low=0),
        "listens_up_to": Number(above=0),
    }

    @classmethod
    def of(cls, facts: Sequence[RecordingFacts], listens_up_to: float) -> Self:
        """Put together what is known about the clips.

        Parameters
        ----------
        facts : sequence of RecordingFacts
            One or more.
        listens_up_to : float
            Highest frequency that is analyzed, in Hz.

        Returns
        -------
        TrainingRecordings
        """
        seconds = np.array([each.duration for each in facts])
        short = np.quantile(seconds, SHORT_SHARE, method="lower")
        bandwidths = [each.bandwidth for each in facts]
        levels = [each.level for each in facts]
        return cls(
            n_clips=len(facts),
            sample_rates=tuple(sorted({each.sample_rate for each in facts})),
            n_channels=tuple(sorted({each.n_channels for each in facts})),
            durations=(float(short), float(np.median(seconds)), float(seconds.max())),
            bandwidths=(min(bandwidths), max(bandwidths)),
            levels=(min(levels), max(levels)),
            still=max(each.still for each in facts),
            cancelled=max(each.cancelled for each in facts),
            quietest_channel=max(each.quietest_channel for each in facts),
            listens_up_to=listens_up_to,
        )

    def check_length(self, name: str, seconds: float) -> None:
        """Refuse a clip that is so short that a verdict on it would mean nothing.

        Parameters
        ----------
        name : str
            What the error calls it.
        seconds : float
            How long it is.

        Raises
        ------
        AudioError
            If it is shorter than 9 in 10 of these.
        """
        if self.is_longer_than(seconds):
            raise AudioError(
                name,
                f"is {seconds:.4g} s long, and the detector was fitted on clips of "
                f"{self.in_seconds}: shorter ones vary more, and sound odd for that alone",
                f"Pass clips of {self.durations[0]:.4g} s or more, fit on shorter ones, or "
                "recalibrate with healthy clips of this length.",
            )

    def is_longer_than(self, seconds: float) -> bool:
        """Tell whether 9 in 10 of these are longer than that."""
        return seconds < ALIKE_LENGTH * self.durations[0]

    def unlike(self, facts: RecordingFacts) -> list[str]:
        """Say in which respects a clip is unlike these.

        Parameters
        ----------
        facts : RecordingFacts
            What is known about the clip.

        Returns
        -------
        list of str
            Nothing for a clip like these.
        """
        notes = [*self._unlike_channels(facts)]
        if facts.is_silent:
            return notes or ["silent"]
        if facts.still > max(2 * self.still, 0):
            notes.append("has dropouts")
        notes += self._unlike_bandwidth(facts)
        if self.is_longer_than(facts.duration) or ALIKE_LENGTH * facts.duration > self.durations[2]:
            notes.append(f"{facts.duration:.4g} s long; trained on clips of {self.in_seconds}")
        if facts.n_channels not in self.n_channels:
            trained = " or ".join(map(str, self.n_channels))
            notes.append(f"has {facts.n_channels} channels; trained on clips of {trained}")
        low, high = self.levels
        if not low - 2 * LEVEL_DECIBELS <= facts.level <= high + 2 * LEVEL_DECIBELS:
            apart = max(low - facts.level, facts.level - high)
            than = "quieter" if facts.level < low else "louder"
            notes.append(f"{apart:.0f} dB {than} than all clips trained on")
        return notes

    @property
    def median(self) -> float:
        """The median of the lengths, in seconds."""
        return self.durations[1]

    @property
    def in_seconds(self) -> str:
        """The lengths in words."""
        short, _, longest = self.durations
        same = f"{short:.4g}" == f"{longest:.4g}"
        return f"{short:.4g} s" if same else f"{short:.4g} to {longest:.4g} s"

    def _unlike_channels(self, facts: RecordingFacts) -> list[str]:
        usual = max(10 * np.log10(facts.n_channels), self.cancelled)
        if facts.cancelled > usual + CANCELLED_DECIBELS:
            return ["its channels cancel each other in their mean"]
        if facts.quietest_channel > max(DEAD_DECIBELS, self.quietest_channel + LEVEL_DECIBELS):
            return ["has a dead channel"]
        return []

    def _unlike_bandwidth(self, facts: RecordingFacts) -> list[str]:
        low, high = (min(each, self.listens_up_to) for each in self.bandwidths)
        heard = min(facts.bandwidth, self.listens_up_to)
        if heard < ALIKE_BANDWIDTH * low:
            up_to = f"the detector listens up to {_kilohertz(self.listens_up_to)}"
            if facts.sample_rate / 2 < ALIKE_BANDWIDTH * low:
                nothing = f"so it holds nothing above {_kilohertz(facts.sample_rate / 2)}"
                return [f"recorded at {_kilohertz(facts.sample_rate)}, {nothing}; {up_to}"]
            return [f"holds nothing above {_kilohertz(heard)}; {up_to}"]
        if ALIKE_BANDWIDTH * heard > high:
            return [
                f"holds sound up to {_kilohertz(heard)}; trained on clips that hold nothing above "
                f"{_kilohertz(high)}"
            ]
        return []

    def as_dict(self) -> dict[str, Any]:
        """Return all as what JSON can hold, with a summary in words."""
        return {"summary": str(self), **asdict(self)}

    def __str__(self) -> str:
        rates = " and ".join(map(str, self.sample_rates))
        channels = " or ".join(map(str, self.n_channels))
        plural = "" if self.n_channels == (1,) else "s"
        up_to = "to".join(f"{each:.0f}" for each in sorted({*self.bandwidths}))
        return (
            f"{self.n_clips} clips of {self.in_seconds}, {rates} Hz, {channels} channel{plural}, "
            f"sound up to {up_to.replace('to', ' to ')} Hz"
        )


def _kilohertz(hertz: float) -> str:
    return f"{hertz / 1000:.3g} kHz"
