"""False alarms of a simulated week, against those asked for: ``python -m benchmarks.week``.

    python -m benchmarks.week --days 7

Four machines are monitored, whose noise has three resonances. The levels of these are

- steady: constant;
- wavering in seconds: they change by 1.5 dB (standard deviation) within 5 s, half a window;
- wavering in minutes: the same within 2 minutes, so that windows that follow each other are alike;
- drifting: wavering in seconds, and 1 dB louder every day.

The default system learns 200 clips of 10 s, of moments that lie apart, and is asked for one false
alarm a day. Monitored are windows of 10 s with the default rule, 3 of 5. The threshold is computed
as if windows were independent, and measured: by the alarms of a day before the week, as ``skasd
calibrate --clip-seconds 10 --false-alarms "1 per day"`` does. Printed are the alarms of the week at
either, beside the 95 % interval of a Poisson count with the mean that was asked for, and the share
of windows that were anomalous beside the share that the monitor computed with.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import signal, stats

from skasd import Monitor, make_views_detector
from skasd.monitoring._false_alarms import count_alarms, parse_frequency
from skasd.monitoring._measured_alarms import threshold_for

SAMPLE_RATE, SECONDS = 8000, 10
ASKED = "1 per day"
RESONANCES = (300, 900, 2200)
"""In Hz."""


@dataclass
class Machine:
    """A healthy machine's sound, whose resonances waver and drift.

    Parameters
    ----------
    wavering : float
        Standard deviation of the levels, in dB.
    memory : float
        Time in which levels forget, in s.
    drift : float
        What is added to the levels, in dB a day.
    """

    wavering: float = 0.0
    memory: float = 1.0
    drift: float = 0.0

    def clips(self, n_clips: int, rng: np.random.Generator, *, apart: bool) -> Iterator[np.ndarray]:
        """Yield clips of 10 s: of moments that lie apart, or one after the other."""
        filters = [signal.iirpeak(hertz, 3, fs=SAMPLE_RATE) for hertz in RESONANCES]
        kept = np.exp(-1 / self.memory)
        levels = rng.normal(0, self.wavering, len(RESONANCES))
        for i in range(n_clips):
            if apart:
                levels = rng.normal(0, self.wavering, len(RESONANCES))
            each_second = np.empty((SECONDS, len(RESONANCES)))
            for second in range(SECONDS):
                news = rng.normal(0, self.wavering, len(RESONANCES))
                levels = kept * levels + np.sqrt(1 - kept**2) * news
                each_second[second] = levels
            if not apart:
                each_second += self.drift * i * SECONDS / 86400
            clip = 0.01 * rng.normal(size=SECONDS * SAMPLE_RATE)
            for (b, a), in_decibels in zip(filters, each_second.T, strict=True):
                resonance = signal.lfilter(b, a, rng.normal(size=len(clip)))
                clip += 0.1 * resonance * np.repeat(10 ** (in_decibels / 20), SAMPLE_RATE)
            yield clip


MACHINES = {
    "steady": Machine(),
    "wavering in seconds": Machine(wavering=1.5, memory=5),
    "wavering in minutes": Machine(wavering=1.5, memory=120),
    "drifting": Machine(wavering=1.5, memory=5, drift=1.0),
}


@dataclass
class Week:
    """Alarms of a machine: at the computed threshold, and at the measured one."""

    computed: int
    measured: int
    anomalous: float
    expected: float


def monitor_week(machine: Machine, days: float) -> Week:
    """Fit on clips, measure the threshold on a day, and monitor the days after it."""
    rng = np.random.default_rng(0)
    detector = make_views_detector(
        sample_rate=SAMPLE_RATE, input_sample_rate=SAMPLE_RATE, n_fft=512, hop_length=256
    ).fit(list(machine.clips(200, rng, apart=True)))
    monitor = Monitor(detector, false_alarms=ASKED, clip_seconds=SECONDS, sample_rate=SAMPLE_RATE)
    assert monitor.expected_false_alarms is not None
    n_first, n_windows = (int(each * 86400 / SECONDS) for each in (1, days))
    clips = machine.clips(n_first + n_windows, rng, apart=False)
    events = list(monitor.stream(clips))
    scores = np.array([event.anomaly_score for event in events])
    first, week = scores[:n_first], scores[n_first:]
    measured, _ = threshold_for(monitor.alarm, [first], parse_frequency(ASKED), SECONDS)
    computed = events[0].threshold
    counts = [
        count_alarms(monitor.alarm, [week], threshold, SECONDS).n_alarms
        for threshold in (computed, measured)
    ]
    share = float((week > computed).mean())
    return Week(*counts, anomalous=share, expected=monitor.expected_false_alarms.window_rate)


def main() -> None:
    """Monitor each machine, and print its alarms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--only", action="append", choices=MACHINES, help="This; repeatable.")
    arguments = parser.parse_args()
    days = arguments.days
    low, high = stats.poisson.interval(0.95, days)
    print(
        f"| machine | alarms in {days:g} days, computed | measured on a day | asked for "
        "| anomalous windows | computed with |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name in arguments.only or MACHINES:
        week = monitor_week(MACHINES[name], days)
        print(
            f"| {name} | {week.computed} | {week.measured} | {days:g} ({low:.0f} to {high:.0f}) "
            f"| {100 * week.anomalous:.2f} % | {100 * week.expected:.2f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
