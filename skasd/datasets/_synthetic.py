"""Sounds of synthetic machines with plausible physics, for examples and tests."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skasd._sklearn import Interval, StrOptions, validate_params

MACHINE_LEVEL = 0.03
"""Root mean square of a healthy machine; full scale is 1."""


@validate_params(
    {
        "machine": [StrOptions({"fan", "pump", "slider", "valve"})],
        "n_normal": [Interval(Integral, 0, None, closed="left")],
        "n_anomalous": [Interval(Integral, 0, None, closed="left")],
        "duration": [Interval(Real, 0, None, closed="neither")],
        "sample_rate": [Interval(Integral, 8000, None, closed="left")],
        "snr_db": [Real],
        "random_state": ["random_state"],
    }
)
def make_machine_sounds(
    machine: str = "fan",
    *,
    n_normal: int = 100,
    n_anomalous: int = 20,
    duration: float = 10.0,
    sample_rate: int = 16000,
    snr_db: float = 6.0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Make recordings of one machine in a factory, for examples and tests only.

    Each seed gives one machine: its speed, resonances and stroke are drawn once, and vary little
    from clip to clip. The faults of the anomalous clips grow from barely audible in the first clip
    to obvious in the last. Results on these sounds say nothing about real machines.

    ========== ====================================== ==========================================
    machine    sound                                  fault
    ========== ====================================== ==========================================
    ``fan``    tones of the blades, flow noise        imbalance: the sound beats with each turn
    ``pump``   hum of the motor, pulses of pressure   leak: hiss with each pulse, weaker pulses
    ``slider`` strokes back and forth, thump at ends  friction: squeal while it moves
    ``valve``  a click to open and one to close       clicks that come late or are missing
    ========== ====================================== ==========================================

    Parameters
    ----------
    machine : {"fan", "pump", "slider", "valve"}, default="fan"
        The kind of machine.
    n_normal : int, default=100
        Number of clips of the healthy machine.
    n_anomalous : int, default=20
        Number of clips of the faulty machine.
    duration : float, default=10.0
        Length of a clip, in seconds.
    sample_rate : int, default=16000
        Sample rate, in Hz; at least 8000.
    snr_db : float, default=6.0
        Level of the healthy machine above the factory noise, in dB.
    random_state : int, RandomState instance or None, default=None
        Source of randomness for the machine and for everything that varies between clips.

    Returns
    -------
    clips : ndarray of shape (n_normal + n_anomalous, n_samples), float32
        The normal clips, then the anomalous ones. Samples are mostly within [-1, 1].
    y : ndarray of shape (n_normal + n_anomalous,), int
        +1 for normal clips, -1 for anomalous ones.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from skasd.datasets import make_machine_sounds
    >>> clips, y = make_machine_sounds("valve", n_normal=3, n_anomalous=2, duration=2.0,
    ...                                random_state=0)
    >>> clips.shape, y
    ((5, 32000), array([ 1,  1,  1, -1, -1]))
    """
    rng: np.random.RandomState = check_random_state(random_state)
    time = np.arange(round(duration * sample_rate)) / sample_rate
    sound = _MACHINES[machine](rng, sample_rate)
    reference = sound(np.arange(10 * sample_rate) / sample_rate, 0.0)
    gain = MACHINE_LEVEL / np.sqrt(np.mean(reference**2))
    noise_level = MACHINE_LEVEL * 10 ** (-snr_db / 20)
    severities = np.r_[np.zeros(n_normal), np.linspace(0.1, 1.0, n_anomalous)]
    clips = [
        gain * 10 ** (rng.normal(0, 0.5) / 20) * sound(time, severity)
        + noise_level * _factory_noise(len(time), sample_rate, rng)
        for severity in severities
    ]
    y = np.where(severities > 0, -1, 1)
    return np.array(clips, dtype=np.float32).reshape(len(y), len(time)), y


