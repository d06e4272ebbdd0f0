"""Scores of detectors, averages and intervals of scores, and scorers for GridSearchCV.

Labels follow scikit-learn: `y` is +1 for normal clips and -1 for anomalous ones. `anomaly_scores`
are the field's number, as in the CSV files of DCASE: higher is more anomalous, which is
``detector.anomaly_score(X)`` or, for any detector of scikit-learn, ``-detector.score_samples(X)``.
Anomalous clips are the positive class of every metric. Whatever takes `y` checks it with
`validate`, and raises the ValueError that is described there.

References
----------
Koizumi et al., "Description and discussion on DCASE2020 challenge task2: Unsupervised anomalous
sound detection for machine condition monitoring", DCASE 2020 Workshop, arXiv:2006.05822.

McClish, "Analyzing a portion of the ROC curve", Medical Decision Making 9(3), 1989.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params


def check_labels(y: ArrayLike) -> np.ndarray:
    """Check labels: +1 for normal clips, -1 for anomalous ones.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        Labels.

    Returns
    -------
    ndarray of shape (n_clips,), bool
        True for anomalous clips.

    Raises
    ------
    ValueError
        Where there are no labels, or others than +1 and -1.

    Examples
    --------
    >>> from skasd.metrics import check_labels
    >>> check_labels([1, -1])
    array([False,  True])
    """
    y = np.asarray(y)
    if y.ndim != 1 or len(y) == 0:
        raise ValueError(f"Expected one label for each clip, got an array of shape {y.shape}.")
    remedy = (
        "Labels are the numbers +1 (normal) and -1 (anomalous). Where they are true or 1 for "
        "anomalous clips, pass np.where(y, -1, 1)."
    )
    if y.dtype.kind not in "iuf":
        raise ValueError(f"y has dtype {y.dtype}. {remedy}")
    unknown = np.flatnonzero((y != 1) & (y != -1))
    if len(unknown):
        raise ValueError(f"y is {y[unknown[0]]} at index {unknown[0]}. {remedy}")
    return y == -1


def validate(y: ArrayLike, anomaly_scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Check what every metric takes.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        +1 for normal clips, -1 for anomalous ones; some of both.
    anomaly_scores : array-like of shape (n_clips,)
        Finite; higher is more anomalous.

    Returns
    -------
    is_anomalous : ndarray of shape (n_clips,), bool
        The positive class.
    anomaly_scores : ndarray of shape (n_clips,), float64
        As given.

    Raises
    ------
    ValueError
        Where the two do not fit together, a score is not finite, or a class is missing.

    Examples
    --------
    >>> from skasd.metrics import validate
    >>> validate([1, -1], [0.5, 2])
    (array([False,  True]), array([0.5, 2. ]))
    """
    is_anomalous = check_labels(y)
    anomaly_scores = np.asarray(anomaly_scores, dtype=np.float64)
    if anomaly_scores.shape != is_anomalous.shape:
        raise ValueError(
            f"y has {len(is_anomalous)} labels, anomaly_scores has shape {anomaly_scores.shape}. "
            "Pass one score for each label."
        )
    not_finite = np.flatnonzero(~np.isfinite(anomaly_scores))
    if len(not_finite):
        index = not_finite[0]
        raise ValueError(
            f"anomaly_scores is {anomaly_scores[index]} at index {index}, and not finite for "
            f"{len(not_finite)} clips in all. Leave those clips out or mend the detector."
        )
    if is_anomalous.all() or not is_anomalous.any():
        missing = "normal clip (y = 1)" if is_anomalous.all() else "anomalous clip (y = -1)"
        raise ValueError(f"There is no {missing} in y: a metric needs clips of both classes.")
    return is_anomalous, anomaly_scores


def auc(y: ArrayLike, anomaly_scores: ArrayLike) -> float:
    """Compute the area under the ROC curve.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        +1 for normal clips, -1 for anomalous ones.
    anomaly_scores : array-like of shape (n_clips,)
        Higher is more anomalous.

    Returns
    -------
    float
        In [0, 1]: the probability that an anomalous clip scores higher than a normal one, where
        ties count half.

    Examples
    --------
    >>> from skasd.metrics import auc
    >>> auc([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8])
    0.75
    """
    return float(roc_auc_score(*validate(y, anomaly_scores)))


