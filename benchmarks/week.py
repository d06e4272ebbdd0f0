"""False alarms of a simulated week, against those asked for: ``python -m benchmarks.week``.

    python -m benchmarks.week --days 7

Four machines are monitored, whose noise has three resonances. The levels of these are

- steady: constant;
- wavering in seconds: they change by 1.5 dB (standard deviation) within 5 s, half a window;
- wavering in minutes: the same within 2 minutes, so that windows that follow each other are alike;
- drifting: wavering in seconds, and 1 dB louder every day.

The detector learns 200 clips of 10 s, of moments that lie apart, and is asked for one false alarm a
day. Monitored are windows of 10 s with the default rule, 3 of 5. Printed are the alarms of the
week, the 95 % interval of a Poisson count with the mean that was asked for, and the share of
windows that were anomalous beside the share that the monitor computed with.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import signal, stats
from sklearn.pipeline import make_pipeline

from skasd import GaussianMixtureDetector, LogMelSpectrogram, Monitor, TimeWeightedPooling

SAMPLE_RATE, SECONDS = 8000, 10
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


def main() -> None:
    """Monitor each machine, and print its alarms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=float, default=7)
    days = parser.parse_args().days
    low, high = stats.poisson.interval(0.95, days)
    print(f"| machine | alarms in {days:g} days | asked for | anomalous windows | computed with |")
    print("| --- | --- | --- | --- | --- |")
    for name, machine in MACHINES.items():
        rng = np.random.default_rng(0)
        detector = make_pipeline(
            LogMelSpectrogram(sample_rate=SAMPLE_RATE, n_mels=32, input_sample_rate=SAMPLE_RATE),
            TimeWeightedPooling(),
            GaussianMixtureDetector(1),
        ).fit(list(machine.clips(200, rng, apart=True)))
        monitor = Monitor(detector, false_alarms="1 per day", sample_rate=SAMPLE_RATE)
        assert monitor.expected_false_alarms is not None
        n_windows = int(days * 86400 / SECONDS)
        raised = anomalous = 0
        for event in monitor.stream(machine.clips(n_windows, rng, apart=False)):
            raised += event.alarm_change == "raised"
            anomalous += bool(event.is_anomalous)
        print(
            f"| {name} | {raised} | {days:g} ({low:.0f} to {high:.0f}) "
            f"| {100 * anomalous / n_windows:.2f} % "
            f"| {100 * monitor.expected_false_alarms.window_rate:.2f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
