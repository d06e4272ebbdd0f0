"""
Explain an alarm
================

When, in which bands, and by which statistics a recording is unusual.

Run this file as it is to explain a synthetic slider, or pass recordings of your own::

    python examples/03_explain_alarm.py                        # a synthetic slider
    python examples/03_explain_alarm.py HEALTHY ODD            # a folder, and a file to explain
    python examples/03_explain_alarm.py --pictures FOLDER      # and save the pictures

HEALTHY is a folder of WAV, FLAC, OGG or MP3 files; ODD is one file.
"""

# %%
# Fit on the healthy machine
# --------------------------

import argparse
from pathlib import Path

from skasd import make_views_detector
from skasd.datasets import make_machine_sounds
from skasd.inspection import (
    DetectionCurveDisplay,
    ErrorMapDisplay,
    ScoreDistributionDisplay,
    explain,
)

SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}

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


def save(figure, name):
    """Save a picture if asked to."""
    if arguments.pictures is not None:
        figure.savefig(arguments.pictures / name, dpi=110)


if arguments.healthy is None:
    clips, y = make_machine_sounds(
        "slider", n_normal=60, n_anomalous=20, duration=4.0, snr_db=10, random_state=0
    )
    train, test, y = clips[:40], clips[40:], y[40:]
    odd, name = test[-1], "the last clip"
else:
    train = sorted(path for path in arguments.healthy.iterdir() if path.suffix.lower() in SUFFIXES)
    if not train:
        parser.error(f"{arguments.healthy} holds no {', '.join(sorted(SUFFIXES))} file.")
    odd, name = arguments.odd, arguments.odd.name
print(f"Fitting on {len(train)} recordings of a healthy machine ...")
detector = make_views_detector().fit(train)

# %%
# The alarm in words
# ------------------
#
# `explain` names the verdict, the times, the bands, and what the score is made of.

explanation = explain(detector, odd)
print(name, explanation, sep=": ")

# %%
# The alarm in a picture
# ----------------------
#
# Boxes in the last of the three maps mark the spans and the bands that the sentence names.

save(ErrorMapDisplay(explanation).plot().figure_, "alarm.png")

# %%
# How good the detector is, if faults are known
# ---------------------------------------------
#
# Here, the synthetic faults are known. So the scores of healthy and of faulty clips can be compared
# around the threshold, and the share of faults found at each rate of false alarms.

if arguments.healthy is None:
    save(ScoreDistributionDisplay.from_estimator(detector, test, y).figure_, "scores.png")
    save(DetectionCurveDisplay.from_estimator(detector, test, y, name="views").figure_, "curve.png")
