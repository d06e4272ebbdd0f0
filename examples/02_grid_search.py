"""
Grid search as in the report
============================

Search for a machine's best settings, over the columns of the report's Table 1::

    python examples/02_grid_search.py                          # a synthetic pump
    python examples/02_grid_search.py ROOT fan --id 00         # DCASE 2020 in ROOT
    python examples/02_grid_search.py ROOT fan --id 00 --others 02,04

ROOT contains the machine types' folders of DCASE 2020, as unpacked from the archives. The training
clips are split into folds. As in the report, the settings are compared on the anomalous test clips,
so the figures of the best ones are too good. With ``--others``, normal clips of other ids take
their place, and no anomalous clip is used.

``--openl3`` adds the column OL3, with the published weights or those in ``--weights FILE``. Each
clip is embedded only once: every later point of the grid finds its embedding in the cache.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV

from skasd import make_iaeo3
from skasd.datasets import load_dcase2020, make_machine_sounds
from skasd.metrics import auc_pauc_scorer
from skasd.model_selection import NormalKFold, add_pseudo_anomalies

COLUMNS = {
    "FFT": "estimator__features__iae__spectrogram__n_fft",
    "hop": "estimator__features__iae__spectrogram__hop_length",
    "mel": "estimator__features__iae__spectrogram__n_mels",
    "SR": "estimator__features__iae__spectrogram__sample_rate",
    "encoder": "estimator__features__iae__autoencoder__encoder_units",
    "components": "estimator__detector__n_components",
    "OL3": "estimator__features__openl3",
}


def clips_of(arguments):
    """Return normal clips followed by anomalous or pseudo-anomalous ones, and their labels."""
    if arguments.root is None:
        return make_machine_sounds("pump", n_normal=40, n_anomalous=10, duration=2, random_state=0)
    train = load_dcase2020(arguments.root, arguments.machine, arguments.id)
    if arguments.others:
        others = [
            path
            for machine_id in arguments.others.split(",")
            for path in load_dcase2020(arguments.root, arguments.machine, machine_id).paths
        ]
        return add_pseudo_anomalies(train.paths, others, n=len(train.paths) // 2, random_state=0)
    test = load_dcase2020(arguments.root, arguments.machine, arguments.id, split="test")
    anomalous = np.array(test.paths)[test.y == -1].tolist()
    return add_pseudo_anomalies(train.paths, anomalous)


def grid_of(detector, arguments):
    """Return the settings to compare; FFT and hop change together."""
    columns = {
        "SR": [16000],
        "mel": [64, 128],
        "encoder": [(256, 128, 64, 32), (128, 64, 32)],
        "components": [1, 3],
    }
    if arguments.openl3:
        columns["OL3"] = ["drop", detector.get_params()[COLUMNS["OL3"]]]
    return [
        {
            COLUMNS[name]: values
            for name, values in {"FFT": [n_fft], "hop": [n_fft // 2], **columns}.items()
        }
        for n_fft in (1024, 2048)
    ]


def as_table(search):
    """Lay out the points of the grid, best first."""
    results = search.cv_results_
    lines = [" ".join(f"{name:>18}" if name == "encoder" else f"{name:>10}" for name in COLUMNS)]
    lines[0] += f" {'AUC':>7} {'pAUC':>7} {'fit in s':>9}"
    for i in np.argsort(results["rank_test_pauc"]):
        settings = results["params"][i]
        cells = []
        for name, parameter in COLUMNS.items():
            value = settings.get(parameter, "drop")
            if name == "OL3":
                value = "no" if value == "drop" else "yes"
            text = "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
            cells.append(f"{text:>18}" if name == "encoder" else f"{text:>10}")
        auc, pauc = results["mean_test_auc"][i], results["mean_test_pauc"][i]
        cells.append(f"{auc:7.3f} {pauc:7.3f} {results['mean_fit_time'][i]:9.1f}")
        lines.append(" ".join(cells))
    return "\n".join(lines)


def draw(search):
    """Draw AUC and pAUC of each point of the grid."""
    n_fft = search.cv_results_[f"param_{COLUMNS['FFT']}"].astype(int)
    _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for length, marker in ((1024, "o"), (2048, "^")):
        auc, pauc = (search.cv_results_[f"mean_test_{name}"] for name in ("auc", "pauc"))
        ax.plot(auc[n_fft == length], pauc[n_fft == length], marker, label=f"FFT of {length}")
    ax.set(title="Points of the grid", xlabel="AUC", ylabel="pAUC (false-alarm rate up to 10 %)")
    ax.legend()


def main():
    """Search, and print the grid as a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", nargs="?", type=Path)
    parser.add_argument("machine", nargs="?", default="fan")
    parser.add_argument("--id", default="00")
    parser.add_argument("--others")
    parser.add_argument("--openl3", action="store_true")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()

    clips, y = clips_of(arguments)
    print(f"{np.sum(y == 1)} normal clips, {np.sum(y == -1)} others")
    # The search ranks clips, for which no threshold is needed: cv=None leaves out its five folds.
    detector = make_iaeo3(
        openl3=arguments.openl3,
        weights=arguments.weights,
        epochs=arguments.epochs,
        n_repeats=1,
        cv=None,
        random_state=0,
    )
    if arguments.openl3:
        detector.set_params(estimator__features__openl3__embedding__hop_size=1.0)
    search = GridSearchCV(
        detector,
        grid_of(detector, arguments),
        scoring=auc_pauc_scorer,
        refit="pauc",
        cv=NormalKFold(2, random_state=0),
        n_jobs=arguments.jobs,
        verbose=1,
    ).fit(clips, y)
    print(as_table(search))
    draw(search)


if __name__ == "__main__":
    main()
