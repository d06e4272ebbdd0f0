"""Explain an alarm: when, in which bands, and by which features a recording is unusual.

    python examples/03_explain_alarm.py                        # a slider
    python examples/03_explain_alarm.py HEALTHY ODD            # recordings, and one to explain
    python examples/03_explain_alarm.py --pictures FOLDER      # and draw pictures

HEALTHY is a folder of WAV, FLAC, OGG or MP3 files; ODD is one file. Without them, the slider is
the one in ``../shared/recordings/dcase2020``, next to the checkout, or a synthetic one if there is
no such folder; ``--pictures`` then also compares four systems. Pictures need
``pip install "skasd[examples]"``.
"""

import argparse
from pathlib import Path

import numpy as np

from skasd import make_baseline, make_iaeo3, make_iaeo3_plus, make_views_detector
from skasd.datasets import make_machine_sounds
from skasd.inspection import (
    DetectionCurveDisplay,
    ErrorMapDisplay,
    ScoreDistributionDisplay,
    explain,
)

SLIDER = Path(__file__).parents[2] / "shared" / "recordings" / "dcase2020" / "slider"
SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}
SYSTEMS = {
    "baseline": make_baseline(epochs=30, random_state=0),
    "IAEO3 without OpenL3": make_iaeo3(openl3=False, n_repeats=2, random_state=0),
    "IAEO3+": make_iaeo3_plus(n_repeats=2, random_state=0),
    "views": make_views_detector(),
}


def recordings(folder):
    """Return the recordings in a folder, sorted by name."""
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not a folder.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"{folder} holds no {', '.join(sorted(SUFFIXES))} file.")
    return paths


def load_slider():
    """Return healthy clips to fit on, clips to score, and their labels."""
    if SLIDER.is_dir():
        test = recordings(SLIDER / "test")
        y = np.array([-1 if path.name.startswith("anomaly") else 1 for path in test])
        return recordings(SLIDER / "train"), test, y
    clips, y = make_machine_sounds("slider", n_normal=80, n_anomalous=20, random_state=0)
    return clips[:60], clips[60:], y[60:]


def compare(train, test, y, folder):
    """Draw the scores and the curves of all systems."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplot_mosaic(
        [[name, "curves"] for name in SYSTEMS], figsize=(11, 5.5), layout="constrained"
    )
    for name, system in SYSTEMS.items():
        print(f"Fitting {name} ...")
        scores = system.fit(train).anomaly_score(test)
        ScoreDistributionDisplay.from_scores(y, scores, threshold=-system.offset_, ax=axes[name])
        axes[name].set_title(name, loc="left")
        DetectionCurveDisplay.from_predictions(y, scores, name=name, ax=axes["curves"])
    figure.savefig(folder / "systems.png", dpi=110)


def main():
    """Fit, explain and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("healthy", nargs="?", type=Path)
    parser.add_argument("odd", nargs="?", type=Path)
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if (arguments.healthy is None) != (arguments.odd is None):
        parser.error("Pass both HEALTHY and ODD, or neither.")
    if arguments.pictures is not None and not arguments.pictures.is_dir():
        parser.error(f"{arguments.pictures} is not a folder.")

    if arguments.healthy is None:
        train, test, y = load_slider()
        odd = test[np.flatnonzero(y == -1)[-1]]
    else:
        train, odd = recordings(arguments.healthy), arguments.odd
    print(f"Fitting on {len(train)} recordings of a healthy machine ...")
    detector = make_views_detector().fit(train)
    explanation = explain(detector, odd)
    print(odd.name if isinstance(odd, Path) else "the last synthetic clip")
    print(explanation)
    if arguments.pictures is None:
        return
    display = ErrorMapDisplay(explanation).plot()
    display.figure_.savefig(arguments.pictures / "alarm.png", dpi=110)
    if arguments.healthy is None:
        compare(train, test, y, arguments.pictures)


if __name__ == "__main__":
    main()
