"""
Monitor a running machine
=========================

A `Monitor` cuts a stream of samples into windows, scores each one as soon as its last sample has
arrived, and raises an alarm once enough of the last windows are anomalous.
"""

# %%
# Fit on the healthy machine
# --------------------------
#
# The windows of the monitor should be as long as the training clips: two seconds here.

import matplotlib.pyplot as plt
import numpy as np

from skasd import Monitor, make_views_detector
from skasd.datasets import make_machine_sounds

SECONDS = 2.0
clips, y = make_machine_sounds(
    "pump", n_normal=90, n_anomalous=15, duration=SECONDS, snr_db=10, random_state=1
)
detector = make_views_detector().fit(clips[:70])

# %%
# Listen
# ------
#
# The stream is a pump that runs well for 40 s and then begins to leak, more and more. It arrives in
# blocks of a tenth of a second, as from a sound card; ``arecord`` and ``skasd monitor`` do the same
# from a shell.

stream = np.concatenate(clips[70:])
blocks = np.array_split(stream, len(stream) // 1600)
monitor = Monitor(detector, clip_seconds=SECONDS, alarm="3 of 5")
events = list(monitor.stream(blocks))
for event in events:
    if event.alarm_change:
        print(f"{event.end:.0f} s: the alarm is {event.alarm_change}")

# %%
# What the monitor heard
# ----------------------

starts = np.array([event.start for event in events])
scores = np.array([event.anomaly_score for event in events])
is_up = np.array([event.alarm for event in events])

figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
ax.plot(starts, scores, "o-", color="tab:blue", label="score of a window of 2 s")
ax.axhline(events[0].threshold, color="black", linewidth=1, linestyle="--", label="threshold")
ax.fill_between(
    starts,
    0,
    1,
    where=is_up,
    step="post",
    transform=ax.get_xaxis_transform(),
    color="tab:orange",
    alpha=0.25,
    label="alarm is raised",
)
ax.axvline(20 * SECONDS, color="tab:red", linewidth=1, label="the leak begins")
ax.set(
    title="A pump that begins to leak",
    xlabel="time in s",
    ylabel="anomaly score (higher is odder)",
)
ax.legend(loc="upper left")
