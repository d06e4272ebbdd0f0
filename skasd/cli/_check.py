"""``skasd check``: a look at recordings before a detector is fitted on them."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tqdm.auto import tqdm

from skasd.audio._folders import find_clips
from skasd.cli._app import ANOMALY_FOUND, SOME_NOT_SCORED, app, complain, nothing_done, say
from skasd.cli._options import Force
from skasd.cli._places import PAGES, try_place


@app.command(epilog="Example: skasd check recordings/healthy --html recordings.html")
def check(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings of one machine: files or folders.")
    ],
    json_: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page, such as check.html.")
    ] = None,
    fail_on_finding: Annotated[
        bool, typer.Option("--fail-on-finding", help="Exit code 1 if anything is wrong.")
    ] = False,
    force: Force = False,
) -> None:
    """Look at recordings before a detector is fitted on them, and say what is wrong with them.

    Rates, lengths, channels, formats; clips that cannot be read; bandwidth, silence, dropouts,
    clipping, offsets, levels; channels that are dead or cancel each other; copies; clips that sound
    unlike all others; anomalies by their name. Exit code 3: some clips cannot be read. Exit code 1,
    with --fail-on-finding: something is wrong; this takes precedence.
    """
    from skasd.audio._check_recordings import check_recordings
    from skasd.report._write_recordings import write_recordings

    with nothing_done("check"):
        if html is not None:
            try_place(html, replaces=PAGES, what="page", force=force)
        hidden = not Console(stderr=True).is_terminal
        report = check_recordings(
            find_clips(recordings), progress=lambda clips: tqdm(clips, unit="clip", disable=hidden)
        )
        if html is not None:
            write_recordings(report, html)
        if json_:
            typer.echo(json.dumps(report.as_dict(), indent=1))
        for line in () if json_ else str(report).splitlines():
            say(line)
    for clip in report.unread:
        complain(f"not read: {clip}")
    if fail_on_finding and report.findings:
        raise typer.Exit(ANOMALY_FOUND)
    if report.unread:
        raise typer.Exit(SOME_NOT_SCORED)
