"""``skasd fit``: from recordings of a healthy machine to a model file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skasd.audio._clips import find_clips
from skasd.cli._app import SOME_NOT_SCORED, app, complain, nothing_done
from skasd.cli._options import OnError, OnErrorOption, Settings, SystemName, parse_settings

THRESHOLD_FOLDS = 2
"""Folds for the threshold if ``--set cv=`` says nothing else."""


@app.command(
    epilog="Example: skasd fit recordings/healthy -o fan.skasd --set epochs=20 --set n_repeats=2"
)
def fit(
    healthy: Annotated[
        list[Path], typer.Argument(help="Recordings of the healthy machine: files or folders.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model file, such as fan.skasd.")],
    system: SystemName = "iaeo3-plus",
    machine: Annotated[
        str | None, typer.Option(help="Machine type whose settings iaeo3-opt uses.")
    ] = None,
    set_: Settings = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    jobs: Annotated[int, typer.Option(help="Number of members to fit at the same time.")] = 1,
    on_error: OnErrorOption = OnError.SKIP,
) -> None:
    """Fit a detector on recordings of a healthy machine, and save it.

    The threshold comes from clips that were held out from a fit (--set cv=2). A tenth of healthy
    clips is expected to exceed it (--set contamination=0.1). Exit code 3: some clips were left out,
    and the model was fitted on the others.
    """
    from skasd.ensemble._skipping import fit_clips
    from skasd.persistence._model_file import save
    from skasd.systems._by_name import make_system

    with nothing_done("fit"):
        clips = find_clips(healthy)
        if not out.parent.is_dir():
            raise ValueError(f"There is no folder {out.parent} for the model. Create it first.")
        settings = {
            "cv": THRESHOLD_FOLDS,
            "random_state": random_state,
            "n_jobs": jobs,
            "verbose": int(Console(stderr=True).is_terminal),
            **parse_settings(set_),
        }
        detector = make_system(system, machine, **settings)
        failures = fit_clips(detector, clips, on_error=on_error.value)
        save(detector, out)
    for clip, reason in failures.items():
        complain(f"left out {clip}: {reason}")
    typer.echo(
        f"{out}: fitted on {len(clips) - len(failures)} clips, threshold {-detector.offset_:.6g}"
    )
    if failures:
        raise typer.Exit(SOME_NOT_SCORED)
