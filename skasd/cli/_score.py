"""``skasd score``: from a model file and recordings to scores."""

import csv
import io
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from sklearn.base import BaseEstimator
from tqdm.auto import tqdm

from skasd.audio._clips import find_clips
from skasd.cli._app import ANOMALY_FOUND, SOME_NOT_SCORED, app, complain, nothing_done
from skasd.cli._options import FailOnAnomaly, ModelFile, OnError, OnErrorOption

if TYPE_CHECKING:
    from skasd.ensemble._skipping import ClipScore

VERDICTS = {1: "normal", -1: "anomalous", 0: "not scored"}


@app.command(epilog="Example: skasd score fan.skasd recordings/new --csv > scores.csv")
def score(
    model: ModelFile,
    clips: Annotated[list[Path], typer.Argument(help="Recordings: files or folders.")],
    csv_: Annotated[bool, typer.Option("--csv", help="Comma-separated, with a header.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    jobs: Annotated[int, typer.Option(help="Number of clips to score at the same time.")] = 1,
    fail_on_anomaly: FailOnAnomaly = False,
    report: Annotated[
        bool, typer.Option("--report", help="Say at the end whether the machine has changed.")
    ] = False,
    on_error: OnErrorOption = OnError.SKIP,
) -> None:
    """Score recordings: one line each, with path, anomaly score and verdict, separated by tabs.

    Higher is more anomalous. Exit code 3: some clips could not be scored, but the others were.
    Exit code 1, with --fail-on-anomaly: a clip is anomalous; this takes precedence. To score a
    folder that grows, or to continue after a stop, see skasd monitor.
    """
    from skasd.ensemble._skipping import score_clips
    from skasd.persistence._model_file import load

    with nothing_done("score"):
        if csv_ and json_:
            raise ValueError("--csv and --json exclude each other. Pass one.")
        detector = load(model)
        paths = find_clips(clips)
        line = _csv_line if csv_ else _json_line if json_ else _tabbed_line
        if csv_:
            typer.echo("clip,anomaly_score,verdict,error")
        results = []
        # If the lines themselves go to the terminal, they are the progress.
        hidden = Console().is_terminal or not Console(stderr=True).is_terminal
        scores = score_clips(detector, paths, on_error=on_error.value, n_jobs=jobs)
        for result in tqdm(scores, total=len(paths), unit="clip", disable=hidden):
            typer.echo(line(result))
            if result.error is not None:
                # Not with complain, which would write into the progress bar.
                tqdm.write(f"not scored: {result.clip}: {result.error}", file=sys.stderr)
            results.append(result)
        if report:
            complain(_report(detector, results))
    if fail_on_anomaly and any(result.prediction == -1 for result in results):
        raise typer.Exit(ANOMALY_FOUND)
    if any(result.error is not None for result in results):
        raise typer.Exit(SOME_NOT_SCORED)


def _tabbed_line(result: "ClipScore") -> str:
    return f"{result.clip}\t{result.anomaly_score:.6g}\t{VERDICTS[result.prediction]}"


def _csv_line(result: "ClipScore") -> str:
    text = io.StringIO()
    verdict = VERDICTS[result.prediction]
    csv.writer(text, lineterminator="").writerow(
        [result.clip, result.anomaly_score, verdict, result.error]
    )
    return text.getvalue()


def _json_line(result: "ClipScore") -> str:
    anomaly_score = None if math.isnan(result.anomaly_score) else result.anomaly_score
    fields = {"clip": result.clip, "anomaly_score": anomaly_score}
    return json.dumps({**fields, "verdict": VERDICTS[result.prediction], "error": result.error})


def _report(detector: BaseEstimator, results: list["ClipScore"]) -> str:
    from skasd._steps import last_step, threshold_of
    from skasd.detection._score_report import ScoreReport

    last = last_step(detector)
    if not hasattr(last, "training_scores_"):
        raise ValueError(f"{type(last).__name__} has no training scores to report on.")
    scores = [result.anomaly_score for result in results]
    return str(
        ScoreReport.compare(-last.training_scores_, scores, threshold=threshold_of(detector))
    )