@validate_params(
    {"max_fpr": [Interval(Real, 0, 1, closed="right")]}, prefer_skip_nested_validation=True
)
def pauc(y: ArrayLike, anomaly_scores: ArrayLike, max_fpr: float = 0.1) -> float:
    """Compute the area under the ROC curve at low false positive rates, as DCASE does.

    Parameters
    ----------
    y, anomaly_scores
        See `auc`.
    max_fpr : float, default=0.1
        Where the area ends, in (0, 1].

    Returns
    -------
    float
        McClish's standardised partial area, ``(1 + (area - least) / (most - least)) / 2`` with
        ``least = max_fpr**2 / 2`` (chance) and ``most = max_fpr``: 0.5 is chance, 1 is perfect.

    Raises
    ------
    ValueError
        Where `max_fpr` is out of range.

    Examples
    --------
    >>> from skasd.metrics import pauc
    >>> pauc([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], max_fpr=0.5)
    0.6666666666666666
    """
    is_anomalous, anomaly_scores = validate(y, anomaly_scores)
    return float(roc_auc_score(is_anomalous, anomaly_scores, max_fpr=max_fpr))


def precision(y: ArrayLike, anomaly_scores: ArrayLike, threshold: float) -> float:
    """Compute the share of anomalous clips among those judged anomalous.

    Parameters
    ----------
    y, anomaly_scores
        See `auc`.
    threshold : float
        A clip is judged anomalous where its score is higher. ``-detector.offset_`` judges as
        ``detector.predict`` does.

    Returns
    -------
    float
        In [0, 1]; 0 where no clip is judged anomalous.

    Raises
    ------
    ValueError
        Where `threshold` is NaN.

    Examples
    --------
    >>> from skasd.metrics import precision
    >>> precision([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], threshold=0.2)
    0.6666666666666666
    """
    return float(precision_score(*_judge(y, anomaly_scores, threshold), zero_division=0))


def recall(y: ArrayLike, anomaly_scores: ArrayLike, threshold: float) -> float:
    """Compute the share of the anomalous clips that are judged anomalous.

    Parameters
    ----------
    y, anomaly_scores, threshold
        See `precision`.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> from skasd.metrics import recall
    >>> recall([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], threshold=0.5)
    0.5
    """
    return float(recall_score(*_judge(y, anomaly_scores, threshold)))


def f1(y: ArrayLike, anomaly_scores: ArrayLike, threshold: float) -> float:
    """Compute the harmonic mean of precision and recall.

    Parameters
    ----------
    y, anomaly_scores, threshold
        See `precision`.

    Returns
    -------
    float
        In [0, 1]; 0 where no clip is judged anomalous.

    Examples
    --------
    >>> from skasd.metrics import f1
    >>> f1([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], threshold=0.2)
    0.8
    """
    return float(f1_score(*_judge(y, anomaly_scores, threshold)))


def _judge(y: ArrayLike, anomaly_scores: ArrayLike, threshold: float):
    is_anomalous, anomaly_scores = validate(y, anomaly_scores)
    if np.isnan(threshold):
        raise ValueError("threshold is NaN. Pass a number, such as -detector.offset_.")
    return is_anomalous, anomaly_scores > threshold


