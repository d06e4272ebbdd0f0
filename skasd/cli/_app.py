"""Shared code of the commands: the application that they join, exit codes, error messages."""

import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

from skasd._utils.text import on_one_line
from skasd._version import __version__

ANOMALY_FOUND = 1
NOTHING_DONE = 2
SOME_NOT_SCORED = 3
NOBODY_READS = 141
"""What a shell says of a program that SIGPIPE has ended: 128 and its number."""


SUMMARIES = {
    "calibrate": "Set a model's threshold by new healthy recordings, without another fit.",
    "check": "Look at recordings before a detector is fitted on them, and say what is wrong with "
    "them.",
    "evaluate": "Run the protocol of a year's DCASE challenge, and show published figures beside "
    "the results.",
    "explain": "Show when, in which bands and by which branch of the detector a recording is "
    "unusual.",
    "fit": "Fit a detector on recordings of a healthy machine, and save it.",
    "info": "Show what a model is: its detector, clips, threshold and versions.",
    "monitor": "Monitor a machine: one line of JSON for each window, or for each clip in a folder.",
    "report": "Score recordings, and write a page about them: one file, which opens offline.",
    "score": "Score recordings: one line each, with path, anomaly score, verdict and p-value.",
}
"""Command → first line of its help, so that listing the commands imports none of them."""


class Commands(TyperGroup):
    """The commands: each joins when it is called, and none ends with a misleading exit code."""

    def list_commands(self, context: Any) -> list[str]:
        """Return their names."""
        return list(SUMMARIES)

    def get_command(self, context: Any, name: str) -> Any:
        """Return a command; its module is imported now."""
        if name in SUMMARIES and name not in self.commands:
            import_module(f"skasd.cli._{name}")
            self.commands = typer.main.get_group(app).commands
            for command in self.commands.values():
                # A paragraph is broken where the terminal ends, not where its source does.
                paragraphs = (command.help or "").split("\n\n")
                command.help = "\n\n".join(" ".join(each.split()) for each in paragraphs)
        return super().get_command(context, name)

    def format_help(self, context: Any, formatter: Any) -> None:
        """List the commands by their summaries."""
        self.commands = {name: TyperCommand(name, help=text) for name, text in SUMMARIES.items()}
        super().format_help(context, formatter)

    def invoke(self, context: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(context)
        except BrokenPipeError as error:
            _drop_output()
            raise typer.Exit(NOBODY_READS) from error
        except Exception as error:
            if hasattr(error, "exit_code") or isinstance(error, typer.Abort):
                raise
            # Python's own exit code would be that of an anomaly.
            traceback.print_exc()
            complain("skasd: this is a defect of skasd. Please report it, with the lines above.")
            raise typer.Exit(NOTHING_DONE) from error


app = typer.Typer(
    name="skasd",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def say(text: object) -> None:
    """Write a line to standard output."""
    typer.echo(on_one_line(text))


def complain(text: object) -> None:
    """Write a line to standard error."""
    typer.echo(on_one_line(text), err=True)


@contextmanager
def nothing_done(command: str) -> Iterator[None]:
    """Turn what a user can fix into a complaint and the exit code that says so."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError, ImportError, MemoryError, BrokenExecutor) as error:
        complain(f"skasd {command}: {error or type(error).__name__}")
        raise typer.Exit(NOTHING_DONE) from error


def _drop_output() -> None:
    """Let Python find nothing to complain of when it writes the rest of its buffers at its end."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


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
    if hasattr(sys.stdout, "reconfigure"):
        # A name that the terminal's encoding does not have is escaped, and ends no run.
        sys.stdout.reconfigure(errors="backslashreplace")
    # A warning of the library is a line for the user, who did not write the code that it is from.
    context.with_resource(warnings.catch_warnings())
    warnings.showwarning = _complain_of_warning