Sound = Callable[[np.ndarray, float], np.ndarray]
"""(times in s, severity of the fault in [0, 1]) → samples."""


def _fan(random_state: np.random.RandomState, sample_rate: int) -> Sound:
    turns_per_second = random_state.uniform(18, 28)
    n_blades = random_state.randint(5, 10)
    harmonics = np.arange(1, 9)
    levels = harmonics**-1.2 * random_state.uniform(0.5, 1.5, len(harmonics))
    flow_band = (150, random_state.uniform(1500, 2500))

    def sound(time: Any, severity: Any) -> Any:
        speed = turns_per_second * (1 + random_state.normal(0, 0.003))
        wander = 0.002 * _slow_noise(len(time), sample_rate, random_state)
        turn = 2 * np.pi * np.cumsum(speed * (1 + wander)) / sample_rate
        phases = random_state.uniform(0, 2 * np.pi, len(harmonics))
        tones = np.cos(n_blades * np.outer(turn, harmonics) + phases) @ levels
        flow = _band_noise(len(time), flow_band, sample_rate, random_state)
        flow *= 1 + 0.3 * np.cos(n_blades * turn)
        beat = np.cos(turn + random_state.uniform(0, 2 * np.pi))
        return (tones + 1.5 * flow) * (1 + 0.5 * severity * beat) + 0.8 * severity * beat

    return sound


def _pump(random_state: np.random.RandomState, sample_rate: int) -> Sound:
    pulses_per_second = random_state.uniform(3, 6)
    hum_levels = random_state.uniform(0.3, 1.0, 4) / np.arange(1, 5)
    resonances = random_state.uniform((400, 1200), (800, 2000))

    def sound(time: Any, severity: Any) -> Any:
        hum = np.sin(2 * np.pi * np.outer(time, 100 * np.arange(1, 5))) @ hum_levels
        rate = pulses_per_second * (1 + random_state.normal(0, 0.005))
        since_pulse = (rate * time + random_state.uniform()) % 1 / rate
        pulse = np.exp(-since_pulse / 0.04)
        ringing = np.sin(2 * np.pi * np.outer(since_pulse, resonances)).sum(axis=1) * pulse
        hiss_band = (2000, min(6000, 0.45 * sample_rate))
        hiss = _band_noise(len(time), hiss_band, sample_rate, random_state) * (0.3 + pulse)
        return hum + (1 - 0.5 * severity) * ringing + 0.6 * severity * hiss

    return sound


def _slider(random_state: np.random.RandomState, sample_rate: int) -> Sound:
    stroke_seconds = random_state.uniform(0.8, 1.4)
    rail_band = (300, random_state.uniform(1200, 2000))
    gear_hz = random_state.uniform(350, 550)
    thump_hz = random_state.uniform(90, 160)
    squeal_hz = random_state.uniform(2200, 3200)

    def sound(time: Any, severity: Any) -> Any:
        seconds = stroke_seconds * (1 + random_state.normal(0, 0.01))
        stroke = time / seconds + random_state.uniform()
        since_end = stroke % 1 * seconds
        velocity = np.sin(np.pi * (stroke % 1)) ** 2
        rail = _band_noise(len(time), rail_band, sample_rate, random_state) * velocity
        gear = np.sin(2 * np.pi * np.cumsum(gear_hz * velocity) / sample_rate) * velocity
        thump = np.sin(2 * np.pi * thump_hz * since_end) * np.exp(-since_end / 0.03)
        # Stick-slip: the squeal starts and stops, in some strokes more than in others.
        grip = np.clip(_slow_noise(len(time), sample_rate, random_state, hertz=8) + 0.3, 0, None)
        pitch = squeal_hz * (0.97 + 0.03 * velocity)
        squeal = np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate) * velocity * grip
        return rail + 0.7 * gear + 1.5 * thump + 0.6 * severity * squeal

    return sound


