"""Whole systems beside PyOD's `AudioAE`: ``python -m benchmarks.peers``.

    python -m benchmarks.peers --out FOLDER
    python -m benchmarks.peers --only make_views_detector     # and AudioAE

One synthetic machine of each kind: 100 WAV files of 10 s train, 40 normal and 40 anomalous ones
test. Each system has a process of its own, its own settings (`AudioAE` at 16 kHz, the clips' own),
and two cores. Seconds and memory are means over the machines, imports and the start of JAX or
PyTorch not counted; AUC is on the same clips for all.
"""

import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy import Accuracy, accuracy, anomaly_scores
from benchmarks.clips import write_clips
from benchmarks.measure import MACHINES, Cost, Row, apart, command_line, cost, not_measured, report

N_TRAIN, N_TEST, SECONDS = 100, 40, 10.0


def make_audio_ae():
    from pyod.models.audio_ae import AudioAE

    return AudioAE(sr=16000, random_state=0)


def make_baseline():
    from skasd import make_baseline

    return make_baseline(random_state=0)


def make_iaeo3():
    from skasd import make_iaeo3

    return make_iaeo3(openl3=False, random_state=0)


def make_iaeo3_plus():
    from skasd import make_iaeo3_plus

    return make_iaeo3_plus(random_state=0)


def make_views_detector():
    from skasd import make_views_detector

    return make_views_detector()


PEER = "PyOD's AudioAE"
SYSTEMS = {
    PEER: make_audio_ae,
    "make_views_detector": make_views_detector,
    "make_baseline": make_baseline,
    "make_iaeo3(openl3=False), five members": make_iaeo3,
    "make_iaeo3_plus, five members": make_iaeo3_plus,
}


@dataclass
class Performance:
    """What a system costs on one machine, and how good it is."""

    fit: Cost
    score: Cost
    accuracy: Accuracy


def measure(make: Callable, train: list[str], test: list[str], y: np.ndarray) -> Performance:
    """Fit and score once."""
    make().fit(train[:10])  # starts what would be started once in a process
    detector = make()
    with cost() as fit:
        detector.fit(train)
    with cost() as score:
        scores = anomaly_scores(detector, test)
    return Performance(fit=fit, score=score, accuracy=accuracy(y, scores))


def mean(costs: list[Cost]) -> Cost:
    return Cost(
        seconds=np.mean([each.seconds for each in costs]),
        megabytes=np.mean([each.megabytes for each in costs]),
    )


def rows(names: Collection[str] = SYSTEMS) -> Iterator[Row]:
    """Measure `AudioAE` and the systems of these names on all machines."""
    systems = {name: make for name, make in SYSTEMS.items() if name == PEER or name in names}
    performances, missing = {name: {} for name in systems}, {}
    with tempfile.TemporaryDirectory() as folder:
        for seed, machine in enumerate(MACHINES):
            paths, y = write_clips(
                Path(folder),
                machine,
                n_normal=N_TRAIN + N_TEST,
                n_anomalous=N_TEST,
                duration=SECONDS,
                random_state=seed,
            )
            train, test, y = paths[:N_TRAIN], paths[N_TRAIN:], y[N_TRAIN:]
            for name, make in systems.items():
                try:
                    performances[name][machine] = apart(measure, make, train, test, y)
                except ImportError as error:
                    missing[name] = error
    peer = performances[PEER]  # empty where PyOD is not installed
    for name, by_machine in performances.items():
        if name in missing:
            yield not_measured(part="b", what=name, unit="s", why=missing[name])
            continue
        fit = mean([each.fit for each in by_machine.values()])
        peer_fit = mean([each.fit for each in peer.values()]) if peer else None
        yield Row(
            part="b",
            what=f"fit, {name}",
            value=fit.seconds,
            unit="s",
            ratio=fit.seconds / peer_fit.seconds if peer else None,
            ratio_of="of AudioAE's time",
            note=f"{fit.megabytes:.0f} MB",
        )
        score = mean([each.score for each in by_machine.values()])
        peer_score = mean([each.score for each in peer.values()]) if peer else None
        yield Row(
            part="b",
            what=f"scoring, {name}",
            value=2 * N_TEST * SECONDS / score.seconds,
            unit="x real time",
            ratio=score.seconds / peer_score.seconds if peer else None,
            ratio_of="of AudioAE's time",
        )
        for machine, performance in by_machine.items():
            area, partial = performance.accuracy
            yield Row(
                part="b",
                what=f"AUC, {machine}, {name}",
                value=area,
                unit="",
                ratio=area / peer[machine].accuracy.auc if peer else None,
                ratio_of="of AudioAE's AUC",
                note=f"pAUC {partial:.3f}",
            )


def main() -> None:
    """Measure the systems that the command line names, or all."""
    parser = command_line(__doc__)
    parser.add_argument("--only", action="append", choices=SYSTEMS, help="This; repeatable.")
    parser.add_argument("--out", type=Path, help="Folder for the results; without it, none.")
    arguments = parser.parse_args()
    report(rows(arguments.only or SYSTEMS), arguments.out)


if __name__ == "__main__":
    main()
