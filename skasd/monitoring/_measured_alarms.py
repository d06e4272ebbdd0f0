"""The threshold at which healthy recordings raise an alarm as often as asked."""

from collections.abc import Sequence

import numpy as np

from skasd.detection._calibration import FARTHEST, Calibration
from skasd.monitoring._alarm import Alarm
from skasd.monitoring._false_alarms import count_raised, rule_levels

MOST_THRESHOLDS = 300
"""Thresholds at which alarms are counted."""

FEWEST_PEAKS = 20
"""Alarms that the recordings must raise at some threshold, to say how rare higher ones are."""


def threshold_for(
    rule: str, recordings: Sequence[Sequence[float]], alarm_rate: float, hop_seconds: float
) -> tuple[float, bool]:
    """Return the threshold at which healthy recordings raise so many alarms.

    Parameters
    ----------
    rule : str
        Such as ``"3 of 5"``.
    recordings : sequence of sequences of float
        Anomaly scores of the windows of each, in their order; NaN counts for nothing.
    alarm_rate : float
        In Hz.
    hop_seconds : float
        From the start of a window to that of the next.

    Returns
    -------
    threshold : float
        Anomaly score above which a window is to be anomalous.
    is_extrapolated : bool
        Whether the recordings are too short to raise one such alarm.

    Raises
    ------
    ValueError
        If the recordings are too short to tell.

    Notes
    -----
    Each alarm at a low threshold is there up to some higher one, its peak. Peaks are independent
    where windows are not, since an alarm lasts as long as the machine is loud. So the threshold is
    the quantile of the peaks, above the highest that of a generalized Pareto distribution (peaks
    over threshold).

    References
    ----------
    Davison and Smith, "Models for exceedances over high thresholds", Journal of the Royal
    Statistical Society B 52, 1990.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.monitoring._measured_alarms import threshold_for
    >>> scores = np.random.default_rng(0).exponential(size=36000)
    >>> threshold, is_extrapolated = threshold_for("1 of 1", [scores], 1 / 1000, hop_seconds=1)
    >>> round(threshold, 1), is_extrapolated  # of 1,000 windows, one is above log(1000) = 6.9
    (6.7, False)
    """
    heard = [np.asarray(each, dtype=np.float64) for each in recordings]
    heard = [each[~np.isnan(each)] for each in heard]
    levels = [rule_levels(Alarm(rule), each) for each in heard]
    raising = np.unique(np.concatenate([up for up, _ in levels] or [np.array([])]))
    raising = raising[np.isfinite(raising)]
    shares = np.linspace(0.5, 1, MOST_THRESHOLDS // 2)
    others = np.quantile(raising, shares) if len(raising) else raising
    thresholds = np.unique(np.append(others, raising[-MOST_THRESHOLDS // 2 :]))
    # Just below a level, which raises the alarm there.
    thresholds = np.nextafter(thresholds, -np.inf)
    counts = np.array(
        [sum(count_raised(*each, t) for each in levels) for t in thresholds], dtype=int
    )
    n_peaks, seconds = counts.max(initial=0), sum(map(len, heard)) * hop_seconds
    if n_peaks < FEWEST_PEAKS:
        raise ValueError(
            f"The recordings raise {n_peaks} alarms at most, at any threshold, which is too few to "
            f"say how rare others are: {FEWEST_PEAKS} are needed. Record for longer."
        )
    peaks = [thresholds[counts >= index].max() for index in range(1, n_peaks + 1)]
    share = alarm_rate * seconds / n_peaks
    if share >= 1:
        raise ValueError(
            f"No threshold makes so many false alarms: at most {n_peaks} in "
            f"{seconds / 3600:.3g} hours."
        )
    peak = Calibration(peaks)
    if share < peak.finest / FARTHEST:
        raise ValueError(
            f"{seconds / 3600:.3g} hours of recordings cannot tell how high a threshold makes "
            "alarms so rare. Record for longer."
        )
    return peak.threshold(share), bool(peak.extrapolates(share))
