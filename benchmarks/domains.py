"""What is done for a target domain of ten clips, side by side: ``python -m benchmarks.domains``.

    python -m benchmarks.domains --json benchmarks/domains.json
    python -m benchmarks.domains --quick             # 90 clips of the source, one machine, a minute
    python -m benchmarks.domains --seeds 0 --json benchmarks/domains.json        # the table alone

Each seed gives a synthetic fan, pump, slider and valve of `skasd.datasets.make_machine_sounds`: 990
clips of 2 s are the source. The target, of which 10 clips train, is the same machine at another
speed (15 % faster), load (3 dB louder, and brighter) and noise (white noise, as loud as the machine
in the source, on top of the factory's). In each domain 100 normal and 40 anomalous clips test.
Methods score the mean levels of the bands, the view `level` of the default system; `views` is that
system itself. All are asked for 10 % of false alarms.

Figures are means over machines and seeds: AUC within the target and within the source, false alarms
on either, and faults of the target that are found. ``--json FILE`` adds to what FILE holds.
"""

import argparse
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr
from scipy.signal import lfilter
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from benchmarks.measure import MACHINES, table_head, table_line
from benchmarks.toycar import read_results
from skasd import (
    LogMelSpectrogram,
    MahalanobisDetector,
    NearestNeighborsDetector,
    SpectrogramStatistics,
    make_views_detector,
)
from skasd.audio import check_clips
from skasd.datasets import make_machine_sounds
from skasd.exceptions import CalibrationWarning, RecordingWarning
from skasd.metrics import auc

SECONDS, RATE = 2.0, 16000
SPEED, LOAD_DECIBELS, BRIGHTER, NOISE = 1.15, 3.0, 0.4, 0.03
N_SOURCE, N_TARGET, N_NORMAL, N_ANOMALOUS = 990, 10, 100, 40

NEIGHBORS = NearestNeighborsDetector(1, shrinkage="oas", log=True)
DENSITY = clone(NEIGHBORS).set_params(density_neighbors=16)
METHODS = ("smote", "memmixup", "selective")


def with_methods(prefix: str, detector: Any) -> dict[str, tuple[str, Any, bool]]:
    """Return a detector with each method, by name: what it is, itself, and that it is told."""
    names = [name for name in detector.get_params() if name.split("__")[-1] == "domain_method"]
    return {
        prefix + method: (
            f"the same, `domain_method={method!r}`",
            clone(detector).set_params(**dict.fromkeys(names, method)),
            True,
        )
        for method in METHODS
    }


SYSTEMS: dict[str, tuple[str, Any, bool]] = {
    "none": ("nearest neighbors, not told the domains", NEIGHBORS, False),
    "told": ("the same, told: the threshold alone", NEIGHBORS, True),
    **with_methods("", NEIGHBORS),
    "density": ("with `density_neighbors=16`, not told", DENSITY, False),
    "density_told": ("the same, told: the threshold alone", DENSITY, True),
    **with_methods("density_", DENSITY),
    "mahalanobis": ("`MahalanobisDetector`, not told", MahalanobisDetector(), False),
    "mahalanobis_told": ("the same, told: the nearer domain", MahalanobisDetector(), True),
    "views": ("`make_views_detector()`, not told", make_views_detector(), False),
    "views_told": ("the same, told: the threshold alone", make_views_detector(), True),
    **with_methods("views_", make_views_detector()),
}
"""What it is, the detector, and whether it is told the domains."""

FIGURES = ("AUC, target", "AUC, source", "false, target", "false, source", "found, target")


class Domain(NamedTuple):
    """Clips of one domain: some train, and others, with labels, test."""

    train: list
    test: list
    y: np.ndarray


