"""``result.csv``: metrics of all sections and their means, as each year's evaluator writes them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from skasd.challenge._files import to_csv
from skasd.metrics._domains import official_score
from skasd.metrics._labels import DOMAINS
from skasd.metrics._summary import average_scores, harmonic_mean

Scores = Mapping[tuple[str, str], Mapping[str, Any]]
"""Machine type and section → the result of `evaluate_domains` or, in 2020, `evaluate`."""

_AREAS = ("auc", "pauc")
_JUDGEMENTS = ("precision", "recall", "f1")
_METRICS = (*_AREAS, *_JUDGEMENTS)
_HEADINGS = {
    "auc": "AUC",
    "pauc": "pAUC",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1 score",
}
_OF_BOTH = ("auc", "auc_source", "auc_target", "pauc")

_MEANS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "arithmetic mean": lambda values: float(np.mean(values)),
    "harmonic mean": harmonic_mean,
}
_OVER_ALL = "over all machine types, sections, and domains"


def result_csv(year: int, scores: Scores) -> str:
    """Return the text of ``result.csv``.

    Parameters
    ----------
    year : int
        The challenge's year.
    scores : mapping of (machine type, section) to mapping of str to float
        The metrics of each section whose labels are known.

    Returns
    -------
    str
        AUC and pAUC of each id and their averages (2020); all metrics of each section and domain
        and their means (2021); the same with the AUC of each domain against all anomalous clips,
        and the official score (since 2022).
    """
    if year == 2020:
        return to_csv(_rows_2020(scores))
    rows: list[Sequence[Any]] = []
    for machine in dict.fromkeys(machine for machine, _ in scores):
        own = {section: row for (name, section), row in scores.items() if name == machine}
        rows += [[machine], *(_rows_2021(own) if year == 2021 else _rows_2022(own))]
        rows += [*_means(own.values(), by_domain=year != 2021), []]
    rows += [["", "", *(_HEADINGS[name] for name in _METRICS)]]
    rows += [*_means(scores.values(), by_domain=year != 2021, suffix=f" {_OVER_ALL}"), []]
    rows += [["official score", "", official_score(scores)]]
    return to_csv(rows)


def _rows_2020(scores: Scores) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for machine, average in average_scores(scores).by_machine.items():
        rows += [[machine], ["id", "AUC", "pAUC"]]
        rows += [[i, s["auc"], s["pauc"]] for (name, i), s in scores.items() if name == machine]
        rows += [["Average", average["auc"], average["pauc"]], []]
    return rows


def _rows_2021(own: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
    rows: list[list[Any]] = [["section", "domain", *(_HEADINGS[name] for name in _METRICS)]]
    for domain in DOMAINS:
        for section, row in own.items():
            rows.append([section, domain, *(row[f"{name}_{domain}"] for name in _METRICS)])
    return rows


def _rows_2022(own: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
    judged = [(name, domain) for name in _JUDGEMENTS for domain in DOMAINS]
    headings = ["AUC (all)", "AUC (source)", "AUC (target)", "pAUC"]
    headings += [f"{_HEADINGS[name]} ({domain})" for name, domain in judged]
    columns = [*_OF_BOTH, *(f"{name}_{domain}" for name, domain in judged)]
    rows = [[section, *(row[name] for name in columns)] for section, row in own.items()]
    return [["section", *headings], *rows, ["", "", *(_HEADINGS[name] for name in _METRICS)]]


def _means(
    rows: Iterable[Mapping[str, Any]], *, by_domain: bool, suffix: str = ""
) -> list[list[Any]]:
    """Return the means over sections and both domains, and those over each domain."""
    rows = list(rows)
    # Since 2022, the pAUC of both domains counts with each.
    of_domain = {
        domain: [[row.get(f"{name}_{domain}", row.get(name)) for row in rows] for name in _METRICS]
        for domain in DOMAINS
    }
    both = [list(chain(*values)) for values in zip(*of_domain.values(), strict=True)]
    lines = [[f"{name}{suffix}", "", *map(mean, both)] for name, mean in _MEANS.items()]
    if by_domain:
        for domain, values in of_domain.items():
            lines.append([f"{domain} harmonic mean{suffix}", "", *map(harmonic_mean, values)])
    return lines
