"""Whole systems beside PyOD's `AudioAE`: ``python -m benchmarks.peers``.

One synthetic machine of each kind: 100 WAV files of 10 s train, 40 normal and 40 anomalous ones
test. Each system has a process of its own, its own settings (`AudioAE` at 16 kHz, the clips' own),
and two cores. Seconds and memory are means over the machines, imports and the start of JAX or
PyTorch not counted; AUC is on the same clips for all.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.clips import write_clips
from benchmarks.measure import Row, anomaly_scores, apart, cost, print_rows
from skasd.metrics import auc, pauc

MACHINES = ("fan", "pump", "slider", "valve")
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


SYSTEMS = {
    "PyOD's AudioAE": make_audio_ae,
    "make_baseline": make_baseline,
    "make_iaeo3(openl3=False), five members": make_iaeo3,
    "make_iaeo3_plus, five members": make_iaeo3_plus,
}


def fit_and_score(make, train: list[str], test: list[str]):
    """Return what fitting and scoring cost, and the anomaly scores."""
    try:
        make().fit(train[:3])  # starts what would be started once in a process
    except ImportError as error:
        return str(error)
    detector = make()
    with cost() as fit:
        detector.fit(train)
    with cost() as score:
        scores = anomaly_scores(detector, test)
    return fit, score, scores


def rows() -> Iterator[Row]:
    """Measure all systems on all machines."""
    results = {name: [] for name in SYSTEMS}
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
            for name, make in SYSTEMS.items():
                result = apart(fit_and_score, make, paths[:N_TRAIN], paths[N_TRAIN:])
                if isinstance(result, str):
                    results[name].append(result)
                    continue
                fit, score, scores = result
                figures = auc(y[N_TRAIN:], scores), pauc(y[N_TRAIN:], scores)
                results[name].append((fit.seconds, fit.megabytes, score.seconds, *figures))
    reference = results["PyOD's AudioAE"]
    comparable = not isinstance(reference[0], str)
    for name, by_machine in results.items():
        if isinstance(by_machine[0], str):
            yield Row("b", name, np.nan, "s", note=f"not measured: {by_machine[0]}")
            continue
        fit, megabytes, score, *_ = np.mean(by_machine, axis=0)
        fit_ratio = fit / np.mean([each[0] for each in reference]) if comparable else None
        yield Row(
            *("b", f"fit, {name}", fit, "s", fit_ratio, "of AudioAE's time"),
            note=f"{megabytes:.0f} MB",
        )
        times = 2 * N_TEST * SECONDS / score
        score_ratio = score / np.mean([each[2] for each in reference]) if comparable else None
        yield Row(
            *("b", f"scoring, {name}", times, "x real time", score_ratio, "of AudioAE's time")
        )
        for machine, figures in zip(MACHINES, by_machine, strict=True):
            ratio = figures[3] / reference[MACHINES.index(machine)][3] if comparable else None
            yield Row(
                *("b", f"AUC, {machine}, {name}", figures[3], "", ratio, "of AudioAE's AUC"),
                note=f"pAUC {figures[4]:.3f}",
            )


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    print_rows(rows())


if __name__ == "__main__":
    main()
