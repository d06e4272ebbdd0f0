"""``skasd info``: the description of the detector in a model file."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from skasd.cli._app import app, nothing_done
from skasd.cli._options import ModelFile


@app.command(epilog="Example: skasd info fan.skasd")
def info(
    model: ModelFile,
    json_: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show how a model was fitted: its clips, settings and versions."""
    from skasd.persistence._model_file import read_info

    with nothing_done("info"):
        info = read_info(model)
    if json_:
        typer.echo(json.dumps(asdict(info), indent=1))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("detector", info.detector)
    table.add_row("saved", info.created)
    table.add_row("training clips", "unknown" if info.n_clips is None else str(info.n_clips))
    if info.recordings is not None:
        table.add_row("trained on", info.recordings["summary"])
    table.add_row("threshold", f"{info.threshold:.6g}")
    for share, anomaly_score in (info.training_quantiles or {}).items():
        table.add_row(f"{100 * float(share):g} % of them below", f"{anomaly_score:.6g}")
    for name, version in info.versions.items():
        table.add_row(name, version)
    for name, value in info.settings.items():
        table.add_row(name, str(value))
    Console(soft_wrap=True).print(table, highlight=False, markup=False)
