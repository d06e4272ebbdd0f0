"""AUC and pAUC on the toy-car protocol: ``python -m benchmarks.toycar FOLDER``.

FOLDER holds ``id_01.npz`` and ``id_02.npz``: log-mel spectrograms of the DCASE 2020 development
test clips of two toy cars, keys ``normal`` and ``anomaly``. Of the normal clips, permuted with seed
0, the first 200 train; the others and every anomalous one test.
"""

import argparse
from pathlib import Path

import numpy as np

from skasd import make_baseline, make_iaeo3
from skasd.metrics import evaluate

CARS = ("id_01", "id_02")


def load_split(path: Path, seed: int = 0):
    """Return training spectrograms, test spectrograms, and the labels of those."""
    with np.load(path) as file:
        normal, anomaly = file["normal"].astype(np.float32), file["anomaly"].astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(normal))
    test = np.concatenate([normal[order[200:]], anomaly])
    return normal[order[:200]], test, np.repeat([1, -1], [len(order) - 200, len(anomaly)])


def systems(random_state: int = 0):
    """Return the systems to compare, by name."""
    iae = {"input": "spectrograms", "openl3": False, "random_state": random_state}
    return {
        "baseline": make_baseline(input="spectrograms", random_state=random_state),
        "IAE, mean error, min of 2 seeds": make_iaeo3(score="mean", n_repeats=2, **iae),
        "IAE, five statistics, 3-component mixture, min of 5 seeds": make_iaeo3(**iae),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print(f"| system | {' | '.join(CARS)} |\n| --- | --- | --- |")
    for name, system in systems().items():
        cells = []
        for car in CARS:
            train, test, y = load_split(folder / f"{car}.npz")
            scores = evaluate(y, system.fit(train).anomaly_score(test))
            low, high = scores["auc_interval"]
            cells.append(f"{scores['auc']:.3f} ({low:.3f} to {high:.3f}) / {scores['pauc']:.3f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
