"""How often an alarm is raised for no reason, and the threshold that makes it as rare as asked."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from skasd.monitoring._alarm import Alarm

SECONDS = {
    "hour": 3600.0,
    "day": 86400.0,
    "week": 7 * 86400.0,
    "month": 30 * 86400.0,
    "year": 365 * 86400.0,
}

LEAST_RATE = 1e-9
"""Share of anomalous windows that is as good as none."""

N_SHARES = 20
"""Shares of anomalous windows, of an interval of them, for which alarms are computed."""

LONGEST_RULE = 12
"""Windows of a rule whose alarms are computed: all 2 ** 12 of what they can be are followed."""


@dataclass(frozen=True)
class FalseAlarms:
    """How often the alarm of a healthy machine is raised, if its windows are independent.

    Parameters
    ----------
    per_week : float
        Expected number of alarms in a week.
    window_rate : float
        Share of healthy windows above the threshold.
    interval : (float, float)
        Limits, in alarms per week, of a 95 % interval. The threshold comes from a limited number of
        clips, so the share of healthy windows above it is uncertain.

    Examples
    --------
    >>> from skasd.monitoring._false_alarms import FalseAlarms
    >>> print(FalseAlarms(1.0, 0.01, (0.2, 4.0)))  # doctest: +NORMALIZE_WHITESPACE
    1 false alarm per week (95 % interval: 0.2 to 4), computed as if windows were independent:
    1 in 100 is anomalous
    """

    per_week: float
    window_rate: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        alarms = f"{self.per_week:.3g} false alarm{'' if f'{self.per_week:.3g}' == '1' else 's'}"
        low, high = (f"{limit:.3g}" if limit >= 0.01 else "below 0.01" for limit in self.interval)
        return (
            f"{alarms} per week (95 % interval: {low} to {high}), computed as if windows "
            f"were independent: 1 in {1 / self.window_rate:.3g} is anomalous"
        )


@dataclass(frozen=True)
class CountedAlarms:
    """How often an alarm was raised in healthy recordings.

    Parameters
    ----------
    n_alarms : int
        How often.
    seconds : float
        What the recordings last.

    References
    ----------
    Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936.

    Examples
    --------
    >>> from skasd.monitoring._false_alarms import CountedAlarms
    >>> print(CountedAlarms(2, 30 * 3600))
    2 alarms in 30 hours of healthy sound: 11.2 per week (95 % interval: 1.36 to 40.5)
    """

    n_alarms: int
    seconds: float

    @property
    def interval(self) -> tuple[float, float]:
        """Limits, in alarms per week, of a 95 % confidence interval."""
        low = stats.chi2.ppf(0.025, 2 * self.n_alarms) / 2 if self.n_alarms else 0.0
        high = stats.chi2.ppf(0.975, 2 * self.n_alarms + 2) / 2
        weeks = self.seconds / SECONDS["week"]
        return float(low / weeks), float(high / weeks)

    def __str__(self) -> str:
        low, high = self.interval
        hours = self.seconds / SECONDS["hour"]
        return (
            f"{self.n_alarms} alarm{'' if self.n_alarms == 1 else 's'} in {hours:.3g} hours of "
            f"healthy sound: {self.n_alarms * SECONDS['week'] / self.seconds:.3g} per week "
            f"(95 % interval: {low:.3g} to {high:.3g})"
        )


def count_alarms(
    rule: str, recordings: Iterable[Sequence[float]], threshold: float, hop_seconds: float
) -> CountedAlarms:
    """Count the alarms that healthy recordings raise, one recording after the other.

    Parameters
    ----------
    rule : str
        Such as ``"3 of 5"``.
    recordings : iterable of sequences of float
        Anomaly scores of the windows of each; NaN counts for nothing.
    threshold : float
        Anomaly score above which a window is anomalous.
    hop_seconds : float
        From the start of a window to that of the next.

    Returns
    -------
    CountedAlarms

    Examples
    --------
    >>> from skasd.monitoring._false_alarms import count_alarms
    >>> count_alarms("2 of 2", [[0, 9, 9, 0, 0, 9], [9, 0]], threshold=5, hop_seconds=10)
    CountedAlarms(n_alarms=1, seconds=80)
    """
    n_alarms = n_windows = 0
    for recording in recordings:
        scores = np.asarray(recording, dtype=np.float64)
        heard = scores[~np.isnan(scores)]
        n_alarms += count_raised(*rule_levels(Alarm(rule), heard), threshold)
        n_windows += len(heard)
    return CountedAlarms(n_alarms, n_windows * hop_seconds)


def rule_levels(rule: Alarm, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return below which threshold each window raises the alarm, and from which on it clears it."""
    padded = np.append(np.full(rule.n_windows, -np.inf), scores)
    last = np.lib.stride_tricks.sliding_window_view(padded, rule.n_windows)[1:]
    last = np.sort(last, axis=1)
    return last[:, -rule.n_anomalous], last[:, -rule.release - 1]


def count_raised(raises: np.ndarray, clears: np.ndarray, threshold: float) -> int:
    """Count how often an alarm is raised, as `Alarm` raises it."""
    is_up = raises > threshold
    states = is_up[is_up | (clears <= threshold)]
    return int(states[:1].sum() + np.count_nonzero(states[1:] & ~states[:-1]))


