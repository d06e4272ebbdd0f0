"""``skasd fit``: from recordings of a healthy machine to a model file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skasd.audio._folders import find_clips
from skasd.cli._app import SOME_NOT_SCORED, app, complain, nothing_done
from skasd.cli._options import (
    FalseAlarmRate,
    OnError,
    OnErrorOption,
    Settings,
    SystemName,
    parse_settings,
)


@app.command(
    epilog="Example: skasd fit recordings/healthy -o fan.skasd --set n_fft=2048 --set n_mels=64"
)
def fit(
    healthy: Annotated[
        list[Path], typer.Argument(help="Recordings of the healthy machine: files or folders.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model file, such as fan.skasd.")],
    system: SystemName = "views",
    machine: Annotated[
        str | None, typer.Option(help="Machine type whose settings iaeo3-opt uses.")
    ] = None,
    set_: Settings = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    jobs: Annotated[int, typer.Option(help="Views, or members, to fit at the same time.")] = 1,
    false_alarm_rate: FalseAlarmRate = None,
    on_error: OnErrorOption = OnError.SKIP,
) -> None:
    """Fit a detector on recordings of a healthy machine, and save it.

    The default system compares several views of a clip with those of the healthy ones, and takes
    seconds. The threshold comes from clips that were left out. Clips that sound unlike all others
    are named: a fault among them should be taken out. Exit code 3: some clips could not be
    analyzed, and the model was fitted on the others.
    """
    from skasd.detection._calibration import in_words
    from skasd.ensemble._skipping import fit_clips
    from skasd.persistence._model_file import save
    from skasd.systems._by_name import make_system

    with nothing_done("fit"):
        clips = find_clips(healthy)
        if not out.parent.is_dir():
            raise ValueError(f"There is no folder {out.parent} for the model. Create it first.")
        settings = {
            "random_state": random_state,
            "n_jobs": jobs,
            "verbose": int(Console(stderr=True).is_terminal),
            **parse_settings(set_),
        }
        if false_alarm_rate is not None:
            settings["contamination"] = false_alarm_rate
        detector = make_system(system, machine, **settings)
        failures = fit_clips(detector, clips, on_error=on_error.value)
        save(detector, out)
    for clip, reason in failures.items():
        complain(f"left out {clip}: {reason}")
    used = [clip for clip in clips if clip not in failures]
    for index in detector.suspicious_training_clips():
        complain(
            f"unlike the others: {used[index]}. Listen to it, and fit without it if it is a fault."
        )
    typer.echo(
        f"{out}: fitted on {len(used)} clips, threshold {-detector.offset_:.6g}: "
        f"{in_words(detector.contamination, 0)}"
    )
    if failures:
        raise typer.Exit(SOME_NOT_SCORED)
