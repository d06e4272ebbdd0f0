"""``skasd explain``: when, in which bands and by which features a recording is unusual."""

from pathlib import Path
from typing import Annotated

import typer

from skasd.cli._app import SOME_NOT_SCORED, app, complain, nothing_done, say
from skasd.cli._options import Force, Key, ModelFile
from skasd.cli._places import PICTURES, try_place

FORMATS = ("", ".png", ".pdf", ".svg")


@app.command(epilog="Example: skasd explain fan.skasd odd.wav -o odd.png")
def explain(
    model: ModelFile,
    clip: Annotated[Path, typer.Argument(help="A recording.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Also draw a picture: .png, .pdf or .svg; needs matplotlib."
        ),
    ] = None,
    force: Force = False,
    key: Key = None,
) -> None:
    """Show when, in which bands and by which branch of the detector a recording is unusual.

    Exit code 3: the recording cannot be analyzed.
    """
    from skasd._utils.files import write_whole
    from skasd.exceptions import AudioError
    from skasd.inspection._error_map_display import ErrorMapDisplay
    from skasd.inspection._explanation import explain as explain_clip
    from skasd.persistence._model_file import load

    with nothing_done("explain"):
        if out is not None:
            if out.suffix.lower() not in FORMATS:
                raise ValueError(f"{out} ends in {out.suffix}: expected .png, .pdf or .svg.")
            try_place(out, replaces=PICTURES, what="picture", force=force)
        detector = load(model, key=key)
        try:
            explanation = explain_clip(detector, str(clip))
        except AudioError as error:
            complain(f"not explained: {error}")
            raise typer.Exit(SOME_NOT_SCORED) from error
        say(f"{clip}: {explanation}")
        if out is not None:
            figure = ErrorMapDisplay(explanation).plot().figure_
            with write_whole(out) as file:
                figure.savefig(file, format=out.suffix.lower().lstrip(".") or "png", dpi=110)
