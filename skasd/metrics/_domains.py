"""Metrics by domain, and the challenge's official score."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from skasd._sklearn import StrOptions, validate_params
from skasd.metrics._labels import DOMAINS, check_domains, check_labels
from skasd.metrics._scores import auc, pauc
from skasd.metrics._summary import Metrics, evaluate_metrics, harmonic_mean, judgements

OFFICIAL = ("auc_source", "auc_target", "pauc", "pauc_source", "pauc_target")
"""Results of `evaluate_domains` that count in the official score."""


@validate_params({"anomalies": [StrOptions({"all", "domain"})]})
def evaluate_domains(
    y: ArrayLike,
    anomaly_scores: ArrayLike,
    domains: ArrayLike,
    *,
    threshold: float | None = None,
    anomalies: str = "all",
    max_fpr: float = 0.1,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> dict[str, Any]:
    """Compute all metrics of one section's test clips by domain, as DCASE does since 2021.

    Parameters
    ----------
    y, anomaly_scores
        See `auc`.
    domains : array-like of shape (n_clips,)
        ``"source"`` or ``"target"`` for each clip.
    threshold : float or None, default=None
        See `evaluate`.
    anomalies : {"all", "domain"}, default="all"
        Which anomalous clips the normal clips of a domain are compared with: those of both domains,
        as since 2022, or those of the same domain, as in 2021.
    max_fpr, confidence, n_resamples, random_state
        See `evaluate`.

    Returns
    -------
    dict
        ``"auc_source"`` and ``"auc_target"``; with all anomalies, ``"auc"`` and ``"pauc"`` of both
        domains together, otherwise ``"pauc_source"`` and ``"pauc_target"``; with a threshold,
        ``"precision_source"``, ``"recall_source"``, ``"f1_source"`` and so on, of the clips of one
        domain. Then ``"auc_source_interval"`` and so on: the two ends of each interval.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a domain has no normal or no anomalous clips.

    See Also
    --------
    official_score : One number for all machines and sections.

    References
    ----------
    Dohi et al., "Description and discussion on DCASE 2022 Challenge Task 2: Unsupervised anomalous
    sound detection for machine condition monitoring applying domain generalization techniques",
    DCASE Workshop, 2022, equations 3 and 4.

    Examples
    --------
    >>> from skasd.metrics import evaluate_domains
    >>> y, domains = [1, 1, -1, -1], ["source", "target", "source", "target"]
    >>> scores = evaluate_domains(y, [0.1, 0.4, 0.3, 0.8], domains, threshold=0.2, n_resamples=0)
    >>> scores["auc_source"], scores["auc_target"], scores["f1_source"]
    (1.0, 0.5, 1.0)
    """
    is_anomalous = check_labels(y)
    y, anomaly_scores = np.asarray(y), np.asarray(anomaly_scores)
    check_consistent_length(y, anomaly_scores)
    domains = check_domains(domains, y)

    def evaluated(metrics: Metrics, clips: np.ndarray, what: str) -> dict[str, Any]:
        try:
            return evaluate_metrics(
                metrics,
                y[clips],
                anomaly_scores[clips],
                confidence=confidence,
                n_resamples=n_resamples,
                random_state=random_state,
            )
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from error

    areas: Metrics = {auc: {}, pauc: {"max_fpr": max_fpr}}
    values: dict[str, Any] = {}
    if anomalies == "all":
        values |= evaluated(areas, np.ones(len(y), dtype=bool), "both domains")
        areas = {auc: {}}
    for domain in DOMAINS:
        own, what = domains == domain, f"the {domain} domain"
        of_domain = evaluated(areas, own | is_anomalous if anomalies == "all" else own, what)
        if threshold is not None:
            of_domain |= evaluated(judgements(threshold), own, what)
        values |= {_name(name, domain): value for name, value in of_domain.items()}
    return dict(sorted(values.items(), key=lambda item: item[0].endswith("_interval")))


def _name(metric: str, domain: str) -> str:
    if metric.endswith("_interval"):
        return f"{metric.removesuffix('_interval')}_{domain}_interval"
    return f"{metric}_{domain}"


def official_score(scores: Mapping[Any, Mapping[str, Any]]) -> float:
    """Compute the challenge's official score, as defined since 2021.

    It is the harmonic mean, over all machine types and sections, of the AUC of each domain and,
    since 2022, the pAUC of both domains together; for 2021, with ``anomalies="domain"``, the pAUC
    of each.

    Parameters
    ----------
    scores : mapping of section to mapping of str to float
        What `evaluate_domains` returned for each section of each machine type.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If there are no scores, or a section lacks a score that another one has.

    References
    ----------
    Harada et al., "First-shot anomaly detection for machine condition monitoring: a domain
    generalization baseline", EUSIPCO, 2023.

    Examples
    --------
    >>> from skasd.metrics import official_score
    >>> fan = {"auc_source": 0.8, "auc_target": 0.6, "pauc": 0.5}
    >>> round(official_score({("fan", "00"): fan}), 4)
    0.6102
    """
    names = {name for row in scores.values() for name in OFFICIAL if name in row}
    for key, row in scores.items():
        missing = [name for name in OFFICIAL if name in names and name not in row]
        if missing:
            raise ValueError(
                f"{key} has no {missing[0]}. Evaluate every section with the same parameters."
            )
    return harmonic_mean(row[name] for row in scores.values() for name in OFFICIAL if name in names)
