"""The command line.

Results go to standard output, progress and complaints to standard error. Exit codes: 0, all was
done; 2, wrong usage; 3, something could not be scored, and the rest was.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import skasd

if TYPE_CHECKING:
    from skasd.evaluation import Evaluation

app = typer.Typer(
    name="skasd",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SOME_NOT_SCORED = 3


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(skasd.__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Anomalous sound detection: fit on a healthy machine, score new recordings."""


@app.command()
def evaluate(
    root: Annotated[
        Path,
        typer.Argument(help="Folder of the machine types' folders, as the archives unpack."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    system: Annotated[
        str, typer.Option(help="iaeo3, iaeo3-opt, iaeo3-plus, iae or baseline.")
    ] = "iaeo3",
    machines: Annotated[
        str | None, typer.Option(help="Machine types, such as fan,pump.  [default: all]")
    ] = None,
    ids: Annotated[str | None, typer.Option(help="Ids, such as 00,02.  [default: all]")] = None,
    jobs: Annotated[int, typer.Option(help="Machines that are fitted at the same time.")] = 1,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting of the system, such as epochs=5 or openl3=false. Repeatable.",
        ),
    ] = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Drop results of other settings in OUT.")
    ] = False,
) -> None:
    """Run the protocol of DCASE 2020 Task 2, and show the report's figures beside the result.

    Fits and scores each machine type and id under ROOT, and writes the challenge's CSV files.
    Stopped, and started again, it goes on with the next machine.
    """
    from skasd.evaluation import evaluate_dcase2020

    try:
        evaluation = evaluate_dcase2020(
            root,
            out,
            system,
            machines=_split(machines),
            machine_ids=_split(ids),
            settings=dict(_parse_setting(text) for text in set_ or ()),
            random_state=random_state,
            overwrite=overwrite,
            n_jobs=jobs,
            verbose=Console(stderr=True).is_terminal,
        )
    except ValueError as error:
        typer.echo(f"skasd evaluate: {error}", err=True)
        raise typer.Exit(2) from error
    if evaluation.results:
        width = None if Console().is_terminal else 120
        Console(width=width).print(_comparison(evaluation, system), highlight=False)
    for (machine, machine_id), result in evaluation.results.items():
        for clip, problem in result.failed_clips.items():
            typer.echo(f"{machine} id_{machine_id}: left out {clip}: {problem}", err=True)
    for (machine, machine_id), reason in evaluation.not_evaluated.items():
        typer.echo(f"{machine} id_{machine_id}: not evaluated. {reason}", err=True)
    if not evaluation.complete:
        raise typer.Exit(SOME_NOT_SCORED)


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",")]


def _parse_setting(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE, where the value is JSON or, failing that, a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set {text}: expected NAME=VALUE.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _comparison(evaluation: "Evaluation", system: str) -> Table:
    """Lay out AUC and pAUC of each machine, and the averages, beside the report's Table 2."""
    from skasd.metrics import average_scores
    from skasd.published import SYSTEMS, TABLE_2

    table = Table(
        box=SIMPLE_HEAD,
        title=f"{system}, in %, with 95 % intervals by bootstrap",
        caption="Right: AUC / pAUC as published, Table 2 of the report, development set.",
    )
    for heading in ("machine", "id", "AUC", "pAUC", *SYSTEMS):
        table.add_column(heading, justify="left" if heading == "machine" else "right")

    def add(machine, machine_id, scores, published):
        figures = [TABLE_2[column].get(published) for column in SYSTEMS]
        table.add_row(
            machine,
            machine_id,
            *(_percent(scores, metric) for metric in ("auc", "pauc")),
            *("{:.1f} / {:.1f}".format(*pair) if pair else "" for pair in figures),
        )

    scores = evaluation.labelled_scores()
    averages = average_scores(scores) if scores else None
    for machine in dict.fromkeys(machine for machine, _ in evaluation.results):
        for (name, machine_id), result in evaluation.results.items():
            if name == machine:
                add(machine, machine_id, result.scores, (machine, machine_id))
        if averages and machine in averages.by_machine:
            add("", "average", averages.by_machine[machine], (machine, "Avg"))
        table.add_section()
    if averages:
        add("all ids", "average", averages.over_ids, ("Total", "Avg"))
        add("all types", "average", averages.over_machines, None)
    return table


def _percent(scores: dict[str, Any] | None, metric: str) -> str:
    if scores is None:
        return "no labels"
    if f"{metric}_interval" not in scores:
        return f"{100 * scores[metric]:.1f}"
    low, high = scores[f"{metric}_interval"]
    return f"{100 * scores[metric]:.1f} ({100 * low:.1f} to {100 * high:.1f})"
