"""Options and arguments that commands share."""

import ast
import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

ModelFile = Annotated[
    Path, typer.Argument(dir_okay=False, help="A file that skasd fit has written.")
]
FailOnAnomaly = Annotated[
    bool, typer.Option("--fail-on-anomaly", help="Exit code 1 if a clip is anomalous.")
]

SystemName = Annotated[
    str,
    typer.Option(
        help="views, iaeo3, iaeo3-opt, iaeo3-plus, iae, baseline or baseline-mahalanobis."
    ),
]

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the system, such as epochs=5 or openl3=false. Repeatable; skasd fit "
        "--settings lists them.",
    ),
]

Force = Annotated[
    bool, typer.Option("--force", help="Overwrite a file, even if skasd did not write it.")
]

TakeAll = Annotated[
    bool,
    typer.Option("--all", help="Take all recordings, even those whose names say anomaly or test."),
]


def _check_jobs(jobs: int) -> int:
    if jobs == 0:
        raise typer.BadParameter("expected 1 or more, or -1 for as many as there are cores.")
    return jobs


def jobs_option(what: str) -> Any:
    """Return the option for a number of things that are done at the same time."""
    return typer.Option("--jobs", help=f"Number of {what} at the same time.", callback=_check_jobs)


def _read_key(path: str) -> bytes | None:
    from skasd.persistence._container import as_key

    try:
        return as_key(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path}: {error}") from error


Key = Annotated[
    bytes | None,
    typer.Option(
        metavar="FILE",
        parser=_read_key,
        envvar="SKASD_MODEL_KEY_FILE",
        help="A file whose bytes are the key by which model files say who wrote them. A model that "
        "is read must have been saved with it; one that is written is saved with it.",
    ),
]

FalseAlarmRate = Annotated[
    float | None,
    typer.Option(
        "--false-alarm-rate",
        metavar="RATE",
        help="Share of healthy clips that may be called anomalous, such as 0.01.",
        show_default="as fitted, 0.1 unless set",
    ),
]


class OnError(StrEnum):
    """The way to handle a clip that cannot be analyzed."""

    SKIP = "skip"
    RAISE = "raise"


OnErrorOption = Annotated[
    OnError,
    typer.Option(
        help="If a clip cannot be analyzed: leave it out and list it (skip), or stop with an error "
        "(raise)."
    ),
]


def parse_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Parse texts of the form NAME=VALUE; each value is as JSON or Python writes it, or a string.

    Examples
    --------
    >>> from skasd.cli._options import parse_settings
    >>> parse_settings(["openl3=False", "cv=null", "epochs=5", "channel=mean"])
    {'openl3': False, 'cv': None, 'epochs': 5, 'channel': 'mean'}
    """
    settings: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ValueError(f"--set {text}: expected NAME=VALUE.")
        if name == "machine":
            raise ValueError(f"--set {text}: pass --machine {value}.")
        settings[name] = _parse_value(value)
    return settings


def _parse_value(text: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text
