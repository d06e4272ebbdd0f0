"""``skasd evaluate``: the protocol of the DCASE challenge's anomaly task, of every year."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from skasd.cli._app import SOME_NOT_SCORED, app, complain, nothing_done
from skasd.cli._options import Settings, SystemName, jobs_option, parse_settings

if TYPE_CHECKING:
    from skasd.challenge._results import Evaluation


@app.command(
    epilog="Example: skasd evaluate dev_data --out results --system iaeo3-opt --machines fan,pump"
)
def evaluate(
    root: Annotated[
        Path,
        typer.Argument(help="Folder of the machine types' folders, as unpacked from the archives."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    year: Annotated[
        int | None,
        typer.Option(help="The challenge's year, 2020 to 2026.", show_default="found out"),
    ] = None,
    system: SystemName = "iaeo3",
    machines: Annotated[
        str | None, typer.Option(help="Machine types, such as fan,pump.", show_default="all")
    ] = None,
    sections: Annotated[
        str | None,
        typer.Option("--sections", "--ids", help="Sections or ids: 00,02.", show_default="all"),
    ] = None,
    fit_on: Annotated[
        str | None,
        typer.Option(
            help="Clips of a model: all sections of a machine type (machine), or one (section).",
            show_default="as the year's baseline",
        ),
    ] = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the challenge's lists of labels, such as eval_data_list_2024.csv.",
            show_default="beside the clips",
        ),
    ] = None,
    jobs: Annotated[int, jobs_option("models to fit")] = 1,
    set_: Settings = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete results of other settings in OUT.")
    ] = False,
) -> None:
    """Run the protocol of a year's DCASE challenge, and show published figures beside the results.

    Fits and scores each machine type and section under ROOT, writes the challenge's CSV files and,
    if the labels are known, the official score. If stopped and started again, it continues with
    the next model.
    """
    from skasd.challenge._evaluation import evaluate_dcase
    from skasd.challenge._protocol import identifier_of
    from skasd.cli._evaluation_table import comparison

    with nothing_done("evaluate"):
        evaluation = evaluate_dcase(
            root,
            out,
            system,
            year=year,
            machines=_split(machines),
            sections=_split(sections),
            fit_on=fit_on,
            ground_truth=ground_truth,
            settings=parse_settings(set_),
            random_state=random_state,
            overwrite=overwrite,
            n_jobs=jobs,
            verbose=sys.stderr.isatty(),
        )
    if evaluation.results:
        console = Console(width=None if sys.stdout.isatty() else 160)
        with console.capture() as table:
            console.print(comparison(evaluation, system), highlight=False)
        # Not by the console, which would end with the exit code of an anomaly if nobody reads.
        typer.echo(table.get(), nl=False)
    _complain_of(evaluation, identifier_of(evaluation.year))
    if not evaluation.complete:
        raise typer.Exit(SOME_NOT_SCORED)


def _complain_of(evaluation: "Evaluation", identifier: str) -> None:
    """List the clips and the sections that were left out, each clip once."""
    told = set()
    for (machine, section), result in evaluation.results.items():
        for clip, problem in result.failed_clips.items():
            if clip not in told:
                complain(f"{machine} {identifier}_{section}: left out {clip}: {problem}")
            told.add(clip)
    for (machine, section), reason in evaluation.not_evaluated.items():
        complain(f"{machine} {identifier}_{section}: not evaluated. {reason}")


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",")]
