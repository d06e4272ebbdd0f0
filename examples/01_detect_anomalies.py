"""Fit on a healthy machine, score new recordings, and see where one of them is odd.

    python examples/01_detect_anomalies.py                     # a synthetic slider
    python examples/01_detect_anomalies.py HEALTHY             # recordings of a healthy machine
    python examples/01_detect_anomalies.py HEALTHY NEW         # and new recordings to score

HEALTHY and NEW are folders of WAV, FLAC, OGG or MP3 files. Without NEW, every fifth recording in
HEALTHY is held out from the fit and scored. ``--picture FILE`` draws the picture in the README.
"""

import argparse
from pathlib import Path

import numpy as np

from skasd import make_views_detector
from skasd.datasets import make_machine_sounds
from skasd.inspection import explain

SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}


def recordings(folder):
    """Return the recordings in a folder, sorted by name."""
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not a folder.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"{folder} holds no {', '.join(sorted(SUFFIXES))} file.")
    return paths


def synthetic_slider():
    """Return healthy clips to fit on, and clips to score with their names."""
    clips, y = make_machine_sounds("slider", n_normal=80, n_anomalous=20, snr_db=10, random_state=0)
    names = [f"{'healthy' if label == 1 else 'squealing'} slider {i}" for i, label in enumerate(y)]
    return clips[:60], clips[60:], names[60:]


def split(arguments):
    """Return clips to fit on, clips to score and their names, according to the arguments."""
    if arguments.healthy is None:
        return synthetic_slider()
    healthy = recordings(arguments.healthy)
    if arguments.new is not None:
        new = recordings(arguments.new)
        return healthy, new, [path.name for path in new]
    held_back = healthy[::5]
    train = [path for path in healthy if path not in held_back]
    return train, held_back, [path.name for path in held_back]


def draw(detector, clips, names, path):
    """Draw the scores of all clips, and where the oddest one is unusual."""
    import matplotlib.pyplot as plt

    scores = detector.anomaly_score(clips)
    oddest = int(scores.argmax())
    explanation = explain(detector, clips[oddest])

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 3.6), width_ratios=[1, 1.6], layout="constrained"
    )
    alarm = detector.predict(clips) == -1
    position = np.arange(len(scores))
    left.plot(position[~alarm], scores[~alarm], "o", color="tab:blue", label="judged normal")
    left.plot(position[alarm], scores[alarm], "^", color="tab:orange", label="judged anomalous")
    left.axhline(-detector.offset_, color="black", linewidth=1, linestyle="--", label="threshold")
    left.set(xlabel="clip", ylabel="anomaly score", title="Scores of new clips")
    left.legend(loc="lower right")
    unusual = 1000 * np.maximum(explanation.excess.T, 0)
    image = right.imshow(
        unusual,
        origin="lower",
        aspect="auto",
        extent=(explanation.times[0], explanation.times[-1], 0, len(unusual)),
        cmap="magma",
        vmax=np.quantile(unusual, 0.999),
    )
    figure.colorbar(image, label="how unusual, in thousandths of the whole")
    right.set(xlabel="time in s", ylabel="mel band", title=f"Where {names[oddest]} is odd")
    figure.savefig(path, dpi=110)


def main():
    """Fit, score and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("healthy", nargs="?", type=Path)
    parser.add_argument("new", nargs="?", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()

    train, new, names = split(arguments)
    print(f"Fitting on {len(train)} recordings of a healthy machine ...")
    detector = make_views_detector(contamination=0.05).fit(train)
    print(f"{'anomaly score':>13}  decision   p-value  recording")
    for name, score, decision, p_value in zip(
        names,
        detector.anomaly_score(new),
        detector.predict(new),
        detector.p_values(new),
        strict=True,
    ):
        verdict = "normal   " if decision == 1 else "ANOMALOUS"
        print(f"{score:13.2f}  {verdict}  {p_value:7.3f}  {name}")
    if arguments.picture:
        draw(detector, new, names, arguments.picture)


if __name__ == "__main__":
    main()
