"""AUC and pAUC on the toy-car protocol: ``python -m benchmarks.toycar FOLDER``.

FOLDER holds ``id_01.npz`` and ``id_02.npz``: log-mel spectrograms of the DCASE 2020 development
test clips of two toy cars, keys ``normal`` and ``anomaly``. Of the normal clips, permuted with seed
0, the first 200 train; the others and every anomalous one test.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from skasd import FeatureDetector, InterpolationAutoencoder, RepeatedSeedEnsemble, make_iaeo3


def load_split(path: Path, seed: int = 0):
    """Return training spectrograms, test spectrograms, and whether those are anomalous."""
    with np.load(path) as file:
        normal, anomaly = file["normal"].astype(np.float32), file["anomaly"].astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(normal))
    test = np.concatenate([normal[order[200:]], anomaly])
    return normal[order[:200]], test, np.arange(len(test)) >= len(order) - 200


def systems():
    """Return the systems to compare, by name."""
    mean_error = make_pipeline(InterpolationAutoencoder(statistics=("mean",)), FeatureDetector())
    return {
        "IAE, mean error, min of 2 seeds": RepeatedSeedEnsemble(
            mean_error, n_repeats=2, random_state=0
        ),
        "IAE, five statistics, 3-component mixture, min of 5 seeds": make_iaeo3(
            input="spectrograms", openl3=False, random_state=0
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print("| system | car | AUC | pAUC |\n| --- | --- | --- | --- |")
    for name, system in systems().items():
        for car in ("id_01", "id_02"):
            train, test, anomalous = load_split(folder / f"{car}.npz")
            scores = system.fit(train).anomaly_score(test)
            auc = roc_auc_score(anomalous, scores)
            pauc = roc_auc_score(anomalous, scores, max_fpr=0.1)
            print(f"| {name} | {car} | {auc:.3f} | {pauc:.3f} |", flush=True)


if __name__ == "__main__":
    main()
