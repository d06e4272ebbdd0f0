"""``skasd info``: the description of the detector in a model file."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skasd.cli._app import app, nothing_done, say
from skasd.cli._options import Key, ModelFile

if TYPE_CHECKING:
    from skasd.persistence._model_info import ModelInfo


@app.command(epilog="Example: skasd info fan.skasd")
def info(
    model: ModelFile,
    json_: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Also show all settings.")] = False,
    key: Key = None,
) -> None:
    """Show what a model is: its detector, clips, threshold and versions."""
    from skasd.persistence._model_file import read_info

    with nothing_done("info"):
        info = read_info(model, key=key)
    if json_:
        typer.echo(json.dumps(asdict(info), indent=1))
        return
    rows = _summary(info)
    if all_:
        rows |= {name: _as_text(value) for name, value in info.settings.items()}
    width = max(map(len, rows))
    for name, text in rows.items():
        say(f"{name:{width}}  {text}")


def _summary(info: "ModelInfo") -> dict[str, str]:
    from skasd.detection._calibration import in_words

    rate = _false_alarm_rate(info.settings)
    n_clips = "unknown" if info.n_clips is None else str(info.n_clips)
    rows = {
        "detector": info.detector,
        "saved": info.created,
        "trained on": n_clips if info.recordings is None else info.recordings["summary"],
        "threshold": f"{info.threshold:.6g}" + ("" if rate is None else f": {in_words(rate, 0)}"),
    }
    if info.training_quantiles:
        quantiles = info.training_quantiles.items()
        texts = [f"{score:.6g} ({100 * float(share):g} %)" for share, score in quantiles]
        rows["healthy clips"] = "score up to " + ", ".join(texts)
    versions = [f"{name} {version}" for name, version in info.versions.items()]
    return rows | {"versions": ", ".join(versions)}


def _false_alarm_rate(settings: dict[str, Any]) -> float | None:
    """Return the contamination of the step that decides, which has the shortest name of all."""
    names = [name for name in settings if name.split("__")[-1] == "contamination"]
    rate = settings[min(names, key=lambda name: name.count("__"))] if names else None
    return rate if isinstance(rate, float) else None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