def shift(clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return clips of the machine at another speed and load, in more noise."""
    n_samples = round(SECONDS * RATE)
    faster = [soxr.resample(clip, RATE, RATE / SPEED)[:n_samples] for clip in clips]
    louder = 10 ** (LOAD_DECIBELS / 20) * lfilter([1, -BRIGHTER], [1], faster)
    return (louder + rng.normal(0, NOISE, size=louder.shape)).astype(np.float32)


def make_domains(machine: str, seed: int, n_source: int, n_target: int) -> tuple[Domain, Domain]:
    """Return the source and the target of a machine."""
    n_normal = n_source + n_target + 2 * N_NORMAL
    sounds, y = make_machine_sounds(
        machine,
        n_normal=n_normal,
        n_anomalous=2 * N_ANOMALOUS,
        duration=SECONDS * SPEED + 0.01,
        random_state=seed,
    )
    train, test_normal, faults = np.split(sounds, [n_source + n_target, n_normal])
    domains = []
    for index, part in enumerate((train[:n_source], train[n_source:])):
        # Faults grow from clip to clip: each domain has every other one.
        test = np.concatenate([test_normal[index::2], faults[index::2]])
        both = np.concatenate([part, test])
        rng = np.random.default_rng(seed)
        heard = shift(both, rng) if index else both[:, : round(SECONDS * RATE)]
        clips = check_clips(heard)
        domains.append(Domain(clips[: len(part)], clips[len(part) :], np.sort(y[index::2])[::-1]))
    source, target = domains
    y_test = np.repeat([1, -1], [N_NORMAL, N_ANOMALOUS])
    return source._replace(y=y_test), target._replace(y=y_test)


def measure(
    machine: str, seed: int, n_source: int = N_SOURCE, n_target: int = N_TARGET, names=SYSTEMS
) -> Iterator[tuple[str, dict[str, float]]]:
    """Fit each system, and yield its figures."""
    source, target = make_domains(machine, seed, n_source, n_target)
    train = source.train + target.train
    domain = ["source"] * len(source.train) + ["target"] * len(target.train)
    features = make_pipeline(LogMelSpectrogram(), SpectrogramStatistics("level")).fit(train[:1])
    for name in names:
        _, system, is_told = SYSTEMS[name]
        transform = list if name.startswith("views") else features.transform
        detector = clone(system).fit(transform(train), **({"domain": domain} if is_told else {}))
        scores = [detector.anomaly_score(transform(each.test)) for each in (target, source)]
        is_alarm = [each > -detector.offset_ for each in scores]
        areas = [auc(each.y, s) for each, s in zip((target, source), scores, strict=True)]
        false = [a[each.y == 1].mean() for each, a in zip((target, source), is_alarm, strict=True)]
        found = is_alarm[0][target.y == -1].mean()
        yield name, dict(zip(FIGURES, map(float, (*areas, *false, found)), strict=True))


def table(results: dict) -> str:
    """Return the Markdown table of ``results[system][machine and seed]``."""
    lines = [table_head(("method", *FIGURES))]
    for name, runs in results.items():
        means = [np.mean([run[figure] for run in runs.values()]) for figure in FIGURES]
        spread = np.std([run[FIGURES[0]] for run in runs.values()], ddof=1) / np.sqrt(len(runs))
        first, *others = [f"{mean:.3f}" for mean in means]
        lines.append(table_line((SYSTEMS[name][0], f"{first} ± {spread:.3f}", *others)))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="Machines of each kind.")
    parser.add_argument("--quick", action="store_true", help="90 clips of one machine's source.")
    parser.add_argument("--json", type=Path, help="File of the figures.")
    arguments = parser.parse_args()
    results = read_results(arguments.json)
    warnings.simplefilter("ignore", CalibrationWarning)
    warnings.simplefilter("ignore", RecordingWarning)
    for seed in range(arguments.seeds):
        for machine in MACHINES[:1] if arguments.quick else MACHINES:
            run = f"{machine} {seed}"
            names = [name for name in SYSTEMS if run not in results.get(name, {})]
            n_source = 90 if arguments.quick else N_SOURCE
            for name, figures in measure(machine, seed, n_source, names=names):
                results.setdefault(name, {})[run] = figures
                print(f"{run}, {name}: {[round(each, 3) for each in figures.values()]}", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if len(next(iter(results.values()))) > 1:
        print(table(results))


if __name__ == "__main__":
    main()
