"""All metrics of a machine, and their averages over machines."""

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from skasd._sklearn import StrOptions, validate_params
from skasd.metrics._bootstrap import confidence_interval
from skasd.metrics._scores import auc, f1, pauc, precision, recall

Metrics = dict[Callable[..., float], dict[str, Any]]
"""Metrics, and what each takes besides labels and scores."""


def evaluate(
    y: ArrayLike,
    anomaly_scores: ArrayLike,
    *,
    threshold: float | None = None,
    max_fpr: float = 0.1,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> dict[str, float | tuple[float, float]]:
    """Compute all metrics of one machine's test clips.

    Parameters
    ----------
    y, anomaly_scores
        See `auc`.
    threshold : float or None, default=None
        A clip is judged anomalous if its score is higher; ``-detector.offset_`` judges as
        ``detector.predict`` does. None leaves out precision, recall and F1.
    max_fpr : float, default=0.1
        False positive rate at which the partial area ends, in (0, 1].
    confidence : float, default=0.95
        Share of the resamples inside each interval, in (0, 1).
    n_resamples : int, default=1000
        Number of resamples of the bootstrap; 0 leaves the intervals out. An interval is the wider
        of the bootstrap's and the score interval: see `confidence_interval`.
    random_state : int, RandomState instance or None, default=0
        Source of the resamples.

    Returns
    -------
    dict
        ``"auc"``, ``"pauc"`` and, with a threshold, ``"precision"``, ``"recall"`` and ``"f1"``:
        floats. Then ``"auc_interval"`` and so on: the two ends of each interval.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    See Also
    --------
    average_scores : Average what this returns over machines.

    Examples
    --------
    >>> from skasd.metrics import evaluate
    >>> scores = evaluate([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], threshold=0.2, random_state=0)
    >>> scores["auc"], scores["auc_interval"]
    (0.75, (0.0, 1.0))
    >>> scores["recall"], scores["f1"]
    (1.0, 0.8)
    """
    metrics: Metrics = {auc: {}, pauc: {"max_fpr": max_fpr}}
    if threshold is not None:
        metrics |= judgements(threshold)
    return evaluate_metrics(
        metrics,
        y,
        anomaly_scores,
        confidence=confidence,
        n_resamples=n_resamples,
        random_state=random_state,
    )


def judgements(threshold: float) -> Metrics:
    """Return the metrics that take a threshold."""
    return {metric: {"threshold": threshold} for metric in (precision, recall, f1)}


def evaluate_metrics(
    metrics: Metrics,
    y: ArrayLike,
    anomaly_scores: ArrayLike,
    *,
    n_resamples: int,
    **settings: Any,
) -> dict[str, float | tuple[float, float]]:
    """Compute metrics, and an interval of each if there are resamples."""
    scores: dict[str, float | tuple[float, float]] = {
        metric.__name__: metric(y, anomaly_scores, **parameters)
        for metric, parameters in metrics.items()
    }
    if n_resamples == 0:
        return scores
    intervals = {
        f"{metric.__name__}_interval": confidence_interval(
            metric,
            y,
            anomaly_scores,
            n_resamples=n_resamples,
            method="wider",
            **settings,
            **parameters,
        )
        for metric, parameters in metrics.items()
    }
    return scores | intervals


def harmonic_mean(values: Iterable[float]) -> float:
    """Compute the harmonic mean, in which low values weigh more: DCASE has used it since 2021.

    Parameters
    ----------
    values : iterable of float
        At least one; none negative.

    Returns
    -------
    float
        0 if any value is 0.

    Raises
    ------
    ValueError
        If there are no values, or one is negative or not finite.

    Examples
    --------
    >>> from skasd.metrics import harmonic_mean
    >>> harmonic_mean([0.5, 1.0])
    0.6666666666666666
    """
    values = np.asarray(list(values), dtype=np.float64)
    if len(values) == 0:
        raise ValueError("The harmonic mean of no values is not defined.")
    wrong = np.flatnonzero(~((values >= 0) & (values < np.inf)))
    if len(wrong):
        raise ValueError(
            f"The harmonic mean needs finite values that are not negative, got {values[wrong[0]]} "
            f"at index {wrong[0]}."
        )
    return float(stats.hmean(values))


class AverageScores(NamedTuple):
    """Averages from `average_scores`; each field has the names that `evaluate` gave.

    Parameters
    ----------
    by_machine : dict of str to dict
        Averages over the ids of each machine type.
    over_machines : dict
        Averages of `by_machine`: each machine type counts the same.
    over_ids : dict
        Averages over all ids: a machine type with more ids counts more.

    Examples
    --------
    >>> from skasd.metrics._summary import AverageScores
    >>> AverageScores({"fan": {"auc": 0.5}}, {"auc": 0.5}, {"auc": 0.5}).over_machines
    {'auc': 0.5}
    """

    by_machine: dict[str, dict[str, float]]
    over_machines: dict[str, float]
    over_ids: dict[str, float]


@validate_params({"scores": [Mapping], "mean": [StrOptions({"arithmetic", "harmonic"})]})
def average_scores(
    scores: Mapping[tuple[str, Any], Mapping[str, Any]], *, mean: str = "arithmetic"
) -> AverageScores:
    """Average scores over the ids of each machine type, over the types, and over all ids.

    Parameters
    ----------
    scores : mapping of (machine type, id) to mapping of str to float
        What `evaluate` returned for each id. Intervals are left out: they cannot be averaged.
    mean : {"arithmetic", "harmonic"}, default="arithmetic"
        The challenge of 2020 and the report use the arithmetic mean, the challenges since 2021
        the harmonic one.

    Returns
    -------
    AverageScores
        `by_machine`, `over_machines`, `over_ids`. The report's "Total avg." is `over_ids`.

    Raises
    ------
    ValueError
        If there are no scores, an id lacks one that another has, or a score is not finite.

    Examples
    --------
    >>> from skasd.metrics import average_scores
    >>> fans = {("fan", "00"): {"auc": 0.5}, ("fan", "02"): {"auc": 0.6}}
    >>> averages = average_scores({**fans, ("pump", "00"): {"auc": 0.85}})
    >>> averages.by_machine
    {'fan': {'auc': 0.55}, 'pump': {'auc': 0.85}}
    >>> averages.over_machines, averages.over_ids
    ({'auc': 0.7}, {'auc': 0.65})
    """
    if not scores:
        raise ValueError("Expected the scores of at least one id, got none.")
    table = {key: _only_numbers(key, row) for key, row in scores.items()}
    names = next(iter(table.values())).keys()
    for key, row in table.items():
        if row.keys() != names:
            raise ValueError(
                f"{key} has the scores {sorted(row)}, the first id has {sorted(names)}. "
                "Evaluate every id with the same parameters."
            )
    average: Callable[[list[float]], float] = np.mean if mean == "arithmetic" else harmonic_mean

    def over(rows: Any) -> Any:
        return {name: float(average([row[name] for row in rows])) for name in names}

    by_machine = {
        machine: over([row for (other, _), row in table.items() if other == machine])
        for machine, _ in table
    }
    return AverageScores(by_machine, over(by_machine.values()), over(table.values()))


def _only_numbers(key: tuple[str, Any], row: Mapping[str, Any]) -> dict[str, float]:
    if not isinstance(key, tuple) or len(key) != 2:
        raise ValueError(f"Expected keys (machine type, id), got {key!r}.")
    numbers = {name: float(score) for name, score in row.items() if isinstance(score, Real)}
    for name, score in numbers.items():
        if not np.isfinite(score):
            raise ValueError(f"{name} of {key} is {score}. Leave that id out of the average.")
    return numbers
