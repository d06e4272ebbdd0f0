"""The table of ``skasd evaluate``: each section's scores beside what has been published."""

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from skasd.challenge._results import Evaluation

INTERVALS = "in %, with 95 % intervals"

COLUMNS = {
    2020: {"auc": "AUC", "pauc": "pAUC"},
    2021: {
        "auc_source": "AUC source",
        "auc_target": "AUC target",
        "pauc_source": "pAUC source",
        "pauc_target": "pAUC target",
    },
    2022: {
        "auc_source": "AUC source",
        "auc_target": "AUC target",
        "pauc": "pAUC",
    },
}
"""First year → the metrics that are shown since, and their headings."""


def comparison(evaluation: "Evaluation", system: str) -> Table:
    """Lay out the scores of each section, and their averages, next to published ones."""
    if evaluation.year == 2020:
        return _beside_table_2(evaluation, system)
    return _by_domain(evaluation, system)


def _beside_table_2(evaluation: "Evaluation", system: str) -> Table:
    from skasd.challenge._published import SYSTEMS, TABLE_2
    from skasd.metrics._summary import average_scores

    table = Table(
        box=SIMPLE_HEAD,
        title=f"{system}, {INTERVALS}",
        caption="Right: AUC / pAUC as published, Table 2 of the report, development set.",
    )
    _add_columns(table, "machine", "id", *COLUMNS[2020].values(), *SYSTEMS)

    def add(machine: Any, machine_id: Any, scores: Any, published: Any) -> Any:
        figures = [TABLE_2[column].get(published) for column in SYSTEMS]
        table.add_row(
            machine,
            machine_id,
            *(_percent(scores, metric) for metric in COLUMNS[2020]),
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


def _by_domain(evaluation: "Evaluation", system: str) -> Table:
    from skasd.challenge._published_scores import PUBLISHED_SCORES
    from skasd.metrics._domains import official_score

    columns = COLUMNS[2021 if evaluation.year == 2021 else 2022]
    held = PUBLISHED_SCORES.get(evaluation.year, {})
    # The development set's machine types are others, and their figures too.
    published = {
        name: known for name, known in held.items() if known.sections.keys() & evaluation.results
    }
    table = Table(
        box=SIMPLE_HEAD,
        title=f"DCASE {evaluation.year}: {system}, {INTERVALS}",
        caption=_caption(evaluation, bool(published)),
    )
    _add_columns(table, "machine", "section", *columns.values(), "F1", *published)
    for (machine, section), result in evaluation.results.items():
        figures = [known.sections.get((machine, section)) for known in published.values()]
        table.add_row(
            machine,
            section,
            *(_percent(result.scores, metric) for metric in columns),
            _both_f1(result.scores),
            *(" / ".join(f"{number:.1f}" for number in each) if each else "" for each in figures),
        )
    scores = evaluation.labeled_scores()
    if scores:
        table.add_section()
        empty = [""] * len(columns)
        official = [f"{known.official_score:.2f}" for known in published.values()]
        table.add_row("official", "score", f"{100 * official_score(scores):.2f}", *empty, *official)
    return table


def _caption(evaluation: "Evaluation", has_published: bool) -> str:
    from skasd.datasets._years import MACHINE_TYPES

    caption = "F1: source / target, at the threshold."
    machines = {machine for machine, _ in evaluation.labeled_scores()}
    whole = [set(types) for types in MACHINE_TYPES[evaluation.year].values()]
    if machines and machines not in whole:
        caption += " The official score covers these machine types alone, not a whole set."
    if has_published:
        caption += (
            " Right: AUC source / AUC target / pAUC of the baseline's autoencoder on the "
            "evaluation set, as the challenge's evaluator has published them."
        )
    return caption


def _add_columns(table: Table, *headings: str) -> None:
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "machine" else "right")


def _both_f1(scores: dict[str, Any] | None) -> str:
    """Show the F1 score of each domain."""
    if scores is None or "f1_source" not in scores:
        return ""
    return f"{100 * scores['f1_source']:.1f} / {100 * scores['f1_target']:.1f}"


def _percent(scores: dict[str, Any] | None, metric: str) -> str:
    if scores is None or metric not in scores:
        return "no labels"
    if f"{metric}_interval" not in scores:
        return f"{100 * scores[metric]:.1f}"
    low, high = scores[f"{metric}_interval"]
    return f"{100 * scores[metric]:.1f} ({100 * low:.1f} to {100 * high:.1f})"
