"""``skasd calibrate``: a model's threshold, set anew by healthy recordings."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from skasd.audio._clips import find_clips
from skasd.cli._app import SOME_NOT_SCORED, app, complain, nothing_done
from skasd.cli._options import FalseAlarmRate, ModelFile, OnError, OnErrorOption


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
    false_alarm_rate: FalseAlarmRate = None,
    on_error: OnErrorOption = OnError.SKIP,
) -> None:
    """Set a model's threshold by new healthy recordings, without another fit.

    For another microphone, another place or a later week; says how far the scores have moved. Exit
    code 3: some recordings could not be scored, and the threshold comes from the others.
    """
    from skasd._steps import calibrated
    from skasd.ensemble._skipping import score_clips
    from skasd.persistence._model_file import load, save

    with nothing_done("calibrate"):
        detector = load(model)
        last = calibrated(detector)
        results = list(score_clips(detector, find_clips(healthy), on_error=on_error.value))
        failures = {result.clip: result.error for result in results if result.error is not None}
        scores = np.array([-result.anomaly_score for result in results if result.error is None])
        before = -last.offset_
        report = last._recalibrate(scores, add=add)
        if false_alarm_rate is not None:
            last.set_false_alarm_rate(false_alarm_rate)
        save(detector, out)
    for clip, reason in failures.items():
        complain(f"left out {clip}: {reason}")
    complain(str(report))
    typer.echo(
        f"{out}: calibrated on {len(last.calibration_scores_)} clips, threshold "
        f"{-last.offset_:.6g} (before {before:.6g})"
    )
    if failures:
        raise typer.Exit(SOME_NOT_SCORED)
