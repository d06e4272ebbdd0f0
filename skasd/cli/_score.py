"""``skasd score``: from a model file and recordings to scores."""

import csv
import io
import json
import math
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import numpy as np
import typer
from scipy import stats
from sklearn.base import BaseEstimator
from tqdm.auto import tqdm

from skasd._utils.text import in_utf_8, on_one_line
from skasd.audio._folders import find_clips
from skasd.cli._app import (
    ANOMALY_FOUND,
    NOTHING_DONE,
    SOME_NOT_SCORED,
    app,
    complain,
    nothing_done,
)
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

if TYPE_CHECKING:
    from skasd.ensemble._skipping import ClipScore

VERDICTS = {1: "normal", -1: "anomalous", 0: "not scored"}


@app.command(epilog="Example: skasd score fan.skasd recordings/new --csv > scores.csv")
def score(
    model: ModelFile,
    clips: Annotated[list[Path], typer.Argument(help="Recordings: files or folders.")],
    csv_: Annotated[bool, typer.Option("--csv", help="Comma-separated, with a header.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    jobs: Annotated[int, jobs_option("clips to score")] = 1,
    fail_on_anomaly: FailOnAnomaly = False,
    report: Annotated[
        bool, typer.Option("--report", help="Say at the end whether the machine has changed.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write a page, such as report.html, as skasd report does."
        ),
    ] = None,
    false_alarm_rate: FalseAlarmRate = None,
    key: Key = None,
    fdr: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of the clips called anomalous that may be healthy, on average: for lists "
            "of clips, or of machines.",
        ),
    ] = None,
    force: Force = False,
    on_error: OnErrorOption = OnError.SKIP,
) -> None:
    """Score recordings: one line each, with path, anomaly score, verdict and p-value.

    They are separated by tabs. A higher score is more anomalous; the p-value is the share of
    healthy clips that sound as odd. Clips that are unlike the training clips in rate, bandwidth,
    length or channels are named, and those that are shorter get no verdict. Characters of a path
    that would break a line are escaped; --json and --csv have them. Exit code 3: some clips
    could not be scored. Exit code 1, with --fail-on-anomaly: a clip is anomalous; this takes
    precedence. To score a folder that grows, or to continue after a stop, see skasd monitor.
    """
    from skasd._steps import calibrated
    from skasd.ensemble._skipping import score_clips
    from skasd.persistence._model_file import load, read_info
    from skasd.report._write_report import N_EXPLAINED, check_page, write_scored

    with nothing_done("score"):
        if html is not None:
            check_page(html, N_EXPLAINED)
            try_place(html, replaces=PAGES, what="page", force=force)
        if csv_ and json_:
            raise ValueError("--csv and --json exclude each other. Pass one.")
        if fdr is not None and false_alarm_rate is not None:
            raise ValueError("--fdr and --false-alarm-rate exclude each other. Pass one.")
        detector = load(model, key=key)
        if false_alarm_rate is not None:
            calibrated(detector).set_false_alarm_rate(false_alarm_rate)
        paths = find_clips(clips)
        line = _csv_line if csv_ else _json_line if json_ else _tabbed_line
        if csv_:
            typer.echo("clip,anomaly_score,verdict,p_value,error,note")
        results = []
        # Lines that go to the terminal, through a pipe or not, are the progress themselves.
        hidden = not (sys.stderr.isatty() and _is_file(sys.stdout))
        scores = score_clips(detector, paths, on_error=on_error.value, n_jobs=jobs)
        for result in tqdm(scores, total=len(paths), unit="clip", disable=hidden):
            if fdr is None:
                _write(line(result))
            if result.error is not None:
                # Not with complain, which would write into the progress bar.
                complaint = on_one_line(f"not scored: {result.clip}: {result.error}")
                tqdm.write(complaint, file=sys.stderr)
            if result.note is not None:
                remark = on_one_line(f"unlike the training clips: {result.clip}: {result.note}")
                tqdm.write(remark, file=sys.stderr)
            results.append(result)
        if fdr is not None:
            calibrated(detector)
            results = _control_discoveries(results, fdr)
            for result in results:
                _write(line(result))
        if html is not None:
            write_scored(
                detector,
                paths,
                results,
                html,
                title=model.stem,
                n_jobs=jobs,
                fdr=fdr,
                model_info=read_info(model, key=key),
            )
    could_report = _report(detector, results) if report else True
    if fail_on_anomaly and any(result.prediction == -1 for result in results):
        raise typer.Exit(ANOMALY_FOUND)
    if not could_report:
        raise typer.Exit(NOTHING_DONE)
    if any(result.error is not None for result in results):
        raise typer.Exit(SOME_NOT_SCORED)


def _write(line: str) -> None:
    # Without color=True, what looks like a color in the name of a file is left out.
    typer.echo(line, color=True)


def _control_discoveries(results: list["ClipScore"], fdr: float) -> list["ClipScore"]:
    """Judge all clips together: of those called anomalous, a share `fdr` is healthy on average.

    Benjamini and Hochberg's procedure, which holds for p-values that share their healthy clips:
    Bates et al., "Testing for outliers with conformal p-values", Annals of Statistics 51(1), 2023.
    """
    scored = [result for result in results if result.error is None]
    if not scored:
        return results
    adjusted = stats.false_discovery_control([result.p_value for result in scored])
    predictions = iter(np.where(adjusted <= fdr, -1, 1).tolist())
    return [
        result if result.error is not None else result._replace(prediction=next(predictions))
        for result in results
    ]


def _tabbed_line(result: "ClipScore") -> str:
    verdict = VERDICTS[result.prediction]
    clip = on_one_line(result.clip)
    return f"{clip}\t{result.anomaly_score:.6g}\t{verdict}\t{result.p_value:.3g}"


def _csv_line(result: "ClipScore") -> str:
    text = io.StringIO()
    verdict = VERDICTS[result.prediction]
    clip, error = (None if each is None else in_utf_8(each) for each in (result.clip, result.error))
    # With this line end, the writer quotes all that some reader takes for one.
    csv.writer(text, lineterminator="\r\n").writerow(
        [clip, result.anomaly_score, verdict, result.p_value, error, result.note]
    )
    return text.getvalue().removesuffix("\r\n")


def _json_line(result: "ClipScore") -> str:
    return json.dumps(
        {
            "clip": result.clip,
            "anomaly_score": _or_none(result.anomaly_score),
            "verdict": VERDICTS[result.prediction],
            "p_value": _or_none(result.p_value),
            "error": result.error,
            "note": result.note,
        }
    )


def _or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def _report(detector: BaseEstimator, results: list["ClipScore"]) -> bool:
    """Say whether the machine has changed; return whether that can be said."""
    from skasd._steps import calibrated

    scores = np.array([result.anomaly_score for result in results])
    try:
        complain(calibrated(detector)._report(-scores))
    except (TypeError, ValueError) as error:
        complain(f"skasd score: {error}")
        return False
    return True


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:
        return False
