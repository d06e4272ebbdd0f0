"""False alarms and faults found, of each system: ``python -m benchmarks.verdicts``.

    python -m benchmarks.verdicts FOLDER --splits 5     # toy cars, as in benchmarks.toycar
    python -m benchmarks.verdicts --splits 5            # synthetic machines
    python -m benchmarks.verdicts FOLDER --only plus --json benchmarks/verdicts.json

Each system is fitted as it is by default, and asked for false-alarm rates of 1, 5 and 10 % in
turn. ``false`` is the share of held-out healthy clips that it calls anomalous, ``found`` that of
the anomalous ones. Next to its AUC is that of the same system with ``cv=None``, whose members all
learn from all clips, and the time of one fit over that of the other. PyOD's `KNN` and
scikit-learn's `EllipticEnvelope` have their own thresholds, from the clips that they were
fitted on.

Figures are means over the splits. ``--json FILE`` adds them to those that FILE holds, and the table
shows all of them; ``--splits 0`` shows them alone.
"""

import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.covariance import EllipticEnvelope
from sklearn.pipeline import make_pipeline

from benchmarks.measure import table_head, table_line
from benchmarks.toycar import Split, parse_splits, synthetic_machines, toy_cars
from skasd import (
    FusionDetector,
    GaussianMixtureDetector,
    NearestNeighborsDetector,
    RepeatedSeedEnsemble,
    TimeWeightedPooling,
    make_baseline,
    make_iaeo3,
    make_iaeo3_plus,
    make_views_detector,
)
from skasd.exceptions import CalibrationWarning
from skasd.metrics import auc

RATES = (0.01, 0.05, 0.1)


def make_system(name: str) -> Any:
    """Make the system of that name, not fitted, as it is by default."""
    seeded = {"input": "spectrograms", "random_state": 0}
    mixture = make_pipeline(TimeWeightedPooling(), GaussianMixtureDetector(1))
    match name:
        case "views":
            return make_views_detector(input="spectrograms")
        case "plus":
            return make_iaeo3_plus(**seeded)
        case "iaeo3":
            return make_iaeo3(openl3=False, **seeded)
        case "baseline":
            return make_baseline(**seeded)
        case "gaussian":
            return RepeatedSeedEnsemble(mixture)
        case "neighbors":
            return RepeatedSeedEnsemble(
                make_pipeline(TimeWeightedPooling(), NearestNeighborsDetector())
            )
        case "fusion":
            iae = make_iaeo3(openl3=False, score="mean", **seeded)
            return FusionDetector([("iae", iae), ("levels", RepeatedSeedEnsemble(mixture))])
        case "envelope":
            return make_pipeline(TimeWeightedPooling(), EllipticEnvelope(random_state=0))
        case "knn":
            from pyod.models.knn import KNN

            return make_pipeline(TimeWeightedPooling(), KNN())
    raise ValueError(name)


SYSTEMS = {
    "views": "`make_views_detector()`, without its fast views",
    "plus": "`make_iaeo3_plus()`",
    "iaeo3": "`make_iaeo3(openl3=False)`",
    "baseline": "`make_baseline()`",
    "gaussian": "averaged levels, one shrunk Gaussian",
    "neighbors": "averaged levels, nearest neighbors",
    "fusion": "fusion of an autoencoder and the Gaussian",
    "knn": "averaged levels, PyOD's `KNN`",
    "envelope": "averaged levels, scikit-learn's `EllipticEnvelope`",
}
PEERS = {"knn", "envelope"}
FUSIONS = {"views", "fusion"}
"""Those that always leave clips out."""


def judge(name: str, split: Split, rate: float, fitted: Any) -> np.ndarray:
    """Return which test clips are called anomalous at a rate."""
    if name not in PEERS:
        return fitted.set_false_alarm_rate(rate).predict(split.test) == -1
    own = clone(make_system(name))
    own[-1].set_params(contamination=rate)
    anomalous = 1 if name == "knn" else -1
    return own.fit(split.train).predict(split.test) == anomalous


def measure(name: str, split: Split) -> dict[str, float]:
    """Fit a system, and judge the test clips."""
    start = time.perf_counter()
    fitted = make_system(name).fit(split.train)
    seconds = time.perf_counter() - start
    figures = {}
    for rate in RATES:
        is_called = judge(name, split, rate, fitted)
        figures[f"false {rate:g}"] = float(is_called[split.y == 1].mean())
        figures[f"found {rate:g}"] = float(is_called[split.y == -1].mean())
    if name in PEERS:
        return figures
    figures["auc"] = auc(split.y, fitted.anomaly_score(split.test))
    if name not in FUSIONS:
        start = time.perf_counter()
        seen = make_system(name).set_params(cv=None).fit(split.train)
        figures["time"] = seconds / (time.perf_counter() - start)
        figures["auc seen"] = auc(split.y, seen.anomaly_score(split.test))
    return figures


def measure_all(
    folder: Path | None, seed: int, names: list[str]
) -> Iterator[tuple[str, str, dict]]:
    """Yield the system, the machine and the figures of one split."""
    fleet = toy_cars(folder, seed) if folder else synthetic_machines(seed)
    for name in names:
        for machine, split in fleet.splits.items():
            yield name, machine, measure(name, split)


def table(results: dict) -> str:
    """Return the Markdown table of ``results[system][machine][split]``, means over the splits."""
    rates = [f"{100 * rate:g} %: false / found" for rate in RATES]
    lines = [table_head(("system", "machine", *rates, "AUC (`cv=None`)", "time of `fit`"))]
    for name in (name for name in SYSTEMS if name in results):
        for machine, splits in results[name].items():
            figures = list(splits.values())
            mean = {key: np.mean([each[key] for each in figures]) for key in figures[0]}
            cells = [
                f"{100 * mean[f'false {rate:g}']:.1f} / {100 * mean[f'found {rate:g}']:.0f}"
                for rate in RATES
            ]
            area = f"{mean['auc']:.3f}" if "auc" in mean else ""
            if "auc seen" in mean:
                area += f" ({mean['auc seen']:.3f})"
            ratio = f"{mean['time']:.2f}" if "time" in mean else ""
            lines.append(table_line((SYSTEMS[name], machine, *cells, area, ratio)))
    return "\n".join(lines)


def main() -> None:
    arguments, results = parse_splits(__doc__, SYSTEMS)
    names = arguments.only or list(SYSTEMS)
    warnings.simplefilter("ignore", CalibrationWarning)
    for seed in range(arguments.splits):
        for name, machine, figures in measure_all(arguments.folder, seed, names):
            results.setdefault(name, {}).setdefault(machine, {})[str(seed)] = figures
            shown = {key: round(value, 3) for key, value in figures.items()}
            print(f"split {seed}, {name}, {machine}: {shown}", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
