"""Closed-form intervals of metrics, which stay wide even for a perfect score of few clips."""

import numpy as np
from scipy import optimize, stats

BESIDE = 1e-9
"""How close to the observed area the ends are sought, as a share of the way to 0 or 1."""

Ends = tuple[float, float]
"""Ends of an interval."""


def auc_interval(area: float, n_normal: float, n_anomalous: float, confidence: float) -> Ends:
    """Compute Newcombe's interval of an area under the ROC curve.

    The ends are the areas that differ from the observed one by just as much as the confidence
    allows, given Hanley and McNeil's standard error at those areas for classes of the same size.

    Parameters
    ----------
    area : float
        In [0, 1].
    n_normal, n_anomalous : float
        Numbers of clips.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float

    References
    ----------
    Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic. Part 2: asymptotic methods and evaluation", Statistics in Medicine 25(4), 2006,
    method 5.

    Examples
    --------
    >>> from skasd.metrics._score_interval import auc_interval
    >>> low, high = auc_interval(1.0, 3, 3, 0.95)
    >>> round(low, 3), high
    (0.501, 1.0)
    """
    z = stats.norm.ppf((1 + confidence) / 2)
    n_other = (n_normal + n_anomalous) / 2 - 1

    def excess(true: float) -> float:
        pairs = 1 + n_other * ((1 - true) / (2 - true) + true / (1 + true))
        return float(
            (area - true) ** 2 - z**2 * true * (1 - true) * pairs / (n_normal * n_anomalous)
        )

    # Start next to the area, since the standard error is 0 at 0 and at 1.
    low = 0.0 if area == 0 else float(optimize.brentq(excess, 0.0, area * (1 - BESIDE)))
    high = 1.0 if area == 1 else float(optimize.brentq(excess, area + (1 - area) * BESIDE, 1.0))
    return low, high


def pauc_interval(
    score: float, n_normal: float, n_anomalous: float, confidence: float, max_fpr: float
) -> Ends:
    """Compute the interval of McClish's standardized partial area.

    Within the false positive rates that count, the area compares the anomalous clips with only the
    `max_fpr` of the normal clips that score highest, so no more normal clips support it.

    Parameters
    ----------
    score : float
        See `pauc`.
    n_normal, n_anomalous : float
        Numbers of clips.
    confidence : float
        In (0, 1).
    max_fpr : float
        In (0, 1].

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> from skasd.metrics._score_interval import pauc_interval
    >>> low, high = pauc_interval(1.0, 100, 100, 0.95, 0.1)
    >>> round(low, 2), high
    (0.94, 1.0)
    """
    # The score is linear in the area's share of the largest one.
    at_zero = 1 / 2 - max_fpr / 2 / (2 - max_fpr)
    share = np.clip((score - at_zero) / (1 - at_zero), 0, 1)
    ends = auc_interval(float(share), n_normal * max_fpr, n_anomalous, confidence)
    low, high = (at_zero + end * (1 - at_zero) for end in ends)
    return low, high


def share_interval(n_hits: float, n_clips: float, confidence: float) -> Ends:
    """Compute Wilson's interval of a share.

    Parameters
    ----------
    n_hits, n_clips : float
        Number of clips that count, and of all clips.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float
        0 and 1 if there are no clips.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22, 1927.

    Examples
    --------
    >>> from skasd.metrics._score_interval import share_interval
    >>> low, high = share_interval(3, 3, 0.95)
    >>> round(low, 3), high
    (0.439, 1.0)
    """
    if n_clips == 0:
        return 0.0, 1.0
    test = stats.binomtest(round(n_hits), round(n_clips))
    interval = test.proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