def _valve(random_state: np.random.RandomState, sample_rate: int) -> Sound:
    period = random_state.uniform(0.5, 0.8)
    resonances = random_state.uniform((900, 2200), (1800, 3600), size=(2, 2))
    ring_seconds = random_state.uniform(0.004, 0.010)
    click_time = np.arange(round(12 * ring_seconds * sample_rate)) / sample_rate
    clicks = [
        np.sin(2 * np.pi * np.outer(click_time, pair)).sum(axis=1)
        * np.exp(-click_time / ring_seconds)
        for pair in resonances
    ]

    def sound(time: Any, severity: Any) -> Any:
        seconds = len(time) / sample_rate
        cycles = np.arange(random_state.uniform(0, period / 2), seconds, period)
        moments = np.add.outer(cycles, (0.0, 0.4 * period)).ravel()
        moments += random_state.normal(0, 0.002, len(moments))
        levels = 10 ** (random_state.normal(0, 0.5, len(moments)) / 20)
        if severity > 0:
            n_faults = max(1, round(0.5 * severity * len(moments)))
            faulty = random_state.permutation(len(moments))[:n_faults]
            moments[faulty[::2]] += random_state.uniform(0.05, 0.2, len(faulty[::2])) * period
            levels[faulty[1::2]] = 0
        samples = np.zeros(len(time) + len(click_time))
        for i, (moment, level) in enumerate(zip(moments, levels, strict=True)):
            start = round(max(0, moment) * sample_rate)
            if start < len(time):
                samples[start : start + len(click_time)] += level * clicks[i % 2]
        return samples[: len(time)]

    return sound


_MACHINES = {"fan": _fan, "pump": _pump, "slider": _slider, "valve": _valve}


def _factory_noise(
    n_samples: int, sample_rate: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Make pink noise with a drifting level and occasional bangs; root mean square near 1."""
    level = 10 ** (1.5 * _slow_noise(n_samples, sample_rate, random_state) / 20)
    noise = _pink_noise(n_samples, sample_rate, random_state) * level
    time = np.arange(n_samples) / sample_rate
    for _ in range(random_state.poisson(0.2 * n_samples / sample_rate)):
        since = np.clip(time - random_state.uniform(0, n_samples / sample_rate), 0, None)
        hertz = random_state.uniform(200, 900)
        bang = np.sin(2 * np.pi * hertz * since) * np.exp(-since / random_state.uniform(0.02, 0.1))
        noise += random_state.uniform(0.3, 1.5) * bang
    return noise


def _pink_noise(
    n_samples: int, sample_rate: int, random_state: np.random.RandomState
) -> np.ndarray:
    frequencies = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    return _shaped_noise(1 / np.sqrt(np.maximum(frequencies, 50)), n_samples, random_state)


def _slow_noise(
    n_samples: int, sample_rate: int, random_state: np.random.RandomState, hertz: float = 1.0
) -> np.ndarray:
    """Make noise of mean square 1 that changes within about ``1 / hertz`` seconds."""
    frequencies = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    return _shaped_noise(np.exp(-((frequencies / hertz) ** 2)), n_samples, random_state)


def _band_noise(
    n_samples: int,
    band: tuple[float, float],
    sample_rate: int,
    random_state: np.random.RandomState,
) -> np.ndarray:
    """Make noise of mean square 1 within a band, in Hz."""
    frequencies = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    low, high = band
    shape = 1 / np.sqrt(1 + (low / np.maximum(frequencies, 1)) ** 8 + (frequencies / high) ** 8)
    return _shaped_noise(shape, n_samples, random_state)


def _shaped_noise(
    spectrum: np.ndarray, n_samples: int, random_state: np.random.RandomState
) -> np.ndarray:
    """White noise through a filter, scaled to an expected mean square of 1."""
    colored = np.fft.irfft(np.fft.rfft(random_state.normal(size=n_samples)) * spectrum, n_samples)
    return colored / np.sqrt(np.mean(spectrum**2))
