"""Monitor a machine: windows of a stream, or clips that arrive in a folder."""

import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from skasd._sklearn import Interval, validate_parameter_constraints
from skasd._steps import calibrated, calibrated_step, threshold_of, training_recordings
from skasd.audio._blocks import check_blocks
from skasd.audio._clips import Clip
from skasd.audio._training_recordings import TrainingRecordings
from skasd.detection._base import AnomalyDetectorMixin
from skasd.ensemble._members import lengths_count
from skasd.exceptions import RecordingWarning
from skasd.monitoring._alarm import Alarm
from skasd.monitoring._arrivals import watch_arrivals
from skasd.monitoring._detector_input import check_takes_clips, find_channels, find_sample_rate
from skasd.monitoring._false_alarms import (
    LONGEST_RULE,
    FalseAlarms,
    expected_false_alarms,
    parse_frequency,
    window_rate_for,
)
from skasd.monitoring._monitor_event import ClipFile, MonitorEvent
from skasd.monitoring._scorer import Scorer
from skasd.monitoring._windows import cut_windows

_CONSTRAINTS = {
    "clip_seconds": [Interval(Real, 0, None, closed="neither")],
    "hop_seconds": [Interval(Real, 0, None, closed="neither"), None],
    "sample_rate": [Interval(Integral, 1, None, closed="left"), None],
}

UNKNOWN_SECONDS = 10.0
"""Length of a window, if the detector does not know that of its training clips."""


