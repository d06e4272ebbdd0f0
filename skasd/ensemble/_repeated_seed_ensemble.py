"""Ensembles of detectors."""

from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Tags, check_random_state, get_tags

from skasd._sklearn import N_JOBS, HasMethods, Interval, StrOptions, fit_context
from skasd._steps import Parts
from skasd.audio._clips import Clips
from skasd.detection._calibrated import (
    FEWEST_TO_LEAVE_OUT,
    LEFT_OUT,
    SEEN,
    THRESHOLD_CONSTRAINTS,
)
from skasd.detection._calibration import split_clips
from skasd.ensemble._fitting import FitAndScore, by_folds, score_left_out, score_seen
from skasd.ensemble._members import AGGREGATIONS, FOLDS, MembersMixin

NORMALIZE_FOLDS = 2
"""Folds for `normalize` if `cv` asks for none."""

MOST_SHIFTED = 0.3
"""Interquartile ranges of new clips' scores by which the least of five may be below their mean.

For normal scores, 0.86 sqrt(1 - r): members that share three quarters of their clips have a
correlation r of about 0.88.
"""

FEWEST_TO_SHIFT = 20
"""Clips on which it is measured how far apart members' scores are."""


class RepeatedSeedEnsemble(MembersMixin, BaseEstimator):
    """Fit the same detector with several seeds; aggregate the anomaly scores of each clip.

    Parameters
    ----------
    estimator : detector or pipeline that ends with one
        Anything with `fit` and `score_samples`. It is cloned, never fitted itself.
    n_repeats : int, default=5
        Number of fits.
    aggregation : {"min", "median", "mean", "max", "soft_max"}, default="min"
        What becomes of a clip's anomaly scores; the report takes the smallest. ``"soft_max"`` is
        log(mean(exp(scores))), for scores on a common scale.
    contamination : float, default=0.1
        Share of healthy clips that may be called anomalous, in (0, 0.5].
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the scores of left-out clips themselves,
        ``"gamma"`` from a gamma distribution fitted to them.
    cv : "members", int or None, default="members"
        Where the threshold and the p-values come from. With ``"members"``, each member leaves out
        another part of the clips, a fifth with five members, and scores them as new ones. Fewer
        than five members leave out a fifth each as well, and the other clips are not scored; a
        single member is fitted on all clips, and besides in five folds. A number fits each member
        on all clips, and besides in as many folds, for ``cv - 1`` times the cost of `fit` on top.
        None takes the scores of clips that the members were fitted on, as the report does: most
        new clips then count as anomalous if a member learns its clips by heart, as an
        autoencoder of few clips does, and `predict` warns of it.
    normalize : bool, default=False
        Whether each member's anomaly scores are standardized before they are aggregated, by the
        mean and standard deviation of its scores for training clips that were left out. A member
        that scores all clips low then no longer is the smallest by that alone. If `cv` is None,
        two folds leave clips out.
    n_jobs : int or None, default=None
        Members that are fitted, and blocks of clips that are scored, at the same time: in threads,
        which share each clip's analysis and the cores, unless a :obj:`joblib.parallel_config`
        context names another backend. No more autoencoders train at a time than there are cores.
        None means 1 unless in such a context.
    random_state : int, RandomState instance or None, default=None
        Source of the seeds: every `random_state` within a member gets one of its own.

    Attributes
    ----------
    estimators_ : list of n_repeats fitted detectors
        The members.
    score_means_, score_stds_ : ndarray of shape (n_repeats,)
        What each member's anomaly scores are standardized by; 0 and 1 without `normalize`.
    offset_ : float
        Threshold of `score_samples`.
    training_scores_ : ndarray of shape (n_clips,)
        Scores of the training clips, as `score_samples` counts, by members that had left them out
        (see the notes); by all members if `cv` is None. NaN for a clip that none has left out.
    calibration_scores_ : ndarray of shape (n_calibration_clips,)
        Scores that the threshold and the p-values come from.
    calibration_is_target_ : ndarray of shape (n_calibration_clips,), bool, or None
        Which of these are of the target, if `fit` was told the clips' domains.
    calibrated_on_ : {"left out", "seen in training", "new"}
        What the clips of those scores are to the members.
    n_features_in_ : int
        Number of features, if the members have it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if the members have them.

    Notes
    -----
    With ``cv="members"``, a training clip has the score of a single member that does not know it,
    where a new clip has the aggregate of all. By how much aggregates are lower (or higher) is
    estimated on clips that members know, and widened by the ratio of the interquartile ranges of
    both kinds of scores; of fewer than 20 clips, it is taken to be 0. So the p-values are those of
    cross-conformal prediction on the aggregated score but for this estimate, and their rates hold
    as far as it does.

    The same int for `random_state` gives the same scores whatever `n_jobs` and whatever joblib
    backend: bit for bit if each process has the same number of cores and BLAS threads, and to
    a relative 1e-5, with the same decisions but for ties, if only the number of BLAS threads
    differs.
    A process that is pinned to fewer cores trains to other bits, because XLA then splits its
    products otherwise. joblib's ``"multiprocessing"`` backend forks, which JAX does not survive
    once it runs; the default, loky, is the one to use.

    References
    ----------
    Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial Intelligence 74, 2015.

    Section 3.1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import GaussianMixtureDetector, RepeatedSeedEnsemble
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> ensemble = RepeatedSeedEnsemble(GaussianMixtureDetector(), random_state=0).fit(X)
    >>> ensemble.predict([[0.0, 0.0], [5.0, 5.0]])
    array([ 1, -1])
    >>> ensemble.member_scores([[0.0, 0.0], [5.0, 5.0]]).shape
    (2, 5)
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "aggregation": [StrOptions(set(AGGREGATIONS))],
        **THRESHOLD_CONSTRAINTS,
        "cv": [StrOptions({"members"}), Interval(Integral, 2, None, closed="left"), None],
        "normalize": ["boolean"],
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        n_repeats: int = 5,
        aggregation: str = "min",
        contamination: float = 0.1,
        threshold_rule: str = "percentile",
        cv: str | int | None = "members",
        normalize: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.n_repeats = n_repeats
        self.aggregation = aggregation
        self.contamination = contamination
        self.threshold_rule = threshold_rule
        self.cv = cv
        self.normalize = normalize
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Clips | ArrayLike, y: Any = None, *, domain: ArrayLike | None = None) -> Self:
        """Fit all members on healthy clips, and the threshold on what they say together.

        Parameters
        ----------
        X : what `estimator` is fitted on
            Clips, spectrograms or features.
        y : array-like of shape (n_clips,), default=None
            If it holds +1 (normal) and -1 (anomalous) alone, the anomalous clips are left out:
            so a search with `skasd.model_selection` fits its best setting to normal clips. Other
            labels, such as 0 and 1, are refused; anything else is passed on.
        domain : array-like of shape (n_clips,), default=None
            ``"source"`` or ``"target"`` for each clip. The threshold and the p-values then hold in
            both, and the steps that take domains are told so, whether or not metadata routing is
            turned on.

        Returns
        -------
        self : RepeatedSeedEnsemble

        Raises
        ------
        AudioError
            If a clip cannot be read or analyzed.
        ValueError
            If a parameter is invalid, all clips are anomalous, there are fewer clips than
            folds, or ``normalize=True`` finds a member that scores all clips alike.
        """
        random_state = check_random_state(self.random_state)
        members = {
            f"Member {index}": _reseed(clone(self.estimator), random_state)
            for index in range(self.n_repeats)
        }
        self._fit_members(
            members,
            X,
            y,
            domain,
            plan=self._plan,
            standardize=self.normalize,
            calibrated_on=SEEN if self.cv is None and not self.normalize else LEFT_OUT,
        )
        return self

    def _plan(self, n_clips: int, is_target: np.ndarray | None) -> list[FitAndScore]:
        """Return how each member is fitted, and which clips it scores."""
        cv = NORMALIZE_FOLDS if self.normalize and self.cv is None else self.cv
        if cv is None or (cv == "members" and n_clips < FEWEST_TO_LEAVE_OUT):
            return [score_seen] * self.n_repeats
        if cv == "members" and self.n_repeats > 1:
            n_parts = min(max(self.n_repeats, FOLDS), n_clips)
            parts = split_clips(n_clips, n_parts, is_target)
            left_out = [part for _, part in parts][: self.n_repeats]
            left_out += [np.array([], dtype=int)] * (self.n_repeats - len(left_out))
            return [partial(score_left_out, left_out=part) for part in left_out]
        n_folds = min(FOLDS, n_clips) if isinstance(cv, str) else cv
        return [by_folds(n_folds, n_clips)] * self.n_repeats

    def _aggregate_new(self, member_scores: np.ndarray, is_new: np.ndarray) -> np.ndarray:
        """Estimate what all members would say of a clip, by the one that has left it out."""
        if is_new.all():
            return super()._aggregate_new(member_scores, is_new)
        scores = np.full(len(member_scores), np.nan)
        scores[is_new.any(axis=1)] = member_scores[is_new]
        return scores + self._shift(member_scores, is_new)

    def _shift(self, member_scores: np.ndarray, is_new: np.ndarray) -> float:
        """Return by how much the aggregate of new clips is above the score of a single member.

        It is measured on the clips that members know, whose scores are as much closer to each other
        as the middle half of all scores is narrower. What members know by heart says little of how
        they judge new clips, so there is a limit.
        """
        known = [row[~new] for row, new in zip(member_scores, is_new, strict=True)]
        known = [row for row in known if len(row) > 1]
        if len(known) < FEWEST_TO_SHIFT:
            return 0.0
        means = np.array([row.mean() for row in known])
        aggregates = np.array([self._aggregate(row[np.newaxis])[0] for row in known])
        narrow, wide = stats.iqr(means), stats.iqr(member_scores[is_new])
        widening = max(wide / narrow, 1.0) if narrow > 0 else 1.0
        most = MOST_SHIFTED * wide
        return float(np.clip(widening * (aggregates - means).mean(), -most, most))

    def _parts(self, fitted: bool) -> Parts:
        are_fitted = fitted and hasattr(self, "estimators_")
        members = self.estimators_ if are_fitted else [self.estimator]
        return Parts([("estimator", member) for member in members], side_by_side=True)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def _reseed(estimator: BaseEstimator, random_state: np.random.RandomState) -> BaseEstimator:
    """Give every random_state within an estimator a seed of its own."""
    names = [
        name
        for name in sorted(estimator.get_params(deep=True))
        if name == "random_state" or name.endswith("__random_state")
    ]
    seeds = random_state.randint(np.iinfo(np.int32).max, size=len(names)).tolist()
    return estimator.set_params(**dict(zip(names, seeds, strict=True)))
