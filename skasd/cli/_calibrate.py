"""``skasd calibrate``: a model's threshold, set anew by healthy recordings."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from skasd.audio._blocks import read_blocks, read_sample_rate
from skasd.audio._folders import find_healthy_clips
from skasd.cli._app import SOME_NOT_SCORED, app, complain, nothing_done, say
from skasd.cli._options import (
    FalseAlarmRate,
    Force,
    Key,
    ModelFile,
    OnError,
    OnErrorOption,
    TakeAll,
)
from skasd.cli._places import MODELS, try_place
from skasd.exceptions import AudioError


@app.command(epilog="Example: skasd calibrate fan.skasd recordings/on_site -o fan_on_site.skasd")
def calibrate(
    model: ModelFile,
    healthy: Annotated[
        list[Path], typer.Argument(help="New recordings of the healthy machine: files or folders.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The new model file.")],
    add: Annotated[
        bool,
        typer.Option(
            "--add",
            help="Add the recordings to those that the threshold comes from, such as a false "
            "alarm. Otherwise they replace them, and 20 are needed.",
        ),
    ] = False,
    domain: Annotated[
        str | None,
        typer.Option(
            help='With --add, "target": they are from elsewhere, such as another microphone, and '
            "the threshold should hold for both.",
            show_default="target if the model knows domains",
        ),
    ] = None,
    false_alarm_rate: FalseAlarmRate = None,
    clip_seconds: Annotated[
        float | None,
        typer.Option(
            help="Cut the recordings into windows of this length, as skasd monitor does, and count "
            "the alarms that they raise.",
            show_default="each recording is one clip",
        ),
    ] = None,
    alarm: Annotated[
        str, typer.Option(help="With --clip-seconds: the rule of the alarms, k of n.")
    ] = "3 of 5",
    false_alarms: Annotated[
        str | None,
        typer.Option(
            help='With --clip-seconds: how often these recordings may raise an alarm, such as "1 '
            'per week". The threshold is set by the alarms themselves, as windows that follow each '
            "other are alike.",
        ),
    ] = None,
    on_error: OnErrorOption = OnError.SKIP,
    take_all: TakeAll = False,
    key: Key = None,
    force: Force = False,
) -> None:
    """Set a model's threshold by new healthy recordings, without another fit.

    For another microphone, another place or a later week. It says how far the scores have moved.
    With --clip-seconds and hours of the healthy machine, it also says how often a monitor would
    have raised a false alarm in these recordings, from which the threshold comes; with
    --false-alarms, it makes false alarms as rare as asked. Exit code 3: some recordings could not
    be scored, and the threshold comes from the others.
    """
    from skasd._steps import calibrated
    from skasd.ensemble._skipping import score_for_calibration
    from skasd.monitoring._alarm import Alarm
    from skasd.monitoring._false_alarms import count_alarms, parse_frequency
    from skasd.monitoring._measured_alarms import threshold_for
    from skasd.persistence._model_file import load, save

    with nothing_done("calibrate"):
        Alarm(alarm)
        alarm_rate = None if false_alarms is None else parse_frequency(false_alarms)
        if alarm_rate is not None and (clip_seconds is None or false_alarm_rate is not None):
            raise ValueError(
                "--false-alarms needs --clip-seconds, and excludes --false-alarm-rate."
            )
        detector = load(model, key=key)
        last = calibrated(detector)
        try_place(out, replaces=MODELS, what="model", force=force)
        clips = find_healthy_clips(healthy, take_all=take_all)
        if clip_seconds is None:
            results = list(score_for_calibration(detector, clips, on_error.value))
            failures = {result.clip: result.error for result in results if result.error is not None}
            recordings = [[result.anomaly_score for result in results if result.error is None]]
        else:
            recordings, failures = _score_windows(detector, clips, clip_seconds, on_error)
        scores = -np.array([score for recording in recordings for score in recording])
        before = -last.offset_
        report = last._recalibrate(scores, add=add, domain=domain)
        if false_alarm_rate is not None:
            last.set_false_alarm_rate(false_alarm_rate)
        is_extrapolated = False
        if clip_seconds is not None:
            if alarm_rate is not None:
                threshold, is_extrapolated = threshold_for(
                    alarm, recordings, alarm_rate, clip_seconds
                )
                last._set_threshold(threshold)
            counted = count_alarms(alarm, recordings, -last.offset_, clip_seconds)
        save(detector, out, key=key)
    for clip, reason in failures.items():
        complain(f"left out {clip}: {reason}")
    complain(str(report))
    say(
        f"{out}: calibrated on {len(last.calibration_scores_)} clips, threshold "
        f"{-last.offset_:.6g} (before {before:.6g})"
    )
    if clip_seconds is not None:
        say(f"{alarm} windows: {counted}")
    if is_extrapolated:
        complain(f"{false_alarms} is rarer than these recordings show, and is extrapolated.")
    if failures:
        raise typer.Exit(SOME_NOT_SCORED)


def _score_windows(
    detector: Any, clips: list[str], clip_seconds: float, on_error: OnError
) -> tuple[list[list[float]], dict[str, str]]:
    """Return the anomaly scores of each recording's windows, and what could not be scored."""
    recordings: list[list[float]] = []
    failures: dict[str, str] = {}
    for clip in clips:
        try:
            scores, failed = _scores_of_windows(detector, clip, clip_seconds)
            if failed and on_error is OnError.RAISE:
                name, problem = next(iter(failed.items()))
                raise AudioError(name, problem, "Repair it or leave it out.")
        except AudioError as error:
            if on_error is OnError.RAISE:
                raise
            scores, failed = [], {error.clip: f"{error.problem}. {error.remedy}"}
        recordings.append(scores)
        failures |= failed
    return recordings, failures


def _scores_of_windows(
    detector: Any, clip: str, clip_seconds: float
) -> tuple[list[float], dict[str, str]]:
    from skasd.monitoring._monitor import Monitor

    monitor = Monitor(detector, clip_seconds=clip_seconds, sample_rate=read_sample_rate(clip))
    events = list(monitor.stream(read_blocks(clip)))
    if not events:
        raise AudioError(
            clip,
            f"is shorter than a window, {clip_seconds:g} s",
            "Leave it out, or pass a smaller --clip-seconds.",
        )
    scores = [event.anomaly_score for event in events if event.error is None]
    failures = {
        f"{clip} from {event.start:g} s": event.error for event in events if event.error is not None
    }
    return scores, failures
