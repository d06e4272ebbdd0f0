"""``skasd report``: a page about recordings, for whoever looks after the machine."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tqdm.auto import tqdm

from skasd.audio._folders import find_clips
from skasd.cli._app import ANOMALY_FOUND, SOME_NOT_SCORED, app, complain, nothing_done, say
from skasd.cli._options import (
    FailOnAnomaly,
    FalseAlarmRate,
    Force,
    Key,
    ModelFile,
    OnError,
    OnErrorOption,
    jobs_option,
)
from skasd.cli._places import PAGES, try_place


@app.command(
    epilog="Example: skasd report fan.skasd recordings/new -o fan.html --compare recordings/healthy"
)
def report(
    model: ModelFile,
    clips: Annotated[list[Path], typer.Argument(help="Recordings: files or folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page, such as report.html.")],
    compare: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="HEALTHY",
            help="Recordings of the healthy machine, a file or folder: the most similar ones are "
            "played beside each anomalous clip. Repeatable.",
        ),
    ] = None,
    explain: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Number of anomalous clips to explain and play, the oddest first.",
        ),
    ] = 10,
    title: Annotated[
        str | None,
        typer.Option(help="Heading, such as the machine's name.", show_default="the model's name"),
    ] = None,
    jobs: Annotated[int, jobs_option("clips to score")] = 1,
    fail_on_anomaly: FailOnAnomaly = False,
    false_alarm_rate: FalseAlarmRate = None,
    key: Key = None,
    force: Force = False,
    on_error: OnErrorOption = OnError.SKIP,
) -> None:
    """Score recordings, and write a page about them: one file, which opens offline.

    It has the verdict of the batch, a table of the clips, and for the oddest anomalous ones a
    player, a picture of when and in which bands they are unusual, and what that means; how the
    batch compares with the training clips; what could not be scored and why. Pictures need
    matplotlib; there are none with --explain 0. Exit code 3: some clips could not be scored. Exit
    code 1, with --fail-on-anomaly: a clip is anomalous; this takes precedence.
    """
    from skasd._steps import calibrated
    from skasd.ensemble._skipping import score_clips
    from skasd.persistence._model_file import load, read_info
    from skasd.report._write_report import check_page, write_scored

    with nothing_done("report"):
        check_page(out, explain)
        try_place(out, replaces=PAGES, what="page", force=force)
        detector = load(model, key=key)
        if false_alarm_rate is not None:
            calibrated(detector).set_false_alarm_rate(false_alarm_rate)
        paths = find_clips(clips)
        healthy = None if compare is None else find_clips(compare)
        scores = score_clips(detector, paths, on_error=on_error.value, n_jobs=jobs)
        hidden = not Console(stderr=True).is_terminal
        results = list(tqdm(scores, total=len(paths), unit="clip", disable=hidden))
        verdict = write_scored(
            detector,
            paths,
            results,
            out,
            healthy=healthy,
            n_explained=explain,
            title=title or model.stem,
            n_jobs=jobs,
            model_info=read_info(model, key=key),
        )
    for result in results:
        if result.error is not None:
            complain(f"not scored: {result.clip}: {result.error}")
    say(f"{out}: {verdict}")
    if fail_on_anomaly and any(result.prediction == -1 for result in results):
        raise typer.Exit(ANOMALY_FOUND)
    if any(result.error is not None for result in results):
        raise typer.Exit(SOME_NOT_SCORED)
