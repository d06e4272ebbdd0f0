"""How often an alarm is raised for no reason."""

import numpy as np
import pytest
from scipy import signal, stats
from sklearn.pipeline import make_pipeline

from skasd import GaussianMixtureDetector, LogMelSpectrogram, Monitor, TimeWeightedPooling
from skasd.datasets import make_machine_sounds
from skasd.exceptions import CalibrationWarning
from skasd.monitoring import Alarm
from skasd.monitoring._false_alarms import (
    CountedAlarms,
    alarms_per_window,
    count_alarms,
    expected_false_alarms,
    parse_frequency,
    window_rate_for,
)
from skasd.monitoring._measured_alarms import threshold_for


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5])
def test_single_windows(rate):
    """Raised by an anomalous window after a normal one."""
    assert alarms_per_window(Alarm("1 of 1"), rate) == pytest.approx(rate * (1 - rate), rel=1e-6)


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_two_in_a_row(rate):
    """Cleared by a normal window pair or half of it: release 0 needs two normal ones."""
    runs = rate**2 * (1 - rate)
    up_to_first_order = alarms_per_window(Alarm("2 of 2", release=1), rate)
    assert up_to_first_order == pytest.approx(runs, rel=1e-6)


@pytest.mark.parametrize(("rule", "release"), [("3 of 5", None), ("2 of 6", 0), ("4 of 4", 2)])
def test_simulated_weeks(rule, release):
    rate, n_windows = 0.15, 100_000
    is_anomalous = np.random.default_rng(0).random(n_windows) < rate
    alarm = Alarm(rule, release)
    n_alarms = sum(alarm.update(bool(each)) == "raised" for each in is_anomalous)
    expected = n_windows * alarms_per_window(Alarm(rule, release), rate)
    assert abs(n_alarms - expected) < 4 * np.sqrt(expected)


@pytest.mark.parametrize("rule", ["1 of 1", "3 of 5", "5 of 12"])
def test_rate_of_a_window_for_rare_alarms(rule):
    alarm = Alarm(rule)
    rate = window_rate_for(alarm, 1e-5)
    assert alarms_per_window(alarm, rate) == pytest.approx(1e-5, rel=1e-4)


def test_frequencies():
    assert parse_frequency("1 per week") == pytest.approx(1 / 604800)
    assert parse_frequency("0.5 per day") == pytest.approx(1 / 172800)
    for text in ("often", "0 per week", "1 per fortnight", 3):
        with pytest.raises(ValueError, match=r"false_alarms=.*such as '1 per week'"):
            parse_frequency(text)
    with pytest.raises(ValueError, match="rules of at most 12 windows, got 13"):
        window_rate_for(Alarm("2 of 13"), 1e-5)
    with pytest.raises(ValueError, match="No threshold makes so many false alarms"):
        window_rate_for(Alarm("3 of 5"), 0.9)


@pytest.fixture(scope="module")
def detector():
    clips, _ = make_machine_sounds("fan", n_normal=60, n_anomalous=0, duration=1.0, random_state=0)
    pipeline = make_pipeline(
        LogMelSpectrogram(n_mels=16), TimeWeightedPooling(), GaussianMixtureDetector(1)
    )
    return pipeline.fit(clips)


def test_monitor_of_the_detectors_threshold(detector):
    """The report's 3 of 5 windows of 10 s, a tenth of which are anomalous."""
    monitor = Monitor(detector, clip_seconds=10)
    per_window = alarms_per_window(Alarm("3 of 5"), 0.1)
    assert monitor.expected_false_alarms.per_week == pytest.approx(60480 * per_window)
    assert monitor.expected_false_alarms.window_rate == 0.1


@pytest.mark.parametrize("n_clips", [9, 99])
def test_interval_of_what_is_computed(n_clips):
    """The share of windows above the highest of n scores is above x with probability (1 - x)^n."""
    expected = expected_false_alarms(Alarm("1 of 1"), 1 / (n_clips + 1), 604800 / 1000, n_clips)
    low, high = (1 - q ** (1 / n_clips) for q in (0.975, 0.025))
    limits = 1000 * low * (1 - low), 1000 * high * (1 - high)
    assert expected.interval == pytest.approx(limits, rel=1e-6)
    assert expected.per_week == pytest.approx(1000 * n_clips / (n_clips + 1) ** 2)


@pytest.mark.parametrize("n_clips", [3, 20, 60])
@pytest.mark.parametrize("window_rate", [0.1, 0.3, 0.5])
def test_interval_is_around_what_is_expected(n_clips, window_rate):
    """Also if the alarm would be raised less often at a higher rate of windows."""
    expected = expected_false_alarms(Alarm("3 of 5"), window_rate, 10, n_clips)
    low, high = expected.interval
    assert 0 <= low <= expected.per_week <= high


