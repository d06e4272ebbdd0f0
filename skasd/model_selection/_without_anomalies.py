"""Selection of settings that never sees an anomaly."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skasd._sklearn import safe_indexing
from skasd.metrics._labels import normal_clips


def held_out_likelihood(estimator: BaseEstimator, X: Any, y: ArrayLike | None = None) -> float:
    """Score a fitted detector by the mean `score_samples` of held-out normal clips.

    This assumes that the scores are log-densities of the same features. It can therefore compare
    settings of a density, such as `n_components` or `covariance_type` of `GaussianMixtureDetector`,
    but not settings that change the features, such as `n_fft` or `encoder_units`: features of a
    smaller scale have a higher density, but are not any better at revealing faults.

    Parameters
    ----------
    estimator : fitted detector or pipeline that ends with one
        The detector, which must have `score_samples`.
    X : what `estimator` was fitted on
        Held-out clips, spectrograms or features.
    y : array-like of shape (n_clips,), default=None
        +1 for normal clips, -1 for anomalous ones, which are left out. None means that all are
        normal.

    Returns
    -------
    float
        Higher is better.

    Raises
    ------
    ValueError
        If no clip is normal.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import GaussianMixtureDetector
    >>> from skasd.model_selection import held_out_likelihood
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> one, many = (GaussianMixtureDetector(n, random_state=0).fit(X[:100]) for n in (1, 8))
    >>> held_out_likelihood(one, X[100:]) > held_out_likelihood(many, X[100:])
    True
    """
    return float(np.mean(estimator.score_samples(X if y is None else normal_clips(X, y))))


def score_stability(estimator: BaseEstimator, X: Any, y: ArrayLike | None = None) -> float:
    """Score a fitted ensemble by how far its members agree in ranking held-out normal clips.

    This assumes that what differs from seed to seed is chance, and that what stays the same is due
    to the machine. It does not depend on scale, so it can compare settings that change the
    features. However, a detector can be stable and blind: one that only hears how loud a clip is
    agrees with itself.

    Parameters
    ----------
    estimator : fitted RepeatedSeedEnsemble
        Ensemble of at least two members.
    X : what `estimator` was fitted on
        Held-out clips, spectrograms or features.
    y : array-like of shape (n_clips,), default=None
        +1 for normal clips, -1 for anomalous ones, which are left out. None means that all are
        normal.

    Returns
    -------
    float
        Mean of Spearman's rank correlation over all pairs of members, in [-1, 1].

    Raises
    ------
    TypeError
        If `estimator` has no members.
    ValueError
        If there are fewer than two members or normal clips, or a member gives all clips the same
        score.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import GaussianMixtureDetector, RepeatedSeedEnsemble
    >>> from skasd.model_selection import score_stability
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> ensemble = RepeatedSeedEnsemble(GaussianMixtureDetector(1), cv=None).fit(X[:100])
    >>> round(score_stability(ensemble, X[100:]), 6)
    1.0
    """
    if not hasattr(estimator, "member_scores"):
        raise TypeError(
            f"score_stability compares the members of a RepeatedSeedEnsemble, got a "
            f"{type(estimator).__name__}. Wrap it: RepeatedSeedEnsemble(estimator)."
        )
    scores = estimator.member_scores(X if y is None else normal_clips(X, y))
    n_clips, n_members = scores.shape
    if n_members < 2 or n_clips < 2:
        raise ValueError(
            f"score_stability compares the rankings of at least 2 clips by 2 members, got "
            f"n_clips={n_clips}, n_repeats={n_members}."
        )
    constant = np.flatnonzero(np.ptp(scores, axis=0) == 0)
    if len(constant):
        raise ValueError(
            f"Member {constant[0]} gives all {n_clips} clips the same score, and cannot rank "
            "them. Pass more clips or fix the detector."
        )
    correlation = np.corrcoef(stats.rankdata(scores, axis=0), rowvar=False)
    return float(correlation[np.triu_indices(n_members, k=1)].mean())


def add_pseudo_anomalies(
    clips: Sequence[Any] | np.ndarray,
    other_clips: Sequence[Any] | np.ndarray,
    *,
    n: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[list[Any] | np.ndarray, np.ndarray]:
    """Add normal clips of other machines as substitutes for anomalous ones.

    With them, `NormalKFold` and the scorers of `skasd.metrics` select settings without a real
    anomaly. This assumes that what distinguishes a machine from its siblings also reveals its
    faults. Other machines are usually easier to detect: use the scores to rank settings, and do
    not report them as AUC.

    Parameters
    ----------
    clips : sequence of clips, spectrograms or features
        Normal clips of the machine.
    other_clips : the same kind of sequence
        Clips of other machines, ideally of the same type and from the same place.
    n : int or None, default=None
        How many of `other_clips` to draw, without replacement. None takes all.
    random_state : int, RandomState instance or None, default=None
        Source of the draw.

    Returns
    -------
    X : ndarray or list
        `clips`, then the pseudo-anomalies: an array if both are arrays whose clips have the
        same shape.
    y : ndarray of shape (n_all_clips,), int
        +1 for `clips`, -1 for the pseudo-anomalies.

    Raises
    ------
    TypeError
        If one of the two is a single clip or a data frame.
    ValueError
        If one of the two is empty, or `n` is not in 1 to the number of `other_clips`.

    Examples
    --------
    >>> from skasd.model_selection import add_pseudo_anomalies
    >>> add_pseudo_anomalies(["id_00/1.wav", "id_00/2.wav"], ["id_02/1.wav"])
    (['id_00/1.wav', 'id_00/2.wav', 'id_02/1.wav'], array([ 1,  1, -1]))
    """
    for name, sequence in (("clips", clips), ("other_clips", other_clips)):
        if hasattr(sequence, "columns"):
            raise TypeError(f"{name} is a data frame. Pass {name}.to_numpy().")
        single = isinstance(sequence, str | bytes | os.PathLike) or (
            isinstance(sequence, np.ndarray) and sequence.ndim == 1 and sequence.dtype.kind in "iuf"
        )
        if single or not hasattr(sequence, "__len__"):
            raise TypeError(
                f"{name} is a single {type(sequence).__name__}. Wrap one clip in a list: [clip]."
            )
        if len(sequence) == 0:
            raise ValueError(f"{name} is empty. Pass at least one clip.")
    if n is not None:
        if not 1 <= n <= len(other_clips):
            raise ValueError(f"n={n} is not in 1 to {len(other_clips)}, the number of other_clips.")
        chosen = check_random_state(random_state).choice(len(other_clips), n, replace=False)
        other_clips = safe_indexing(other_clips, np.sort(chosen))
    y = np.repeat([1, -1], [len(clips), len(other_clips)])
    if (
        isinstance(clips, np.ndarray)
        and isinstance(other_clips, np.ndarray)
        and clips.shape[1:] == other_clips.shape[1:]
    ):
        return np.concatenate([clips, other_clips]), y
    return [*clips, *other_clips], y
