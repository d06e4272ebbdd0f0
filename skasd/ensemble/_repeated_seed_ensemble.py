"""Ensembles of detectors."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Tags, check_random_state, get_tags

from skasd._sklearn import HasMethods, Interval, StrOptions, fit_context
from skasd._steps import Parts
from skasd.audio._clips import Clips
from skasd.detection._base import THRESHOLD_CONSTRAINTS
from skasd.ensemble._members import AGGREGATIONS, MembersMixin

NORMALIZE_FOLDS = 2
"""Folds for `normalize` if `cv` asks for none."""


class RepeatedSeedEnsemble(MembersMixin, BaseEstimator):
    """Fit the same detector with several seeds; aggregate the anomaly scores of each clip.

    Parameters
    ----------
    estimator : detector or pipeline that ends with one
        Anything with `fit` and `score_samples`. It is cloned, never fitted itself.
    n_repeats : int, default=5
        Number of fits.
    aggregation : {"min", "median", "mean", "max"}, default="min"
        What becomes of a clip's anomaly scores; the report takes the smallest.
    contamination : float, default=0.1
        Share of the training clips beyond the threshold, in (0, 0.5].
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the training scores themselves, ``"gamma"`` from
        a gamma distribution fitted to the training clips' anomaly scores.
    cv : int or None, default=None
        Where the threshold comes from. None takes it from the scores of the clips that the members
        were fitted on, as scikit-learn's detectors do. That is too strict for what learns its
        training clips by heart, as an autoencoder of few clips does: most new clips then count as
        anomalous. A number of folds takes it from the scores of clips that were left out, for
        ``cv - 1`` times the cost of `fit` on top. The scores themselves stay the same without
        `normalize`.
    normalize : bool, default=False
        Whether each member's anomaly scores are standardized before they are aggregated, by the
        mean and standard deviation of its scores for training clips that were left out. A member
        that scores all clips low then no longer is the smallest by that alone. The folds are those
        of `cv`, or two if `cv` is None, and the threshold comes from the same scores.
    n_jobs : int or None, default=None
        Members that are fitted, and blocks of clips that are scored, at the same time: in threads,
        which share each clip's analysis and the cores, unless a :obj:`joblib.parallel_config`
        context names another backend. Autoencoders train in turn if fewer than two cores are
        left for each. None means 1 unless in such a context.
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
        Scores of the training clips, as `score_samples` counts, that the threshold comes from: of
        clips that were left out, with `cv` or `normalize`.
    n_features_in_ : int
        Number of features, if the members have it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if the members have them.

    Notes
    -----
    The same int for `random_state` gives the same scores whatever `n_jobs` and whatever joblib
    backend: bit for bit if each process has the same number of cores and BLAS threads, and to
    a relative 1e-5, with the same decisions but for ties, if only the number of BLAS threads
    differs.
    A process that is pinned to fewer cores trains to other bits, because XLA then splits its
    products otherwise. joblib's ``"multiprocessing"`` backend forks, which JAX does not survive
    once it runs; the default, loky, is the one to use.

    References
    ----------
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
        "cv": [Interval(Integral, 2, None, closed="left"), None],
        "normalize": ["boolean"],
        "n_jobs": [Integral, None],
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
        cv: int | None = None,
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
    def fit(self, X: Clips | ArrayLike, y: Any = None) -> Self:
        """Fit all members on healthy clips, and the threshold on what they say together.

        Parameters
        ----------
        X : what `estimator` is fitted on
            Clips, spectrograms or features.
        y : array-like of shape (n_clips,), default=None
            If it holds +1 (normal) and -1 (anomalous) alone, the anomalous clips are left out:
            so a search with `skasd.model_selection` fits its best setting to normal clips.
            Anything else is passed on.

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
        cv = NORMALIZE_FOLDS if self.normalize and self.cv is None else self.cv
        self._fit_members(members, X, y, cv=cv, standardize=self.normalize)
        return self

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
