"""Kinds of pseudo-anomalies: what may happen to a machine, made from clips of the healthy one.

Each kind is a function ``(spectrogram, others, strength, rng) → spectrogram``: log-mel in dB, clips
of other machines, how much is changed, and source of what varies. The strength multiplies what is
changed in dB, or the share of a machine's events; twice the strength raises what is added by 6 dB.
What the functions say holds for a strength of 1. `KINDS` names them all.
"""

import numpy as np
from scipy import ndimage


def _log_uniform(rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _band_range(spectrogram: np.ndarray, rng) -> np.ndarray:
    """Draw weights of the bands: a range of 1/20 to 1/5 of them, with soft edges."""
    n_bands = spectrogram.shape[1]
    width = _log_uniform(rng, n_bands / 20, n_bands / 5)
    distance = np.abs(np.arange(n_bands) - rng.uniform(0, n_bands))
    return np.clip(1.5 - distance / (width / 2), 0, 1)


def _power_sum(*levels: np.ndarray) -> np.ndarray:
    return 10 * np.log10(sum(10 ** (level / 10) for level in levels))


def _added_db(strength: float) -> float:
    return 20 * np.log10(strength)


def _smooth_noise(n_frames: int, frames: float, rng) -> np.ndarray:
    """Draw noise of standard deviation 1 that changes within so many frames."""
    noise = ndimage.gaussian_filter1d(rng.normal(size=n_frames), frames, mode="wrap")
    return noise / max(noise.std(), 1e-9)


def _events(spectrogram: np.ndarray) -> list[tuple[int, int]]:
    """Return the spans of frames that are among the loudest sixth: (first, last + 1)."""
    loudness = (spectrogram - np.median(spectrogram, axis=0)).mean(axis=1)
    loudness = ndimage.gaussian_filter1d(loudness, 1.0)
    labels, _ = ndimage.label(loudness > np.quantile(loudness, 5 / 6))
    spans = [(span.start, span.stop) for (span,) in ndimage.find_objects(labels)]
    return [(max(0, start - 1), stop + 1) for start, stop in spans]


def _some_events(spectrogram: np.ndarray, most: float, rng) -> list[tuple[int, int]]:
    """Draw one event or more: up to this share of them."""
    events = _events(spectrogram)
    n_events = max(1, round(rng.uniform(0, min(1, most)) * len(events)))
    return [events[index] for index in rng.permutation(len(events))[:n_events]]


def _loud_frames(spectrogram: np.ndarray) -> np.ndarray:
    """Return 1 where there is an event, 0 elsewhere."""
    loud = np.zeros(len(spectrogram))
    for start, stop in _events(spectrogram):
        loud[start:stop] = 1
    return loud


def _without_events(spectrogram: np.ndarray, rng) -> np.ndarray:
    """Put other frames of the clip, drawn in runs of 4, in the place of the loud ones."""
    loud = _loud_frames(spectrogram) > 0
    quiet = np.flatnonzero(~loud)
    starts = rng.integers(0, len(quiet), size=-(-int(loud.sum()) // 4))
    drawn = (starts[:, np.newaxis] + np.arange(4)).ravel()[: loud.sum()] % len(quiet)
    replaced = spectrogram.copy()
    replaced[loud] = spectrogram[quiet[drawn]]
    return replaced


def raised(spectrogram, others, strength, rng):
    """Raise a range of bands by 0.7 to 7 dB."""
    return spectrogram + strength * _log_uniform(rng, 0.7, 7) * _band_range(spectrogram, rng)


def lowered(spectrogram, others, strength, rng):
    """Lower a range of bands by 0.7 to 7 dB."""
    return spectrogram - strength * _log_uniform(rng, 0.7, 7) * _band_range(spectrogram, rng)


def tone(spectrogram, others, strength, rng):
    """Add a tone that wavers, from 8 dB below to 10 dB above its band's mean level."""
    n_frames, n_bands = spectrogram.shape
    band = rng.integers(n_bands)
    level = spectrogram[:, band].mean() + rng.uniform(-8, 10) + _added_db(strength)
    level = level + _smooth_noise(n_frames, 10, rng)
    leak = -12.0 * np.abs(np.arange(n_bands) - band)
    return _power_sum(spectrogram, level[:, np.newaxis] + leak)


def burst(spectrogram, others, strength, rng):
    """Add a hit in a range of bands or in all; it falls by 12 dB in 2 to 15 frames."""
    n_frames, n_bands = spectrogram.shape
    bands = np.ones(n_bands) if rng.uniform() < 0.5 else _band_range(spectrogram, rng)
    since = np.arange(n_frames) - rng.uniform(0, n_frames)
    decay = np.where(since >= 0, -12 * since / _log_uniform(rng, 2, 15), -200)
    level = spectrogram.mean(axis=0) + rng.uniform(0, 15) + _added_db(strength) + 40 * (bands - 1)
    return _power_sum(spectrogram, level + decay[:, np.newaxis])


def modulated(spectrogram, others, strength, rng):
    """Let a range of bands swing to and fro by 0.7 to 7 dB, every 4 to 40 frames."""
    swing = np.sin(
        2 * np.pi * (np.arange(len(spectrogram)) / _log_uniform(rng, 4, 40) + rng.uniform())
    )
    depth = strength * _log_uniform(rng, 0.7, 7) * _band_range(spectrogram, rng)
    return spectrogram + swing[:, np.newaxis] * depth


def other_machine(spectrogram, others, strength, rng):
    """Let another machine run behind, 3 to 25 dB softer."""
    other = others[rng.integers(len(others))]
    frames = (rng.integers(len(other)) + np.arange(len(spectrogram))) % len(other)
    behind = other[frames]
    below = rng.uniform(3, 25) - _added_db(strength)
    loudness = [10 * np.log10(np.mean(10 ** (each / 10))) for each in (spectrogram, behind)]
    return _power_sum(spectrogram, behind + loudness[0] - loudness[1] - below)


def missing_events(spectrogram, others, strength, rng):
    """Leave out up to half of what is loud for moments."""
    replaced, without = spectrogram.copy(), _without_events(spectrogram, rng)
    for start, stop in _some_events(spectrogram, 0.5 * strength, rng):
        replaced[start:stop] = without[start:stop]
    return replaced


def weakened_events(spectrogram, others, strength, rng):
    """Take 1/20 to 1/2 of its rise, in dB, from what is loud for moments."""
    share = min(1, strength * _log_uniform(rng, 0.05, 0.5))
    share = share * _loud_frames(spectrogram)[:, np.newaxis]
    return (1 - share) * spectrogram + share * _without_events(spectrogram, rng)


def delayed_events(spectrogram, others, strength, rng):
    """Let up to half of the events change places with the 4 to 40 frames after them."""
    delayed = spectrogram.copy()
    for start, stop in _some_events(spectrogram, 0.5 * strength, rng):
        later = min(len(spectrogram), stop + round(_log_uniform(rng, 4, 40)))
        delayed[start:later] = np.concatenate([delayed[stop:later], delayed[start:stop]])
    return delayed


def doubled_events(spectrogram, others, strength, rng):
    """Let up to half of the events happen again within 3 to 30 frames."""
    echo = np.full_like(spectrogram, -200.0)
    delay = round(_log_uniform(rng, 3, 30))
    for start, stop in _some_events(spectrogram, 0.5 * strength, rng):
        stop = min(stop, len(spectrogram) - delay)
        if start < stop:
            echo[start + delay : stop + delay] = spectrogram[start:stop]
    return _power_sum(spectrogram, echo)


def squeal(spectrogram, others, strength, rng):
    """Raise a range of bands by 1 to 10 dB, but only while the machine is loud."""
    rise = strength * _log_uniform(rng, 1, 10) * _band_range(spectrogram, rng)
    return spectrogram + _loud_frames(spectrogram)[:, np.newaxis] * rise


def rough(spectrogram, others, strength, rng):
    """Let a range of bands flicker by 1 to 7 dB while the machine is loud."""
    depth = strength * _log_uniform(rng, 1, 7) * _band_range(spectrogram, rng)
    flicker = _loud_frames(spectrogram) * rng.normal(size=len(spectrogram))
    return spectrogram + flicker[:, np.newaxis] * depth


KINDS = {
    "raised": raised,
    "lowered": lowered,
    "tone": tone,
    "burst": burst,
    "modulated": modulated,
    "other machine": other_machine,
    "missing events": missing_events,
    "weakened events": weakened_events,
    "delayed events": delayed_events,
    "doubled events": doubled_events,
    "squeal": squeal,
    "rough": rough,
}
