"""What a recording is, whatever is heard in it: rate, channels, length, bandwidth, level."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

WINDOW = 1024
"""Samples of a window of which the spectrum is taken."""

N_WINDOWS = 32
"""Windows that are looked at, spread over the recording."""

N_BANDS = 64
"""Bands of that spectrum, all of the same width."""

EDGE_DECIBELS = 15.0
"""By how much everything above an edge is quieter than the bands below it.

A resampler or an encoder leaves rounding noise there, 30 dB or more below the noise of a
microphone; nothing that sounds falls off so steeply, and then holds nothing up to the top.
"""

EDGE_BANDS = 3
"""Bands from below an edge to above it, 5 % of all: more than the slope of a resampler's filter."""

LOWEST_EDGE = 2000
"""Lowest frequency of an edge, in Hz: no recorder ends below, and a hum has an edge as well."""

STILL_SECONDS = 0.02
"""A stretch in which no sample differs from the next. A microphone's noise is never that still."""

SILENCE = -200.0
"""Level of digital silence, in dB."""

_HANN = np.hanning(WINDOW + 1)[:-1].astype(np.float32)


class RecordingFacts(NamedTuple):
    """What can be said of one recording without knowing what is heard in it.

    Parameters
    ----------
    sample_rate : int
        Rate that it was recorded at, as far as it says so, in Hz.
    n_channels : int
        Number of its channels.
    duration : float
        Length, in seconds.
    bandwidth : float
        Highest frequency that holds anything, in Hz. It is half of the sample rate, unless a
        filter has cut off what is above, as in an MP3, or after resampling from a lower rate.
    still : float
        Share of its length in stretches of 20 ms whose samples are all the same.
    level : float
        Power around the mean, in dB; 0 is that of a square wave of full scale, -200 silence.
    offset : float
        Mean of the samples.
    peak : float
        Largest magnitude of a sample.
    cancelled : float
        Power that the channels' mean lacks against the channels, in dB, if the mean was asked for.
    quietest_channel : float
        Level of the quietest channel below that of the loudest, in dB, if the mean was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio._recording_facts import RecordingFacts
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    >>> facts = RecordingFacts.of(noise, 1, 16000)
    >>> facts.duration, facts.bandwidth, facts.still, round(facts.level)
    (1.0, 8000.0, 0.0, -20)
    """

    sample_rate: int
    n_channels: int
    duration: float
    bandwidth: float
    still: float
    level: float
    offset: float
    peak: float
    cancelled: float = 0.0
    quietest_channel: float = 0.0

    @classmethod
    def of(cls, samples: np.ndarray, n_channels: int, sample_rate: int) -> "RecordingFacts":
        """Measure a recording.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            What is heard of it, finite and not empty.
        n_channels : int
            How many channels were recorded.
        sample_rate : int
            Rate, in Hz.

        Returns
        -------
        RecordingFacts
        """
        offset = float(samples.mean(dtype=np.float64))
        power = _power(samples, offset)
        return cls(
            sample_rate=sample_rate,
            n_channels=n_channels,
            duration=len(samples) / sample_rate,
            bandwidth=find_bandwidth(samples, sample_rate),
            still=_still_share(samples, sample_rate),
            level=_decibels(power),
            offset=offset,
            peak=float(max(samples.max(), -samples.min())),
        )

    @property
    def is_silent(self) -> bool:
        """Whether it holds nothing."""
        return self.still > 0.99

    def with_channels(self, powers: Sequence[float]) -> "RecordingFacts":
        """Add what is to be known of channels whose mean was taken.

        Parameters
        ----------
        powers : sequence of float
            Of each channel, around its mean.

        Returns
        -------
        RecordingFacts
        """
        return self._replace(
            cancelled=max(_decibels(sum(powers) / len(powers)) - self.level, 0.0),
            quietest_channel=_decibels(max(powers)) - _decibels(min(powers)),
        )


class ChannelPowers:
    """Sums up the power of each channel, block by block.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio._recording_facts import ChannelPowers
    >>> powers = ChannelPowers()
    >>> powers.add(np.float32([[1, 3], [-1, 3]]))
    >>> powers.of_channels()
    [1.0, 0.0]
    """

    def __init__(self) -> None:
        self._n_samples = 0
        self._sums: Any = 0.0
        self._squares: Any = 0.0

    def add(self, block: np.ndarray) -> None:
        """Add a block of shape (n_samples, n_channels), float32."""
        self._n_samples += len(block)
        # What overflows shows in what is heard.
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums += np.array([each.sum(dtype=np.float64) for each in block.T])
            self._squares += np.array([float(np.dot(each, each)) for each in block.T])

    def of_channels(self) -> list[float]:
        """Return the power of each channel, around its mean."""
        powers = self._squares / self._n_samples - (self._sums / self._n_samples) ** 2
        return np.maximum(powers, 0.0).tolist()


def find_bandwidth(samples: np.ndarray, sample_rate: int) -> float:
    """Find the frequency above which a filter has left nothing.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        A recording.
    sample_rate : int
        Its rate, in Hz.

    Returns
    -------
    float
        In Hz; half of the sample rate if there is no such frequency.

    Examples
    --------
    >>> import numpy as np, soxr
    >>> from skasd.audio._recording_facts import find_bandwidth
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    >>> 3500 < find_bandwidth(soxr.resample(noise, 8000, 16000), 16000) < 4200
    True
    """
    if len(samples) < WINDOW:
        samples = np.pad(samples, (0, WINDOW - len(samples)))
    n_windows = min(N_WINDOWS, len(samples) // WINDOW)
    starts = np.linspace(0, len(samples) - WINDOW, n_windows).astype(int)
    windows = sliding_window_view(samples, WINDOW)[starts] * _HANN
    spectra = fft.rfft(windows, axis=1)[:, 1:]
    power = (spectra.real**2 + spectra.imag**2).mean(axis=0)
    # The median passes over a tone, which fills a few of the eight bins of a band.
    bands = 10 * np.log10(np.median(power.reshape(N_BANDS, -1), axis=1) + np.float32(1e-30))
    loudest_from = np.maximum.accumulate(bands[::-1])[::-1]
    quietest_of_three = np.minimum(np.minimum(bands[2:], bands[1:-1]), bands[:-2])
    drops = quietest_of_three[:-EDGE_BANDS] - loudest_from[2 + EDGE_BANDS :]
    lowest = min(int(LOWEST_EDGE / (sample_rate / 2) * N_BANDS), len(drops) - 1)
    edge = lowest + int(np.argmax(drops[lowest:]))
    if drops[edge] < EDGE_DECIBELS:
        return sample_rate / 2
    # The last band below the edge, and half of its slope.
    return (edge + 3 + EDGE_BANDS / 2) / N_BANDS * sample_rate / 2


def _still_share(samples: np.ndarray, sample_rate: int) -> float:
    """Return the share of stretches whose samples are all the same."""
    length = max(round(STILL_SECONDS * sample_rate / 2), 16)
    is_same = samples[1:] == samples[:-1]
    n_stretches = len(is_same) // length
    if not n_stretches:
        return float(is_same.all())
    # Half as long, such a stretch lies within any of full length.
    return float(is_same[: n_stretches * length].reshape(n_stretches, length).all(axis=1).mean())


def _power(samples: np.ndarray, mean: float) -> float:
    return max(float(np.dot(samples, samples)) / len(samples) - mean**2, 0.0)


def _decibels(power: float) -> float:
    return max(10 * float(np.log10(power + 1e-30)), SILENCE)
