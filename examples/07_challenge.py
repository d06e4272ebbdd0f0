"""
The challenge's protocol
========================

DCASE 2020 Task 2 gives each machine a folder of healthy training clips and one of test clips, and
asks for a score of each test clip. `evaluate_dcase2020`, or ``skasd evaluate`` from a shell, fits
each machine, scores its test clips, writes the challenge's CSV files, and computes AUC and pAUC.
"""

# %%
# Folders as in the challenge
# ---------------------------
#
# `fetch_dcase2020` downloads the real ones. These are small and synthetic.

import tempfile
from pathlib import Path

import soundfile

from skasd.challenge import evaluate_dcase2020
from skasd.datasets import make_machine_sounds
from skasd.inspection import ScoreDistributionDisplay

root = Path(tempfile.mkdtemp())
for seed, (machine, machine_id) in enumerate([("fan", "00"), ("pump", "02")]):
    clips, y = make_machine_sounds(
        machine, n_normal=50, n_anomalous=10, duration=2.0, random_state=seed
    )
    for i, clip in enumerate(clips):
        kind = "normal" if y[i] == 1 else "anomaly"
        split = "train" if i < 40 else "test"
        path = root / machine / split / f"{kind}_id_{machine_id}_{i:08}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, clip, 16000)

# %%
# Fit and score every machine
# ---------------------------
#
# If it is stopped and started again, it continues with the next machine. On the challenge's own
# clips, `TABLE_2` has the figures of the report to compare with.

out = root / "results"
evaluation = evaluate_dcase2020(root, out, "views")
for (machine, machine_id), scores in evaluation.labeled_scores().items():
    print(f"{machine} id_{machine_id}: AUC {scores['auc']:.3f}, pAUC {scores['pauc']:.3f}")

# %%
# The files to hand in
# --------------------

for path in sorted(out.glob("*.csv")):
    print(path.name, path.read_text().splitlines()[0], sep=": ")

# %%
# The scores of the fan
# ---------------------

lines = [line.split(",") for line in (out / "anomaly_score_fan_id_00.csv").read_text().split()]
y = [-1 if name.startswith("anomaly") else 1 for name, _ in lines]
ScoreDistributionDisplay.from_scores(y, [float(score) for _, score in lines])
