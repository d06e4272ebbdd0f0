"""Options that choose a system and its settings."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

SystemName = Annotated[str, typer.Option(help="iaeo3, iaeo3-opt, iaeo3-plus, iae or baseline.")]

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the system, such as epochs=5 or openl3=false. Repeatable.",
    ),
]


def parse_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Read NAME=VALUE of each text, where the value is JSON or, failing that, a string."""
    settings = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: expected NAME=VALUE.")
        try:
            settings[name] = json.loads(value)
        except json.JSONDecodeError:
            settings[name] = value
    return settings
