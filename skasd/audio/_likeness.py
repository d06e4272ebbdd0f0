"""How alike recordings are: copies of each other, and ones that sound unlike all others."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import fft

from skasd.detection._calibration import suspicious

RATE = 16000
"""Rate at which recordings are compared, in Hz."""

FRAME, HOP = 1024, 512
N_BANDS = 32

N_FILLED = 28
"""Bands below the slope of the filters of converters and resamplers."""

N_BINS = 16
"""Single bins by which copies are found, below 4 kHz, which encoders and lower rates leave."""

MOST_FRAMES = 160
FEWEST_FRAMES = 16

LAGS = range(-2, 3)
"""Frames by which a copy may begin earlier or later: an encoder adds up to 0.06 s."""

SHARED = 0.4
"""Correlation of single bins above which two recordings have something in common.

What varies from bin to bin and frame to frame is chance: recordings of the same machine, in step,
correlate by less than 0.1, and a copy that was encoded anew by more than 0.8.
"""

SAME = 0.95
"""Correlation of samples above which they have all in common: nine tenths of the power.

Two recordings of a public data set into which the same background was mixed have 0.92.
"""

FEWEST_CLIPS = 8
"""Clips among which one can be odd."""

ODD_DECIBELS = 3.0
"""How far, at least, an odd clip's bands are from those of its nearest neighbor, on average."""

AUDIBLE = 60.0
"""Range of levels that count, below the loudest band, in dB."""

BLOCK = 256
"""Clips that are compared with all others at a time."""


class Sound(NamedTuple):
    """What of a recording is compared with others.

    Parameters
    ----------
    bins : ndarray of shape (n_frames, n_bins)
        What single bins have beyond their average, and beyond all bins of a frame.
    bands : ndarray of shape (n_bands,)
        Level of each band, in dB relative to the average band.
    """

    bins: np.ndarray
    bands: np.ndarray

    @classmethod
    def of(cls, samples: np.ndarray) -> "Sound":
        """Describe a recording.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            At `RATE`.

        Returns
        -------
        Sound
        """
        if len(samples) < FRAME:
            samples = np.pad(samples, (0, FRAME - len(samples)))
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
        spectra = np.abs(fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=1))[:, 1:]
        power = np.square(spectra).reshape(len(frames), N_BANDS, -1).mean(axis=(0, 2))
        levels = 10 * np.log10(power + 1e-30)
        levels = np.maximum(levels, levels.max() - AUDIBLE)
        bins = spectra[:MOST_FRAMES, : FRAME // 4 : FRAME // 4 // N_BINS]
        bins = bins / (bins.mean(axis=0) + 1e-12)
        bins = bins / (bins.mean(axis=1, keepdims=True) + 1e-12)
        bins = (bins - bins.mean(axis=0)).astype(np.float32)
        levels = levels[:N_FILLED]
        return cls(bins, levels - levels.mean())


def find_copies(sounds: list[Sound], load: Callable[[int], np.ndarray]) -> dict[int, int]:
    """Find recordings that are copies of others, by their common beginning.

    Parameters
    ----------
    sounds : list of Sound
        What there is.
    load : callable
        Returns the samples of one of them by its index, at `RATE`.

    Returns
    -------
    dict of int to int
        Index of each copy, and that of the first recording that it is a copy of.
    """
    copies = {}
    for later, earlier in _with_something_shared(sounds):
        if later not in copies and _are_same(load(later), load(earlier)):
            copies[later] = earlier
    return copies


def _with_something_shared(sounds: list[Sound]) -> Iterator[tuple[int, int]]:
    """Yield pairs of indices, the later one first, whose single bins correlate."""
    n_frames = np.array([len(sound.bins) for sound in sounds], dtype=int)
    bins = np.zeros((len(sounds), n_frames.max(initial=1), N_BINS), np.float32)
    for row, sound in zip(bins, sounds, strict=True):
        row[: len(sound.bins)] = sound.bins
    # Energy of the first frames of each, by their number.
    energy = np.cumsum(np.square(bins).sum(axis=2), axis=1)
    for start in range(0, len(sounds), BLOCK):
        rows = slice(start, start + BLOCK)
        common = np.minimum(n_frames[rows, np.newaxis], n_frames)
        own = np.take_along_axis(energy[rows], common - 1, axis=1)
        others = energy[np.arange(len(sounds)), common - 1]
        products = np.max([_products(bins[rows], bins, lag) for lag in LAGS], axis=0)
        is_shared = products > SHARED * np.sqrt(np.maximum(own * others, 1e-12))
        for later, earlier in np.argwhere(is_shared & (common >= FEWEST_FRAMES)):
            if earlier < later + start:
                yield int(later + start), int(earlier)


def _products(some: np.ndarray, all_: np.ndarray, lag: int) -> np.ndarray:
    """Return the products of recordings with others that begin `lag` frames later."""
    if lag < 0:
        some, all_ = some[:, -lag:], all_[:, :lag]
    elif lag > 0:
        some, all_ = some[:, :-lag], all_[:, lag:]
    return some.reshape(len(some), -1) @ all_.reshape(len(all_), -1).T


def _are_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether the common beginning of two recordings has the same samples, but for a gain."""
    import soxr
    from scipy import signal  # takes long to import, and only fitting compares

    # What is above 4 kHz, an encoder or a lower sample rate may have taken.
    n_samples = min(len(one), len(other))
    one, other = (soxr.resample(each[:n_samples], RATE, RATE // 2) for each in (one, other))
    one, other = one - one.mean(), other - other.mean()
    products = signal.correlate(one, other, method="fft")
    size = np.sqrt(float(one @ one) * float(other @ other))
    return bool(np.abs(products).max() > SAME * max(size, 1e-12))


def find_odd(sounds: list[Sound]) -> list[tuple[int, float]]:
    """Find recordings that sound unlike all others, by the levels of their bands.

    Parameters
    ----------
    sounds : list of Sound
        What there is.

    Returns
    -------
    list of (int, float)
        Their indices, and how far their bands are from those of the most similar other recording,
        in dB.
    """
    if len(sounds) < FEWEST_CLIPS:
        return []
    bands = np.array([sound.bands for sound in sounds])
    distances = np.empty(len(bands))
    for index, each in enumerate(bands):
        squares = np.square(bands - each).mean(axis=1)
        # The third: two odd ones may be alike.
        distances[index] = np.sqrt(np.partition(squares, 3)[3])
    apart = suspicious(distances)
    limit = max(ODD_DECIBELS, 2 * np.quantile(distances, 0.9))
    return [(int(index), float(distances[index])) for index in apart if distances[index] > limit]
