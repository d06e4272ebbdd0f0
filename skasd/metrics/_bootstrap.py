"""How far a metric depends on which clips were tested."""

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skasd._sklearn import Interval, StrOptions, validate_params
from skasd.metrics._labels import validate
from skasd.metrics._score_interval import Ends, auc_interval, pauc_interval, share_interval
from skasd.metrics._scores import auc, f1, pauc, precision, recall


@validate_params(
    {
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "method": [StrOptions({"bootstrap", "score", "wider"})],
    }
)
def confidence_interval(
    metric: Callable[..., float],
    y: ArrayLike,
    anomaly_scores: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.RandomState | None = None,
    method: str = "bootstrap",
    **metric_parameters: float,
) -> tuple[float, float]:
    """Estimate how far a metric depends on which clips were tested.

    The interval accounts for other test clips of the same machine, not for other seeds or training
    clips.

    By the percentile bootstrap, each resample draws as many clips of each class as there are, with
    replacement. If a score is perfect, so is every resample, and the interval is too narrow: for 3
    normal and 3 anomalous clips that are told apart, an AUC of 1 to 1. A score interval asks which
    true values would have allowed for the one that is seen; for these six clips, 0.50 to 1.

    Parameters
    ----------
    metric : {auc, pauc, precision, recall, f1}
        Function of this module.
    y, anomaly_scores
        See `auc`.
    confidence : float, default=0.95
        Share of the resamples inside the interval, in (0, 1).
    n_resamples : int, default=1000
        Number of resamples.
    random_state : int, RandomState instance or None, default=None
        Source of the resamples.
    method : {"bootstrap", "score", "wider"}, default="bootstrap"
        ``"score"`` takes Newcombe's interval for an AUC, the same with the normal clips within
        `max_fpr` for a pAUC, and Wilson's interval for the others. ``"wider"`` takes the lower of
        the low ends and the higher of the high ones.
    **metric_parameters
        Parameters of `metric`: `max_fpr` or `threshold`.

    Returns
    -------
    low, high : float
        Ends of the interval.

    Raises
    ------
    ValueError
        If `metric` is another function, or a parameter is out of range.

    References
    ----------
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic. Part 2: asymptotic methods and evaluation", Statistics in Medicine 25(4), 2006.

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
        raise ValueError(f"metric={metric!r} is not one of the functions {names} of skasd.metrics.")
    value = metric(y, anomaly_scores, **metric_parameters)
    is_anomalous, anomaly_scores = validate(y, anomaly_scores)
    if method == "score":
        return _score_interval(
            metric, value, is_anomalous, anomaly_scores, confidence, **metric_parameters
        )
    if method == "wider":
        both = [
            confidence_interval(
                metric,
                y,
                anomaly_scores,
                confidence=confidence,
                n_resamples=n_resamples,
                random_state=random_state,
                method=each,
                **metric_parameters,
            )
            for each in ("bootstrap", "score")
        ]
        lows, highs = zip(*both, strict=True)
        return min(lows), max(highs)
    rng: np.random.RandomState = check_random_state(random_state)
    counts = np.empty((n_resamples, len(is_anomalous)))
    for of_class in (is_anomalous, ~is_anomalous):
        n_clips = of_class.sum()
        counts[:, of_class] = rng.multinomial(
            n_clips, np.full(n_clips, 1 / n_clips), size=n_resamples
        )
    values = _RESAMPLED[metric](is_anomalous, anomaly_scores, counts, **metric_parameters)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _score_interval(
    metric: Callable[..., float],
    value: float,
    is_anomalous: np.ndarray,
    anomaly_scores: np.ndarray,
    confidence: float,
    *,
    max_fpr: float = 0.1,
    threshold: float = np.inf,
) -> Ends:
    n_normal, n_anomalous = int((~is_anomalous).sum()), int(is_anomalous.sum())
    if metric is auc:
        return auc_interval(value, n_normal, n_anomalous, confidence)
    if metric is pauc:
        return pauc_interval(value, n_normal, n_anomalous, confidence, max_fpr)
    judged = anomaly_scores > threshold
    n_hits, n_judged = int((judged & is_anomalous).sum()), int(judged.sum())
    if metric is precision:
        return share_interval(n_hits, n_judged, confidence)
    if metric is recall:
        return share_interval(n_hits, n_anomalous, confidence)
    # F1 is 2 s / (1 + s), where s is the share of hits in all that is or is judged anomalous.
    low, high = share_interval(n_hits, n_judged + n_anomalous - n_hits, confidence)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def _resampled_pauc(
    is_anomalous: np.ndarray, anomaly_scores: np.ndarray, counts: np.ndarray, max_fpr: float = 0.1
) -> np.ndarray:
    """Compute `pauc` of many resamples, given how often each one holds each clip.

    A thousand resamples take as long as fifty calls to scikit-learn.
    """
    order = np.argsort(-anomaly_scores)
    last_of_ties = np.flatnonzero(np.diff(anomaly_scores[order], append=-np.inf))

    def rates(of_class: Any) -> Any:
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


_RESAMPLED: dict[Callable[..., float], Callable[..., np.ndarray]] = {
    auc: partial(_resampled_pauc, max_fpr=1.0),
    pauc: _resampled_pauc,
    precision: partial(_resampled_judgement, weight_of_anomalous=0.0),
    recall: partial(_resampled_judgement, weight_of_anomalous=1.0),
    f1: partial(_resampled_judgement, weight_of_anomalous=0.5),
}
