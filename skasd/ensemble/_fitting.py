"""Ways to fit a member of an ensemble, and to score clips that it has not seen."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.utils.metadata_routing import get_routing_for_object

from skasd._sklearn import num_samples, safe_indexing
from skasd._steps import last_step
from skasd.detection._calibrated import as_member
from skasd.detection._calibration import split_clips
from skasd.detection._domains import SOURCE, TARGET

Fitted = tuple[BaseEstimator, np.ndarray, np.ndarray]
"""A fitted member, its anomaly scores of the training clips, and which it scored as new ones."""

FitAndScore = Callable[[BaseEstimator, Any, Any, np.ndarray | None], Fitted]
"""Fits a member on clips, what `fit` takes for y, and which clips are of the target."""


def anomaly_score_by(member: BaseEstimator, X: Any) -> np.ndarray:
    """Return the anomaly scores by a detector of any package."""
    return -member.score_samples(X)


def fit_in_domains(
    detector: BaseEstimator, X: Any, y: Any, is_target: np.ndarray | None
) -> BaseEstimator:
    """Fit a detector, whose steps are told the clips' domains if they ask for them.

    Parameters
    ----------
    detector : detector, or pipeline that ends with one
        It is fitted in place.
    X, y
        What its `fit` takes.
    is_target : ndarray of shape (n_clips,), bool, or None
        Which clips are of the target, if that is known.

    Returns
    -------
    detector
    """
    if is_target is None or not takes_domain(detector):
        return detector.fit(X, y)
    # Whether or not users have turned on routing, a pipeline passes nothing on without it.
    with config_context(enable_metadata_routing=True):
        return detector.fit(X, y, domain=np.where(is_target, TARGET, SOURCE))


def takes_domain(detector: Any) -> bool:
    """Tell whether a detector, or a step of it, takes the domains of the clips in its `fit`."""
    return bool(get_routing_for_object(detector).consumes("fit", ["domain"]))


def score_seen(member: BaseEstimator, X: Any, y: Any, is_target: np.ndarray | None) -> Fitted:
    """Fit a member on all clips, and score these as if they were new."""
    with as_member():
        fit_in_domains(member, X, y, is_target)
    return member, anomaly_score_by(member, X), np.ones(num_samples(X), dtype=bool)


def score_by_folds(
    member: BaseEstimator, X: Any, y: Any, is_target: np.ndarray | None, *, n_folds: int
) -> Fitted:
    """Fit a member on all clips; score each one by another fit, on the clips of other folds."""
    scores = np.empty(num_samples(X))
    for train, test in split_clips(len(scores), n_folds, is_target):
        fold_member = _fit_part(clone(member), X, y, is_target, train)
        scores[test] = anomaly_score_by(fold_member, safe_indexing(X, test))
    with as_member():
        fit_in_domains(member, X, y, is_target)
    return member, scores, np.ones(len(scores), dtype=bool)


def by_folds(cv: int, n_clips: int) -> FitAndScore:
    """Return `score_by_folds` for so many folds; refuse more folds than clips."""
    if n_clips < cv:
        raise ValueError(
            f"cv={cv} needs as many clips, got n_samples={n_clips}. Fit on more clips or with "
            "fewer folds."
        )
    return partial(score_by_folds, n_folds=cv)


def score_left_out(
    member: BaseEstimator, X: Any, y: Any, is_target: np.ndarray | None, *, left_out: np.ndarray
) -> Fitted:
    """Fit a member on all clips but those that it leaves out, and score all."""
    is_new = np.zeros(num_samples(X), dtype=bool)
    is_new[left_out] = True
    _fit_part(member, X, y, is_target, np.flatnonzero(~is_new))
    return member, anomaly_score_by(member, X), is_new


def score_own(member: Any, X: Any, y: Any, is_target: np.ndarray | None) -> Fitted:
    """Fit a member that leaves clips out itself, and take its scores of these."""
    with as_member(leaves_out=True):
        scores = -last_step(fit_in_domains(member, X, y, is_target)).training_scores_
    return member, scores, ~np.isnan(scores)


def _fit_part(
    member: BaseEstimator, X: Any, y: Any, is_target: np.ndarray | None, train: np.ndarray
) -> BaseEstimator:
    of_train = [None if each is None else safe_indexing(each, train) for each in (y, is_target)]
    with as_member():
        return fit_in_domains(member, safe_indexing(X, train), *of_train)