@validate_params(
    {
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=False,
)
def confidence_interval(
    metric: Callable[..., float],
    y: ArrayLike,
    anomaly_scores: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.RandomState | None = None,
    **metric_parameters: float,
) -> tuple[float, float]:
    """Estimate how far a metric depends on which clips were tested, by the percentile bootstrap.

    The clips of each class are drawn anew, with replacement and as many as there are. The
    interval speaks of other test clips of the same machine, not of other seeds or training clips.
    Where a score is perfect, each resample is, and the interval is too narrow.

    Parameters
    ----------
    metric : {auc, pauc, precision, recall, f1}
        A metric of this module: the function itself.
    y, anomaly_scores
        See `auc`.
    confidence : float, default=0.95
        How many resamples lie within, in (0, 1).
    n_resamples : int, default=1000
        Number of resamples.
    random_state : int, RandomState instance or None, default=None
        Source of the resamples.
    **metric_parameters
        `max_fpr` or `threshold`, for `metric`.

    Returns
    -------
    low, high : float
        Ends of the interval.

    Raises
    ------
    ValueError
        Where there is no such metric, or a parameter is out of range.

    References
    ----------
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.metrics import auc, confidence_interval
    >>> y = np.repeat([1, -1], 100)
    >>> anomaly_scores = np.random.default_rng(0).normal(size=200) + (y == -1)
    >>> low, high = confidence_interval(auc, y, anomaly_scores, random_state=0)
    >>> low < auc(y, anomaly_scores) < high
    True
    """
    if metric not in _RESAMPLED:
        names = ", ".join(known.__name__ for known in _RESAMPLED)
        raise ValueError(f"metric={metric!r} is none of the functions {names} of skasd.metrics.")
    metric(y, anomaly_scores, **metric_parameters)
    is_anomalous, anomaly_scores = validate(y, anomaly_scores)
    random_state = check_random_state(random_state)
    counts = np.empty((n_resamples, len(is_anomalous)))
    for of_class in (is_anomalous, ~is_anomalous):
        n_clips = of_class.sum()
        counts[:, of_class] = random_state.multinomial(
            n_clips, np.full(n_clips, 1 / n_clips), size=n_resamples
        )
    values = _RESAMPLED[metric](is_anomalous, anomaly_scores, counts, **metric_parameters)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _resampled_pauc(
    is_anomalous: np.ndarray, anomaly_scores: np.ndarray, counts: np.ndarray, max_fpr: float = 0.1
) -> np.ndarray:
    """Compute `pauc` of many resamples, which say how often they hold each clip.

    A thousand resamples take as long as fifty calls of scikit-learn.
    """
    order = np.argsort(-anomaly_scores)
    last_of_ties = np.flatnonzero(np.diff(anomaly_scores[order], append=-np.inf))

    def rates(of_class):
        found = np.cumsum((counts * of_class)[:, order], axis=1)[:, last_of_ties]
        return np.pad(found, ((0, 0), (1, 0))) / of_class.sum()

    fpr, tpr = rates(~is_anomalous), rates(is_anomalous)
    width, rise = np.diff(fpr), np.diff(tpr)
    inside = np.clip(max_fpr - fpr[:, :-1], 0, width)
    slope = np.divide(rise, width, out=np.zeros_like(rise), where=width > 0)
    area = (inside * (tpr[:, :-1] + slope * inside / 2)).sum(axis=1)
    least = max_fpr**2 / 2
    return (1 + (area - least) / (max_fpr - least)) / 2


def _resampled_judgement(
    is_anomalous: np.ndarray,
    anomaly_scores: np.ndarray,
    counts: np.ndarray,
    threshold: float,
    weight_of_anomalous: float,
) -> np.ndarray:
    """Compute hits / (weighted mean of the anomalous and the judged anomalous)."""
    judged = anomaly_scores > threshold
    hits = counts[:, judged & is_anomalous].sum(axis=1)
    n_anomalous, n_judged = is_anomalous.sum(), counts[:, judged].sum(axis=1)
    total = weight_of_anomalous * n_anomalous + (1 - weight_of_anomalous) * n_judged
    return hits / np.maximum(total, np.finfo(float).tiny)


_RESAMPLED = {
    auc: partial(_resampled_pauc, max_fpr=1.0),
    pauc: _resampled_pauc,
    precision: partial(_resampled_judgement, weight_of_anomalous=0.0),
    recall: partial(_resampled_judgement, weight_of_anomalous=1.0),
    f1: partial(_resampled_judgement, weight_of_anomalous=0.5),
}


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
        A clip is judged anomalous where its score is higher; ``-detector.offset_`` judges as
        ``detector.predict`` does. None leaves out precision, recall and F1.
    max_fpr : float, default=0.1
        Where the partial area ends, in (0, 1].
    confidence : float, default=0.95
        Of the intervals, in (0, 1).
    n_resamples : int, default=1000
        Number of resamples of the bootstrap; 0 leaves the intervals out.
    random_state : int, RandomState instance or None, default=0
        Source of the resamples.

    Returns
    -------
    dict
        ``"auc"``, ``"pauc"`` and, with a threshold, ``"precision"``, ``"recall"`` and ``"f1"``:
        floats. Then ``"auc_interval"`` and so on: the two ends of each one's interval.

    Raises
    ------
    ValueError
        Where a parameter is out of range.

    See Also
    --------
    average_scores : Averages what this returns over machines.

    Examples
    --------
    >>> from skasd.metrics import evaluate
    >>> scores = evaluate([1, 1, -1, -1], [0.1, 0.4, 0.3, 0.8], threshold=0.2, random_state=0)
    >>> scores["auc"], scores["auc_interval"]
    (0.75, (0.0, 1.0))
    >>> scores["recall"], scores["f1"]
    (1.0, 0.8)
    """
    metrics = {auc: {}, pauc: {"max_fpr": max_fpr}}
    if threshold is not None:
        metrics |= {metric: {"threshold": threshold} for metric in (precision, recall, f1)}
    scores = {
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
            confidence=confidence,
            n_resamples=n_resamples,
            random_state=random_state,
            **parameters,
        )
        for metric, parameters in metrics.items()
    }
    return scores | intervals


def harmonic_mean(values: Iterable[float]) -> float:
    """Compute the mean that DCASE ranks by since 2021: one bad value weighs more.

    Parameters
    ----------
    values : iterable of float
        At least one; none negative.

    Returns
    -------
    float
        0 where any value is 0.

    Raises
    ------
    ValueError
        Where there are no values, or one is negative or not finite.

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
    """Averages by `average_scores`: each field has the names that `evaluate` gave.

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
    >>> from skasd.metrics import AverageScores
    >>> AverageScores({"fan": {"auc": 0.5}}, {"auc": 0.5}, {"auc": 0.5}).over_machines
    {'auc': 0.5}
    """

    by_machine: dict[str, dict[str, float]]
    over_machines: dict[str, float]
    over_ids: dict[str, float]


@validate_params(
    {"scores": [Mapping], "mean": [StrOptions({"arithmetic", "harmonic"})]},
    prefer_skip_nested_validation=True,
)
def average_scores(
    scores: Mapping[tuple[str, Hashable], Mapping[str, float]], *, mean: str = "arithmetic"
) -> AverageScores:
    """Average scores over the ids of each machine type, over the types, and over all ids.

    Parameters
    ----------
    scores : mapping of (machine type, id) to mapping of str to float
        What `evaluate` returned for each id. Intervals are left out: they do not average.
    mean : {"arithmetic", "harmonic"}, default="arithmetic"
        The challenge of 2020 and the report take the arithmetic mean, those since 2021 the
        harmonic one.

    Returns
    -------
    AverageScores
        `by_machine`, `over_machines`, `over_ids`. The report's "Total avg." is `over_ids`.

    Raises
    ------
    ValueError
        Where there are no scores, an id lacks one that another has, or a score is not finite.

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
    average = {"arithmetic": np.mean, "harmonic": harmonic_mean}[mean]

    def over(rows):
        return {name: float(average([row[name] for row in rows])) for name in names}

    by_machine = {
        machine: over([row for (other, _), row in table.items() if other == machine])
        for machine, _ in table
    }
    return AverageScores(by_machine, over(by_machine.values()), over(table.values()))


def _only_numbers(key: tuple[str, Hashable], row: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(key, tuple) or len(key) != 2:
        raise ValueError(f"Expected keys (machine type, id), got {key!r}.")
    numbers = {name: score for name, score in row.items() if isinstance(score, Real)}
    for name, score in numbers.items():
        if not np.isfinite(score):
            raise ValueError(f"{name} of {key} is {score}. Leave that id out of the average.")
    return numbers


def auc_scorer(estimator: BaseEstimator, X, y: ArrayLike) -> float:
    """Score a fitted detector by `auc`: ``GridSearchCV(..., scoring=auc_scorer)``.

    Parameters
    ----------
    estimator : fitted detector or pipeline that ends with one
        Anything with `score_samples`.
    X : what `estimator` was fitted on
        Clips, spectrograms or features.
    y : array-like of shape (n_clips,)
        +1 for normal clips, -1 for anomalous ones.

    Returns
    -------
    float
        The AUC.

    See Also
    --------
    skasd.model_selection.NormalKFold : The folds to search with.

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.metrics import auc_scorer
    >>> auc_scorer(FeatureDetector().fit([[0], [1]]), [[0.1], [0.4], [0.3], [0.8]], [1, 1, -1, -1])
    0.75
    """
    return auc(y, -estimator.score_samples(X))


def pauc_scorer(estimator: BaseEstimator, X, y: ArrayLike) -> float:
    """Score a fitted detector by `pauc`: ``GridSearchCV(..., scoring=pauc_scorer)``.

    scikit-learn's own partial AUC would not do: with +1 for normal clips it looks at the end of
    the ROC curve where anomalous clips are missed, not at the one with few false alarms.

    Parameters
    ----------
    estimator, X, y
        See `auc_scorer`.

    Returns
    -------
    float
        The pAUC up to a false positive rate of 0.1.

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.metrics import pauc_scorer
    >>> pauc_scorer(FeatureDetector().fit([[0], [1]]), [[0.1], [0.4], [0.5], [0.8]], [1, 1, -1, -1])
    1.0
    """
    return pauc(y, -estimator.score_samples(X))


def auc_pauc_scorer(estimator: BaseEstimator, X, y: ArrayLike) -> dict[str, float]:
    """Score a fitted detector by both, for ``GridSearchCV(..., refit="pauc")``.

    The clips pass through the detector once. scikit-learn refits on anomalous clips as well, so
    fit the best setting once more: ``clone(search.best_estimator_).fit(X[y == 1])``.

    Parameters
    ----------
    estimator, X, y
        See `auc_scorer`.

    Returns
    -------
    dict
        ``"auc"`` and ``"pauc"``.

    Examples
    --------
    >>> from skasd import FeatureDetector
    >>> from skasd.metrics import auc_pauc_scorer
    >>> detector = FeatureDetector().fit([[0], [1]])
    >>> auc_pauc_scorer(detector, [[0.1], [0.4], [0.3], [0.8]], [1, 1, -1, -1])
    {'auc': 0.75, 'pauc': 0.7368421052631579}
    """
    anomaly_scores = -estimator.score_samples(X)
    return {"auc": auc(y, anomaly_scores), "pauc": pauc(y, anomaly_scores)}