def parse_frequency(text: str) -> float:
    """Return how many times a second something is to happen.

    Parameters
    ----------
    text : str
        Such as ``"1 per week"``: hour, day, week, month (30 days) or year.

    Returns
    -------
    float
        In Hz.

    Raises
    ------
    ValueError
        If it is not of that form.

    Examples
    --------
    >>> from skasd.monitoring._false_alarms import parse_frequency
    >>> 1 / parse_frequency("2 per hour")
    1800.0
    """
    pattern = rf"\s*(\d+(?:\.\d+)?)\s+per\s+({'|'.join(SECONDS)})\s*"
    match = re.fullmatch(pattern, text) if isinstance(text, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError(
            f"false_alarms={text!r}: expected a number per {', '.join(SECONDS)}, such as "
            "'1 per week'."
        )
    return float(match[1]) / SECONDS[match[2]]


def alarms_per_window(rule: Alarm, window_rate: float) -> float:
    """Compute how often an alarm is raised if windows are independent.

    Parameters
    ----------
    rule : Alarm
        Its rule; its state does not matter.
    window_rate : float
        Share of windows that are anomalous, in (0, 1).

    Returns
    -------
    float
        Expected number of alarms raised by one window, in the long run.

    Notes
    -----
    The last n decisions and the state of the alarm are a Markov chain, of which this is the
    stationary rate.

    Examples
    --------
    >>> from skasd.monitoring import Alarm
    >>> from skasd.monitoring._false_alarms import alarms_per_window
    >>> round(alarms_per_window(Alarm("1 of 1"), 0.25), 6)
    0.1875
    """
    n_states = 1 << rule.n_windows
    last = np.arange(n_states)
    counts = np.array([int(state).bit_count() for state in last])
    share = np.zeros((2, n_states))
    share[0, 0] = 1
    raised = -1.0
    while True:
        new = np.zeros_like(share)
        raised_before, raised = raised, 0.0
        for decision, probability in ((0, 1 - window_rate), (1, window_rate)):
            after = (last << 1 | decision) & (n_states - 1)
            is_up = counts[after] >= rule.n_anomalous
            is_down = counts[after] <= rule.release
            for state in (0, 1):
                flow = share[state] * probability
                goes_up = is_up if state == 0 else ~is_down
                np.add.at(new[1], after[goes_up], flow[goes_up])
                np.add.at(new[0], after[~goes_up], flow[~goes_up])
                if state == 0:
                    raised += flow[goes_up].sum()
        if np.abs(new - share).sum() < 1e-12 and abs(raised - raised_before) <= 1e-9 * raised:
            return float(raised)
        share = new


def window_rate_for(rule: Alarm, alarm_rate: float) -> float:
    """Return the share of anomalous windows that raises an alarm so often.

    Parameters
    ----------
    rule : Alarm
        Its rule.
    alarm_rate : float
        Alarms for each window.

    Returns
    -------
    float
        In (0, 0.5].

    Raises
    ------
    ValueError
        If no rate raises it so often, or the rule is of too many windows.
    """
    if rule.n_windows > LONGEST_RULE:
        raise ValueError(
            f"false_alarms is for rules of at most {LONGEST_RULE} windows, got "
            f"{rule.n_windows}. Set the detector's false-alarm rate instead."
        )
    # Above some rate the alarm is hardly ever cleared, and so is raised less often again.
    grid = np.geomspace(LEAST_RATE, 0.5, 60)
    rates = np.array([alarms_per_window(rule, rate) for rate in grid])
    most = int(rates.argmax())
    if alarm_rate > rates[most]:
        raise ValueError(
            f"No threshold makes so many false alarms: at most {rates[most]:.3g} for each window."
        )
    if alarm_rate <= rates[0]:
        return float(grid[0])
    above = int(np.flatnonzero(rates[: most + 1] >= alarm_rate)[0])
    root = optimize.brentq(
        lambda x: np.log(alarms_per_window(rule, np.exp(x)) / alarm_rate),
        np.log(grid[above - 1]),
        np.log(grid[above]),
        xtol=1e-6,
    )
    return float(np.exp(root))


def expected_false_alarms(
    rule: Alarm, window_rate: float, hop_seconds: float, n_clips: int
) -> FalseAlarms:
    """Compute how often the alarm of a healthy machine is raised, if windows are independent.

    Parameters
    ----------
    rule : Alarm
        Its rule.
    window_rate : float
        Share of healthy windows above the threshold.
    hop_seconds : float
        From the start of a window to that of the next.
    n_clips : int
        Number of healthy clips that the threshold comes from.

    Returns
    -------
    FalseAlarms

    Notes
    -----
    The share of windows above the kth highest of n scores of healthy clips is distributed as
    Beta(k, n + 1 - k) (Vovk, "Conditional validity of inductive conformal predictors", ACML 2012).
    Here, k is ``window_rate * (n + 1)``, also if the threshold is extrapolated.
    """
    per_week = SECONDS["week"] / hop_seconds
    share = stats.beta(window_rate * (n_clips + 1), (1 - window_rate) * (n_clips + 1))
    # Beyond some share, the alarm is raised less often again, since it is hardly ever cleared.
    low, high = np.clip(share.ppf([0.025, 0.975]), LEAST_RATE, 1 - LEAST_RATE)
    shares = [window_rate, *np.geomspace(low, high, N_SHARES)]
    expected, *others = (per_week * alarms_per_window(rule, each) for each in shares)
    return FalseAlarms(expected, window_rate, (min(others), max(expected, *others)))
