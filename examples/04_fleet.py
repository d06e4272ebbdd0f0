"""
A fleet of machines
===================

A plant has many machines, and each one sounds like no other. A `FleetDetector` has a detector for
each of them, and every clip is judged by its own machine's.
"""

# %%
# Clips and the labels of their machines
# --------------------------------------
#
# Three machines, of which the pump ``pump_id_04`` leaks in its last four clips.

import tempfile

import matplotlib.pyplot as plt
import numpy as np

import skasd
from skasd import FleetDetector, make_views_detector
from skasd.datasets import make_machine_sounds

MACHINES = {"fan_id_00": 0, "pump_id_02": 4, "pump_id_04": 5}

train, train_labels, new, new_labels = [], [], [], []
for label, seed in MACHINES.items():
    clips, _ = make_machine_sounds(
        label.partition("_")[0],
        n_normal=38,
        n_anomalous=4 if label == "pump_id_04" else 0,
        duration=2.0,
        snr_db=10,
        random_state=seed,
    )
    train += list(clips[:30])
    train_labels += [label] * 30
    new += list(clips[30:])
    new_labels += [label] * (len(clips) - 30)

# %%
# Fit and judge
# -------------
#
# ``n_jobs=2`` would fit two machines at a time. A machine that cannot be fitted is named in a
# warning and in ``failures_``; the others are kept.

fleet = FleetDetector(make_views_detector(contamination=0.05))
fleet.fit(train, machine_label=train_labels)
p_values = fleet.p_values(new, machine_label=new_labels)
is_anomalous = fleet.predict(new, machine_label=new_labels) == -1

new_labels = np.array(new_labels)
for label in MACHINES:
    of_machine = new_labels == label
    print(f"{label}: {is_anomalous[of_machine].sum()} of {of_machine.sum()} clips are anomalous")

# %%
# A picture of the plant
# ----------------------
#
# p-values have the same meaning for each machine, so that they can be compared.

figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
for label in MACHINES:
    of_machine = new_labels == label
    ax.plot(1 + np.arange(of_machine.sum()), p_values[of_machine], "o-", label=label)
ax.axhline(0.05, color="black", linewidth=1, linestyle="--", label="asked: 5 % false alarms")
ax.set(
    title="New clips of three machines",
    xlabel="clip of the machine",
    ylabel="p-value: share of healthy\nclips that sound as odd",
    yscale="log",
)
ax.legend(loc="lower left")

# %%
# Add a machine, and save the plant
# ---------------------------------
#
# ``partial_fit`` touches no other machine. The fleet is saved as a folder with a file for each
# machine, which is read when that machine is first scored.

clips, _ = make_machine_sounds("fan", n_normal=30, n_anomalous=0, duration=2.0, random_state=9)
fleet.partial_fit(clips, machine_label=["fan_id_06"] * 30)
with tempfile.TemporaryDirectory() as folder:
    skasd.save(fleet, f"{folder}/plant")
    print(sorted(skasd.load(f"{folder}/plant").detectors_))
