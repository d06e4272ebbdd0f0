"""Shared code of the commands: the application that they join, exit codes, error messages."""

import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import Annotated, TextIO

import typer

from skasd._version import __version__

ANOMALY_FOUND = 1
NOTHING_DONE = 2
SOME_NOT_SCORED = 3

app = typer.Typer(
    name="skasd",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def complain(text: str) -> None:
    """Write a line to standard error."""
    typer.echo(text, err=True)


@contextmanager
def nothing_done(command: str) -> Iterator[None]:
    """Turn what a user can fix into a complaint and the exit code that says so."""
    try:
        yield
    except (ValueError, OSError, ImportError, BrokenExecutor) as error:
        complain(f"skasd {command}: {error}")
        raise typer.Exit(NOTHING_DONE) from error


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def _complain_of_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    complain(f"warning: {message}")


@app.callback()
def main(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Anomalous sound detection: fit on a healthy machine, score new recordings."""
    # A warning of the library is a line for the user, who did not write the code that it is from.
    context.with_resource(warnings.catch_warnings())
    warnings.showwarning = _complain_of_warning
