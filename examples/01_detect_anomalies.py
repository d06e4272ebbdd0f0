"""
A first detector
================

Fit on a healthy machine, score new recordings, and see where one of them is odd.

Run this file as it is to hear a synthetic slider, or pass folders of WAV, FLAC, OGG or MP3 files::

    python examples/01_detect_anomalies.py                 # a synthetic slider
    python examples/01_detect_anomalies.py HEALTHY         # recordings of a healthy machine
    python examples/01_detect_anomalies.py HEALTHY NEW     # and new recordings to score

Without NEW, every fifth recording in HEALTHY is held out from the fit and scored.
``--picture FILE`` saves the picture.
"""

# %%
# Recordings
# ----------
#
# A *clip* is one recording: a path, or an array of samples. The detector learns from clips of the
# healthy machine only.

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skasd import make_views_detector
from skasd.datasets import make_machine_sounds
from skasd.inspection import explain

SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("healthy", nargs="?", type=Path)
parser.add_argument("new", nargs="?", type=Path)
parser.add_argument("--picture", type=Path)
arguments = parser.parse_args()


def recordings(folder):
    """Return the recordings in a folder, sorted by name."""
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not a folder.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"{folder} holds no {', '.join(sorted(SUFFIXES))} file.")
    return paths


if arguments.healthy is None:
    clips, _ = make_machine_sounds("slider", n_normal=80, n_anomalous=20, snr_db=10, random_state=0)
    train, new = clips[:60], clips[60:]
    names = [f"healthy slider {i}" for i in range(1, 21)]
    names += [f"squealing slider {i}" for i in range(21, 41)]
else:
    train = recordings(arguments.healthy)
    if arguments.new is None:
        train, new = [path for i, path in enumerate(train) if i % 5], train[::5]
    else:
        new = recordings(arguments.new)
    names = [path.name for path in new]

# %%
# Fit and score
# -------------
#
# ``contamination`` is the share of healthy clips that may be called anomalous: one in twenty here.
# A p-value of 0.01 says that one healthy clip in a hundred sounds as odd.

print(f"Fitting on {len(train)} recordings of a healthy machine ...")
detector = make_views_detector(contamination=0.05).fit(train)
scores = detector.anomaly_score(new)
is_anomalous = detector.predict(new) == -1

print("anomaly score  verdict    p-value  recording")
for score, called, p_value, name in zip(
    scores, is_anomalous, detector.p_values(new), names, strict=True
):
    print(f"{score:13.2f}  {'ANOMALOUS' if called else 'normal':9}  {p_value:7.3f}  {name}")

# %%
# Look at the oddest clip
# -----------------------
#
# `explain` says when, and in which bands, a clip sounds unlike the healthy ones.

oddest = int(scores.argmax())
explanation = explain(detector, new[oddest])
print(names[oddest], explanation, sep=": ")

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), width_ratios=[1, 1.5], layout="constrained"
)
figure.suptitle("New recordings of a machine, judged by a detector that knows only healthy ones")
for called, marker, color, label in (
    (False, "o", "tab:blue", "judged normal"),
    (True, "^", "tab:orange", "judged anomalous"),
):
    chosen = np.flatnonzero(is_anomalous == called)
    left.plot(1 + chosen, scores[chosen], marker, color=color, label=label)
left.axhline(-detector.offset_, color="black", linewidth=1, linestyle="--", label="threshold")
left.set(
    xlabel="recording" if arguments.healthy else "recording (1 to 20 are healthy, 21 to 40 squeal)",
    ylabel="anomaly score (higher is odder)",
    title="Score of each recording",
)
left.legend(loc="upper left")
image = right.pcolormesh(
    explanation.times,
    explanation.frequencies / 1000,
    100 * np.maximum(explanation.excess.T, 0) / np.maximum(explanation.excess, 0).sum(),
    cmap="magma",
    shading="nearest",
    rasterized=True,
)
figure.colorbar(image, label="share of all that is odd, in %")
right.set(
    xlabel="time in s",
    ylabel="frequency in kHz",
    title=f"Where {names[oddest]}, the oddest, is odd",
)
if arguments.picture:
    figure.savefig(arguments.picture, dpi=110)