class Monitor:
    """Score a running machine's sound window by window, and raise an alarm.

    Parameters
    ----------
    detector : fitted detector, or pipeline that ends with one
        A detector that was fitted on clips, and has `score_samples` and `offset_`.
    clip_seconds : float or None, default=None
        Length of a window, in seconds, rounded to whole samples. The scores mean what they did in
        training if it is as long as the training clips. None takes the median of their lengths,
        or 10 s if the detector does not know them.
    hop_seconds : float or None, default=None
        From the start of a window to that of the next; `clip_seconds` if None. Less makes them
        overlap, more leaves gaps that nobody listens to.
    alarm : str, default="3 of 5"
        ``"k of n"``: the alarm is raised once k of the last n windows are anomalous.
    release : int or None, default=None
        The alarm is cleared once at most that many of the last n windows are anomalous.
        ``(k - 1) // 2`` if None; see `Alarm`.
    false_alarms : str or None, default=None
        How often the alarm of a healthy machine may be raised, such as ``"1 per week"``: a number
        per hour, day, week, month or year. It sets the threshold of the windows, computed as if
        these were independent. None takes the detector's threshold.
    sample_rate : int or None, default=None
        What the blocks are sampled at, in Hz. None takes what the detector takes arrays for:
        `input_sample_rate` of its steps or, with a warning if they analyze at another rate, 16000.

    Attributes
    ----------
    sample_rate : int
        In Hz.
    expected_false_alarms : FalseAlarms or None
        Computed from the threshold: `per_week`, its 95 % `interval`, and `window_rate`, the share
        of healthy windows above it. None if the detector knows no p-values, or the alarm has more
        than 12 windows.

    Raises
    ------
    NotFittedError
        A ValueError: if the detector is not fitted.
    TypeError
        If it is not a detector, or has no threshold, or no p-values for `false_alarms`.
    ValueError
        If a parameter is out of range, the detector was calibrated on too few clips for so rare
        an alarm, or it does not take clips of this length.

    Warns
    -----
    RecordingWarning
        If the windows are shorter than the training clips, so that the threshold is not for them.

    See Also
    --------
    Alarm : The rule that turns single decisions into an alarm.

    Notes
    -----
    Without `false_alarms`, a window counts as anomalous exactly if `predict` says so. Windows
    of one machine are not independent: one that sounds odd is often followed by another, so
    that alarms come in fewer and longer runs than computed, or in more of them if the machine's
    sound drifts. The detector's `recalibrate` follows a drift.

    A window that cannot be scored, because samples in it are NaN or infinite, is an event with an
    error; it counts neither for nor against the alarm. If input was lost, pass NaN in its place,
    and the times of what follows stay right.

    A window is cut at the stream's own rate, with all its channels, and analyzed as a file of the
    same samples would be: its score is that of such a file.

    Only one window and the last n decisions are held in memory. `OpenL3Embedding` caches its
    embeddings on disk: pass it ``cache=None`` for a machine that is monitored for a long time.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skasd import LogMelSpectrogram, Monitor, NearestNeighborsDetector, TimeWeightedPooling
    >>> from skasd.datasets import make_machine_sounds
    >>> clips, y = make_machine_sounds("pump", n_normal=32, n_anomalous=3, duration=1.0,
    ...                                snr_db=12, random_state=2)
    >>> detector = make_pipeline(LogMelSpectrogram(n_mels=32), TimeWeightedPooling(),
    ...                          NearestNeighborsDetector(contamination=0.05)).fit(clips[:30])
    >>> monitor = Monitor(detector, clip_seconds=1.0, alarm="2 of 3")
    >>> sound = np.concatenate(clips[30:])
    >>> for event in monitor.stream(sound[i : i + 1000] for i in range(0, len(sound), 1000)):
    ...     print(event.start, event.is_anomalous, event.alarm_change)
    0.0 False None
    1.0 False None
    2.0 True None
    3.0 True raised
    4.0 True None
    """

    def __init__(
        self,
        detector: Any,
        *,
        clip_seconds: float | None = None,
        hop_seconds: float | None = None,
        alarm: str = "3 of 5",
        release: int | None = None,
        false_alarms: str | None = None,
        sample_rate: int | None = None,
    ):
        recordings = training_recordings(detector)
        if clip_seconds is None:
            clip_seconds = UNKNOWN_SECONDS if recordings is None else recordings.median
        parameters = {
            "clip_seconds": clip_seconds,
            "hop_seconds": hop_seconds,
            "sample_rate": sample_rate,
        }
        validate_parameter_constraints(_CONSTRAINTS, parameters, caller_name="Monitor")
        self.detector = detector
        self.clip_seconds = clip_seconds
        self.hop_seconds = clip_seconds if hop_seconds is None else hop_seconds
        self.alarm = alarm
        self.release = Alarm(alarm, release).release
        self.false_alarms = false_alarms
        self._rate_is_guess = False
        if sample_rate is None:
            sample_rate, self._rate_is_guess = find_sample_rate(detector)
        self.sample_rate = sample_rate
        self._offset = -threshold_of(detector)
        step = calibrated_step(detector)
        self._calibration = None if step is None else step._calibration
        self.expected_false_alarms = self._set_false_alarms(step)
        self._scorer = Scorer(detector)
        # What the last event is of, without what was made of it.
        self._last_clip: Clip | None = None
        self._window_length = self._samples("clip_seconds", self.clip_seconds)
        self._hop_length = self._samples("hop_seconds", self.hop_seconds)
        check_takes_clips(detector, self._window_length, self.sample_rate)
        self._warn_of_short_windows(recordings)

    def stream(
        self,
        blocks: Iterable[np.ndarray],
        *,
        after: Iterable[MonitorEvent] = (),
        replay: bool = False,
    ) -> Iterator[MonitorEvent]:
        """Score each window of a stream as soon as its last sample has arrived.

        Parameters
        ----------
        blocks : iterable of arrays of shape (n_samples,) or (n_samples, n_channels)
            The stream, in blocks of any size: ints of up to 32 bits, or floats in [-1, 1].
        after : iterable of MonitorEvent, default=()
            Events of an earlier run. The alarm and the numbering continue from there.
        replay : bool, default=False
            Whether `blocks` starts with the first sample of the earlier run, so that the windows of
            `after` are skipped. Otherwise, it starts with the sample that follows them.

        Yields
        ------
        MonitorEvent
            One event for each complete window.

        Raises
        ------
        AudioError
            If a block is not an array of samples, has its channels first or another number of them
            than those before, or lacks the detector's channel.
        ValueError
            If `after` is not what this monitor says.

        Warns
        -----
        UserWarning
            If the sample rate had to be guessed, and matters.
        """
        if self._rate_is_guess:
            warnings.warn(
                f"The sample rate of the stream is unknown, and {self.sample_rate} Hz, which is "
                "assumed, is not the rate that the detector analyzes at. Pass sample_rate.",
                stacklevel=2,
            )
        alarm = Alarm(self.alarm, self.release)
        first = sum(1 for _ in self._take_up(after, alarm))
        rate, hop = self.sample_rate, self._hop_length
        pieces = check_blocks(blocks, find_channels(self.detector))
        windows = cut_windows(pieces, window_length=self._window_length, hop_length=hop)
        for number, window in enumerate(windows, start=0 if replay else first):
            if number >= first:
                score, error = self._scorer.score(Clip(f"window {number}", window, rate))
                self._last_clip = Clip(f"window {number}", window, rate)
                start = number * hop
                end = start + self._window_length
                yield self._event(alarm, number, score, error, start=start / rate, end=end / rate)

    def watch(
        self,
        folder: str | os.PathLike,
        *,
        poll_seconds: float = 2.0,
        once: bool = False,
        after: Iterable[MonitorEvent] = (),
        wait: Callable[[float], None] = time.sleep,
    ) -> Iterator[MonitorEvent]:
        """Score each clip that arrives in a folder, complete and once, in the order of arrival.

        Parameters
        ----------
        folder : str or PathLike
            Folder whose recordings are the clips, by their suffixes. Subfolders, and files whose
            names start with a dot, are skipped.
        poll_seconds : float, default=2.0
            Seconds from one look into the folder to the next. A clip is scored once its size and
            time are the same in two looks.
        once : bool, default=False
            Whether to stop once all clips that were there at the first look are scored.
        after : iterable of MonitorEvent, default=()
            Events of an earlier run. Their clips are not scored again, unless they have changed.
        wait : callable, default=time.sleep
            Called with `poll_seconds` between two looks.

        Yields
        ------
        MonitorEvent
            One event for each clip. If a clip vanishes, cannot be read, or changes while it is
            read, its event has an error.

        Raises
        ------
        OSError
            If the folder cannot be read.
        ValueError
            If `after` is not what this monitor says.
        """
        folder = Path(folder)
        alarm = Alarm(self.alarm, self.release)
        seen, first = {}, 0
        for event in self._take_up(after, alarm):
            if event.clip is None:
                raise ValueError(
                    f"Event {first} of the earlier run is of a stream, not of a folder."
                )
            seen[event.clip.name] = event.clip
            first += 1
        arrivals = watch_arrivals(
            folder, seen=seen, poll_seconds=poll_seconds, once=once, wait=wait
        )
        for number, arrival in enumerate(arrivals, start=first):
            clip, score, error = self._scorer.score_arrival(folder, arrival)
            seen[clip.name] = clip
            self._last_clip = Clip(clip.name, os.fspath(folder / clip.name))
            yield self._event(alarm, number, score, error, clip=clip)

    def _set_false_alarms(self, step: AnomalyDetectorMixin | None) -> FalseAlarms | None:
        """Set the threshold to what `false_alarms` asks for, and compute what is to be expected."""
        rule = Alarm(self.alarm, self.release)
        if self.false_alarms is not None:
            alarm_rate = parse_frequency(self.false_alarms) * self.hop_seconds
            window_rate = window_rate_for(rule, alarm_rate)
            self._offset = -calibrated(self.detector)._calibration.threshold(window_rate)
        elif step is None or rule.n_windows > LONGEST_RULE:
            return None
        else:
            window_rate = step.contamination
        n_clips = len(calibrated(self.detector)._calibration.coarsest.scores)
        return expected_false_alarms(rule, window_rate, self.hop_seconds, n_clips)

    def _take_up(self, events: Iterable[MonitorEvent], alarm: Alarm) -> Iterator[MonitorEvent]:
        """Bring an alarm to the state that it had after some events."""
        for number, event in enumerate(events):
            if event.window != number:
                raise ValueError(
                    f"Event {number} of the earlier run is of window {event.window}: an event is "
                    "missing, or occurs twice."
                )
            if event.error is None:
                alarm.update(event.is_anomalous)
            if event.alarm != alarm.is_raised or event.threshold != -self._offset:
                raise ValueError(
                    f"Window {number} of the earlier run had another alarm or threshold: "
                    f"alarm={event.alarm}, threshold={event.threshold}."
                )
            yield event

    def _event(
        self,
        alarm: Alarm,
        number: int,
        score: float,
        error: str | None,
        *,
        start: float | None = None,
        end: float | None = None,
        clip: ClipFile | None = None,
    ) -> MonitorEvent:
        """Make an event from a score, and update the alarm."""
        is_anomalous = error is None and score - self._offset < 0
        change = alarm.update(is_anomalous) if error is None else None
        p_value = None
        if error is None and self._calibration is not None:
            p_value = float(self._calibration.p_values(-score))
        return MonitorEvent(
            window=number,
            start=start,
            end=end,
            anomaly_score=-score if error is None else math.nan,
            threshold=-self._offset,
            is_anomalous=is_anomalous,
            alarm=alarm.is_raised,
            alarm_change=change,
            error=error,
            clip=clip,
            p_value=p_value,
        )

    def _warn_of_short_windows(self, recordings: TrainingRecordings | None) -> None:
        if recordings is None or not lengths_count(self.detector):
            return
        if recordings.is_longer_than(self.clip_seconds):
            warnings.warn(
                f"Windows of {self.clip_seconds:g} s are shorter than the clips that the detector "
                f"was fitted on ({recordings.in_seconds}), vary more, and sound odd for that "
                "alone. Pass clip_seconds=None, or recalibrate the detector with such windows, as "
                "skasd calibrate --clip-seconds does.",
                RecordingWarning,
                stacklevel=3,
            )

    def _samples(self, name: str, seconds: float) -> int:
        n_samples = round(seconds * self.sample_rate)
        if n_samples < 1:
            raise ValueError(f"{name}={seconds}: is less than one sample at {self.sample_rate} Hz.")
        return n_samples
