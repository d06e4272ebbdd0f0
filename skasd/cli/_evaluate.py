"""``skasd evaluate``: the protocol of DCASE 2020 Task 2."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from skasd.cli._app import SOME_NOT_SCORED, app, complain, nothing_done
from skasd.cli._options import Settings, SystemName, jobs_option, parse_settings

if TYPE_CHECKING:
    from skasd.challenge._evaluation import Evaluation


@app.command(
    epilog="Example: skasd evaluate dev_data --out results --system iaeo3-opt --machines fan,pump"
)
def evaluate(
    root: Annotated[
        Path,
        typer.Argument(help="Folder of the machine types' folders, as unpacked from the archives."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    system: SystemName = "iaeo3",
    machines: Annotated[
        str | None, typer.Option(help="Machine types, such as fan,pump.", show_default="all")
    ] = None,
    ids: Annotated[str | None, typer.Option(help="Ids, such as 00,02.", show_default="all")] = None,
    jobs: Annotated[int, jobs_option("machines to fit")] = 1,
    set_: Settings = None,
    random_state: Annotated[int, typer.Option(help="Seed.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete results of other settings in OUT.")
    ] = False,
) -> None:
    """Run the protocol of DCASE 2020 Task 2, and show the report's figures next to the results.

    Fits and scores each machine type and id under ROOT, and writes the challenge's CSV files.
    If stopped and started again, it continues with the next machine.
    """
    from skasd.challenge._evaluation import evaluate_dcase2020

    with nothing_done("evaluate"):
        evaluation = evaluate_dcase2020(
            root,
            out,
            system,
            machines=_split(machines),
            machine_ids=_split(ids),
            settings=parse_settings(set_),
            random_state=random_state,
            overwrite=overwrite,
            n_jobs=jobs,
            verbose=sys.stderr.isatty(),
        )
    if evaluation.results:
        console = Console(width=None if sys.stdout.isatty() else 120)
        with console.capture() as table:
            console.print(_comparison(evaluation, system), highlight=False)
        # Not by the console, which would end with the exit code of an anomaly if nobody reads.
        typer.echo(table.get(), nl=False)
    for (machine, machine_id), result in evaluation.results.items():
        for clip, problem in result.failed_clips.items():
            complain(f"{machine} id_{machine_id}: left out {clip}: {problem}")
    for (machine, machine_id), reason in evaluation.not_evaluated.items():
        complain(f"{machine} id_{machine_id}: not evaluated. {reason}")
    if not evaluation.complete:
        raise typer.Exit(SOME_NOT_SCORED)


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",")]


def _comparison(evaluation: "Evaluation", system: str) -> Table:
    """Lay out AUC and pAUC of each machine, and the averages, next to the report's Table 2."""
    from skasd.challenge._published import SYSTEMS, TABLE_2
    from skasd.metrics._summary import average_scores

    table = Table(
        box=SIMPLE_HEAD,
        title=f"{system}, in %, with 95 % bootstrap intervals",
        caption="Right: AUC / pAUC as published, Table 2 of the report, development set.",
    )
    for heading in ("machine", "id", "AUC", "pAUC", *SYSTEMS):
        table.add_column(heading, justify="left" if heading == "machine" else "right")

    def add(machine: Any, machine_id: Any, scores: Any, published: Any) -> Any:
        figures = [TABLE_2[column].get(published) for column in SYSTEMS]
        table.add_row(
            machine,
            machine_id,
            *(_percent(scores, metric) for metric in ("auc", "pauc")),
            *("{:.1f} / {:.1f}".format(*pair) if pair else "" for pair in figures),
        )

    scores = evaluation.labeled_scores()
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
