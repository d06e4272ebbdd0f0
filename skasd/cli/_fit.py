"""``skasd fit``: from recordings of a healthy machine to a model file."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from skasd.audio._folders import find_healthy_clips
from skasd.cli._app import SOME_NOT_SCORED, app, complain, nothing_done, say
from skasd.cli._options import (
    FalseAlarmRate,
    Force,
    Key,
    OnError,
    OnErrorOption,
    Settings,
    SystemName,
    TakeAll,
    jobs_option,
    parse_settings,
)
from skasd.cli._places import MODELS, try_place


@app.command(
    epilog="Example: skasd fit recordings/healthy -o fan.skasd --set n_fft=2048 --set n_mels=64"
)
def fit(
    healthy: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings of the healthy machine: files or folders."),
    ] = None,
    target: Annotated[
        list[Path] | None,
        typer.Option(
            help="A few recordings of the healthy machine elsewhere: another microphone, season or "
            "product. The threshold then holds for both. Repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The model file, such as fan.skasd.")
    ] = None,
    system: SystemName = "views",
    machine: Annotated[
        str | None, typer.Option(help="Machine type whose settings iaeo3-opt uses.")
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            help="Which of several channels is heard: mean, an index from 0, or near-far: the "
            "first microphone, less what the second one hears; far-near: the other way around.",
            show_default="mean",
        ),
    ] = None,
    set_: Settings = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    jobs: Annotated[int, jobs_option("views, or members, to fit")] = 1,
    false_alarm_rate: FalseAlarmRate = None,
    on_error: OnErrorOption = OnError.SKIP,
    take_all: TakeAll = False,
    key: Key = None,
    force: Force = False,
    settings_: Annotated[
        bool,
        typer.Option(
            "--settings", help="List what --set takes for the system, with its defaults, and stop."
        ),
    ] = False,
) -> None:
    """Fit a detector on recordings of a healthy machine, and save it.

    The default system compares several views of a clip with those of the healthy ones, and takes
    seconds. The threshold comes from clips that were left out. Clips that sound unlike all others
    are named: a fault among them should be taken out. Exit code 3: some clips could not be
    analyzed, and the model was fitted on the others.
    """
    from skasd._steps import clip_steps
    from skasd.detection._calibration import in_words
    from skasd.ensemble._skipping import fit_clips
    from skasd.persistence._model_file import save
    from skasd.systems._by_name import make_system, settings_of

    if settings_:
        with nothing_done("fit"):
            for name, value in settings_of(system, machine).items():
                say(f"{name}={_as_typed(value)}")
        return
    if not healthy:
        raise typer.BadParameter("pass recordings of the healthy machine.", param_hint="HEALTHY")
    if out is None:
        raise typer.BadParameter("pass a file for the model.", param_hint="--out")
    with nothing_done("fit"):
        settings = {
            "random_state": random_state,
            "n_jobs": jobs,
            "verbose": int(sys.stderr.isatty()),
            **parse_settings(set_),
        }
        if channel is not None:
            settings["channel"] = int(channel) if channel.isdecimal() else channel
        if false_alarm_rate is not None:
            settings["contamination"] = false_alarm_rate
        detector = make_system(system, machine, **settings)
        if not clip_steps(detector, fitted=False):
            raise ValueError("These settings make a system that takes no recordings.")
        try_place(out, replaces=MODELS, what="model", force=force)
        clips, domain = find_healthy_clips(healthy, take_all=take_all), None
        if target:
            of_target = find_healthy_clips(target, take_all=take_all)
            if in_both := set(clips) & set(of_target):
                raise ValueError(f"{min(in_both)} is given as HEALTHY and as --target: choose one.")
            domain = ["source"] * len(clips) + ["target"] * len(of_target)
            clips += of_target
        failures = fit_clips(detector, clips, domain=domain, on_error=on_error.value)
        save(detector, out, key=key)
    for clip, reason in failures.items():
        complain(f"left out {clip}: {reason}")
    used = [clip for clip in clips if clip not in failures]
    for index in detector.suspicious_training_clips():
        complain(
            f"unlike the others: {used[index]}. Listen to it, and fit without it if it is a fault."
        )
    say(
        f"{out}: fitted on {len(used)} clips, threshold {-detector.offset_:.6g}: "
        f"{in_words(detector.contamination, 0)}"
    )
    if failures:
        raise typer.Exit(SOME_NOT_SCORED)


def _as_typed(value: Any) -> str:
    """Write a value as --set takes it."""
    return value if isinstance(value, str) else json.dumps(value, default=repr)