def test_monitor_of_rare_alarms(detector):
    monitor = Monitor(detector, clip_seconds=1.0, hop_seconds=10.0, false_alarms="1 per week")
    expected = monitor.expected_false_alarms
    assert expected.per_week == pytest.approx(1, rel=1e-3)
    with pytest.warns(CalibrationWarning):
        offset = detector[-1].set_false_alarm_rate(expected.window_rate).offset_
    detector[-1].set_false_alarm_rate(0.1)
    (event,) = monitor.stream([np.random.default_rng(0).normal(size=16000)])
    assert event.threshold == -offset
    assert event.p_value < expected.window_rate
    assert event.is_anomalous


def test_alarm_that_is_too_rare_for_the_clips(detector):
    with pytest.raises(ValueError, match="is less than 60 healthy clips can tell"):
        Monitor(detector, clip_seconds=1.0, alarm="1 of 1", false_alarms="1 per year")


@pytest.mark.parametrize(
    ("n_alarms", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (2, 0.242, 7.225), (10, 4.795, 18.39)],
)
def test_interval_of_a_count(n_alarms, low, high):
    """Garwood's table of 1936."""
    week = 7 * 24 * 3600.0
    assert CountedAlarms(n_alarms, week).interval == pytest.approx((low, high), rel=1e-3)
    assert CountedAlarms(n_alarms, week / 2).interval == pytest.approx(
        (2 * low, 2 * high), rel=1e-3
    )


def test_alarms_are_counted_within_each_recording():
    """Independent windows raise as many as the Markov chain says; no alarm spans recordings."""
    rng = np.random.default_rng(0)
    scores = rng.random(200_000)
    counted = count_alarms("3 of 5", [scores], threshold=0.9, hop_seconds=10)
    expected = alarms_per_window(Alarm("3 of 5"), 0.1) * len(scores)
    # Five standard deviations of a Poisson count.
    assert counted.n_alarms == pytest.approx(expected, abs=5 * expected**0.5)
    assert counted.seconds == 2_000_000
    apart = count_alarms("3 of 5", scores.reshape(-1, 2), threshold=0.9, hop_seconds=10)
    assert apart.n_alarms == 0


def test_a_recording_without_windows_raises_no_alarm():
    assert count_alarms("3 of 5", [[], [np.nan]], 5, 10) == CountedAlarms(0, 0)


def test_scores_that_are_nan_are_not_counted():
    recording = [np.nan, 9, 9, np.nan, 9]
    assert count_alarms("3 of 5", [recording], 5, hop_seconds=1) == CountedAlarms(1, 3)


def wavering_scores(rng, n_windows):
    """Return scores that forget within ten windows, of a standard normal distribution."""
    kept = np.exp(-1 / 10)
    noise = rng.normal(0, np.sqrt(1 - kept**2), n_windows)
    return signal.lfilter([1], [1, -kept], noise)


@pytest.mark.parametrize("rule", ["1 of 1", "3 of 5"])
def test_threshold_by_the_alarms_of_hours(rule):
    """Alarms of 100 other days are as many as asked, where windows are far from independent."""
    rng = np.random.default_rng(0)
    per_day = 8640
    hours = wavering_scores(rng, 30 * per_day)
    threshold, is_extrapolated = threshold_for(rule, [hours], 1 / 86400, hop_seconds=10)
    assert not is_extrapolated
    other = wavering_scores(rng, 100 * per_day)
    counted = count_alarms(rule, [other], threshold, hop_seconds=10)
    # 30 of the training days' alarms: a standard error of a fifth, and Poisson's of a tenth.
    assert 50 <= counted.n_alarms <= 170
    # As if they were independent, the rule of three would be asked for a far lower threshold.
    independent = stats.norm.isf(window_rate_for(Alarm(rule), 10 / 86400))
    if rule == "3 of 5":
        assert count_alarms(rule, [other], independent, hop_seconds=10).n_alarms > 1000


def test_rarer_alarms_than_the_hours_show_are_extrapolated():
    rng = np.random.default_rng(1)
    hours = wavering_scores(rng, 8640)
    threshold, is_extrapolated = threshold_for("3 of 5", [hours], 1 / (7 * 86400), hop_seconds=10)
    assert is_extrapolated
    # From one day to twenty weeks: at most ten times as many as the twenty asked for.
    counted = count_alarms("3 of 5", [wavering_scores(rng, 20 * 60480)], threshold, 10)
    assert counted.n_alarms <= 200


@pytest.mark.parametrize(("rule", "threshold"), [("1 of 1", 0.5), ("3 of 5", 0.3), ("2 of 3", 1)])
def test_alarms_are_counted_as_they_are_raised(rule, threshold):
    scores = np.random.default_rng(2).normal(size=5000)
    alarm = Alarm(rule)
    expected = sum(alarm.update(score > threshold) == "raised" for score in scores)
    assert count_alarms(rule, [scores], threshold, 1).n_alarms == expected


def test_too_few_alarms_to_tell():
    with pytest.raises(ValueError, match=r"raise \d alarms? at most.*Record for longer"):
        threshold_for("3 of 5", [[1.0, 1.0, 2.0, 2.0]], 1 / 3600, hop_seconds=10)
