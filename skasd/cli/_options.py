"""Options and arguments that commands share."""

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
    str, typer.Option(help="views, iaeo3, iaeo3-opt, iaeo3-plus, iae or baseline.")
]

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the system, such as epochs=5 or openl3=false. Repeatable.",
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
    """Parse texts of the form NAME=VALUE; each value is JSON or, failing that, a string."""
    settings: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: expected NAME=VALUE.")
        try:
            settings[name] = json.loads(value)
        except json.JSONDecodeError:
            settings[name] = value
    return settings
