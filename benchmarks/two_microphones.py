"""One microphone, both, or one above the other: ``python -m benchmarks.two_microphones``.

    python -m benchmarks.two_microphones --mimii FOLDER --seeds 2 --json FILE
    python -m benchmarks.two_microphones --seeds 0 --json FILE      # the table alone

==========  =======================================================================================
real fan    ``--mimii``, a folder with ``normal`` and ``anomaly``, recordings of two microphones on
            opposite sides of the fan, of which neither is far. A fourth of the normal clips,
            permuted, is left out in turn, and tests with all anomalous ones
synthetic   each seed a fan, pump, slider and valve of `skasd.datasets.make_machine_sounds`, 2 s: 60
            normal clips train, 40 normal and 40 anomalous ones test. A neighbor, of the next kind,
            is 6 dB quieter than the machine, or 6 dB louder, by 4 dB more or less from clip to
            clip. The far microphone hears the neighbor as loud, and the machine 12 dB less
==========  =======================================================================================

All by the default system. Beside an AUC is its 95 % interval, by other test clips (bootstrap).
"""

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.measure import MACHINES, table_head, table_line
from benchmarks.toycar import read_results
from skasd import make_views_detector
from skasd.audio import check_clips
from skasd.datasets import make_machine_sounds
from skasd.exceptions import RecordingWarning

RATE, FOLDS = 16000, 4
N_TRAIN, N_TEST = 60, 40
NEIGHBOR_DECIBELS, SPREAD_DECIBELS, FAR_DECIBELS = (-6, 6), 4.0, -12.0
SECONDS = 2.0
DELAY = 48

HEARD: dict[str, str | int] = {
    "first channel": 0,
    "second channel": 1,
    "mean": "mean",
    "near-far": "near-far",
    "far-near": "far-near",
}
"""What is heard, and the parameter `channel`."""


def record(machine: str, seed: int, neighbor_decibels: float) -> list:
    """Return clips of two channels, near and far: the normal ones first."""
    n_normal = N_TRAIN + N_TEST
    clips, _ = make_machine_sounds(
        machine,
        n_normal=n_normal,
        n_anomalous=N_TEST,
        duration=SECONDS,
        snr_db=30,
        random_state=seed,
    )
    other = MACHINES[(MACHINES.index(machine) + 1) % len(MACHINES)]
    neighbor, _ = make_machine_sounds(
        other, n_normal=len(clips), n_anomalous=0, duration=SECONDS, random_state=1000 + seed
    )
    gains = np.random.default_rng(seed).normal(neighbor_decibels, SPREAD_DECIBELS, len(clips))
    neighbor = neighbor * 10 ** (gains[:, np.newaxis] / 20)
    far = 10 ** (FAR_DECIBELS / 20) * clips + np.roll(neighbor, DELAY, axis=1)
    both = np.stack([clips + neighbor, far], axis=2).astype(np.float32)
    return check_clips([(RATE, each) for each in both])


def wins(heard: str, train: list, normal: list, anomalous: list) -> np.ndarray:
    """Return which anomalous clip the default system scores above which normal one."""
    detector = make_views_detector(channel=HEARD[heard]).fit(train)
    scores = detector.anomaly_score([*normal, *anomalous])
    difference = scores[len(normal) :] - scores[: len(normal), np.newaxis]
    return (1 + np.sign(difference)) / 2


def wins_of_fan(heard: str, normal: list, anomalous: list) -> np.ndarray:
    """Return the same for each normal clip by a fit that has left it out."""
    parts = np.array_split(np.random.default_rng(0).permutation(len(normal)), FOLDS)
    return np.concatenate(
        [
            wins(
                heard,
                [clip for i, clip in enumerate(normal) if i not in held],
                [normal[i] for i in held],
                anomalous,
            )
            for held in parts
        ]
    )


def auc_and_interval(won: np.ndarray) -> list[float]:
    """Return the AUC and its 95 % interval, by clips of each class drawn with replacement."""
    rng = np.random.default_rng(0)
    n_normal, n_anomalous = won.shape
    areas = [
        won[rng.integers(n_normal, size=n_normal)][:, rng.integers(n_anomalous, size=n_anomalous)]
        for _ in range(1000)
    ]
    low, high = np.quantile([area.mean() for area in areas], [0.025, 0.975])
    return [round(float(each), 4) for each in (won.mean(), low, high)]


def all_runs(fan: Path | None, n_seeds: int) -> Iterator[tuple[str, Callable]]:
    """Return the name of each run, and what says which anomalous clips win."""
    if fan:
        normal, anomalous = (
            check_clips(
                [(RATE, soundfile.read(path)[0]) for path in sorted((fan / kind).glob("*.flac"))]
            )
            for kind in ("normal", "anomaly")
        )
        yield "real fan", partial(wins_of_fan, normal=normal, anomalous=anomalous)
    for neighbor_decibels in NEIGHBOR_DECIBELS if n_seeds else ():
        for seed in range(n_seeds):
            for machine in MACHINES:
                clips = record(machine, seed, neighbor_decibels)
                train, test = clips[:N_TRAIN], clips[N_TRAIN:]
                normal, anomalous = test[:N_TEST], test[N_TEST:]
                run = f"neighbor {neighbor_decibels:+d} dB: {machine} {seed}"
                yield run, partial(wins, train=train, normal=normal, anomalous=anomalous)


def table(results: dict) -> str:
    """Return the Markdown table of ``results[heard][run]``: an AUC and the ends of its interval."""
    groups = list(dict.fromkeys(run.partition(":")[0] for runs in results.values() for run in runs))
    lines = [table_head(("what is heard", *groups))]
    for heard, runs in results.items():
        cells = []
        for group in groups:
            areas = [value for run, value in runs.items() if run.partition(":")[0] == group]
            mean = f"{np.mean([area for area, *_ in areas]):.3f}"
            is_one = len(areas) == 1
            cells.append(f"{mean} ({areas[0][1]:.2f} to {areas[0][2]:.2f})" if is_one else mean)
        lines.append(table_line((heard, *cells)))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mimii", type=Path, help="Recordings of the fan.")
    parser.add_argument("--seeds", type=int, default=1, help="Synthetic machines of each kind.")
    parser.add_argument("--json", type=Path, help="File of the figures.")
    arguments = parser.parse_args()
    results = read_results(arguments.json)
    warnings.simplefilter("ignore", RecordingWarning)
    for run, measure in all_runs(arguments.mimii, arguments.seeds):
        for heard in HEARD:
            if run in results.get(heard, {}):
                continue
            figures = auc_and_interval(measure(heard))
            results.setdefault(heard, {})[run] = figures
            print(f"{run}, {heard}: {figures}", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
