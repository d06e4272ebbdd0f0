"""Different detectors of the same clips, fused."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, Tags, get_tags

from skasd._sklearn import N_JOBS, BaseComposition, Interval, StrOptions, fit_context
from skasd._steps import Parts, last_step, remedy
from skasd._utils.fitted import Estimator
from skasd.audio._clips import Clips
from skasd.detection._base import AnomalyDetectorMixin
from skasd.detection._calibrated import FEWEST_TO_LEAVE_OUT, THRESHOLD_CONSTRAINTS
from skasd.ensemble._fitting import FitAndScore, by_folds, score_own
from skasd.ensemble._members import AGGREGATIONS, FOLDS, MembersMixin

WEIGHTED: dict[str, Callable[..., np.ndarray]] = {
    "mean": np.average,
    "soft_max": AGGREGATIONS["soft_max"],
}
"""Aggregations that take weights."""


class FusionDetector(MembersMixin, BaseComposition):
    """Score clips by several detectors, and combine their scores on a common scale.

    A log-density, a distance and a reconstruction error have scales of their own. So each
    detector's anomaly scores are standardized by the mean and standard deviation of its scores for
    training clips that were left out: a score of 2 then means two standard deviations above what
    is usual for a healthy machine, whichever detector gives it.

    Parameters
    ----------
    detectors : list of (str, detector)
        Names and detectors, or pipelines that end with one: anything with `fit` and
        `score_samples`. All are fitted on the same clips. They are cloned, never fitted
        themselves.
    aggregation : {"mean", "soft_max", "max", "min", "median"}, default="mean"
        How a clip's standardized anomaly scores z are combined. ``"max"`` calls a clip anomalous
        if one detector does, ``"min"`` if all do. ``"soft_max"``, log(mean(exp(z))), is near the
        mean if all detectors agree, and near the largest score if one of them stands out.
    weights : array-like of shape (n_detectors,), default=None
        Weights of the detectors in the mean of ``"mean"`` and ``"soft_max"``, not negative. None
        weighs all alike.
    cv : "members" or int, default="members"
        Where the scores of left-out clips come from, which standardize the scores and give the
        threshold. With ``"members"``, a detector that leaves clips out itself is fitted once: an
        ensemble, or a detector of features behind steps that learn nothing from clips. Any other
        detector is fitted once on all clips, and in five folds. A number fits every detector in
        as many folds, and once on all clips.
    contamination : float, default=0.1
        Share of healthy clips that may be called anomalous, in (0, 0.5].
    threshold_rule : {"percentile", "gamma"}, default="percentile"
        ``"percentile"`` takes the threshold from the scores of left-out clips themselves,
        ``"gamma"`` from a gamma distribution fitted to them.
    n_jobs : int or None, default=None
        Detectors that are fitted, and blocks of clips that are scored, at the same time: in
        threads, which share each clip's analysis, unless a :obj:`joblib.parallel_config` context
        names another backend. None means 1 unless in such a context.

    Attributes
    ----------
    estimators_ : list of n_detectors fitted detectors
        The fitted detectors.
    named_estimators_ : Bunch
        The same by name.
    score_means_, score_stds_ : ndarray of shape (n_detectors,)
        What each detector's anomaly scores are standardized by.
    offset_ : float
        Threshold of `score_samples`.
    training_scores_ : ndarray of shape (n_clips,)
        Scores of the training clips, as `score_samples` counts, by detectors that had left them
        out. NaN for a clip that one has not left out.
    calibration_scores_ : ndarray of shape (n_calibration_clips,)
        Scores that the threshold and the p-values come from.
    calibration_is_target_ : ndarray of shape (n_calibration_clips,), bool, or None
        Which of these are of the target, if `fit` was told the clips' domains.
    calibrated_on_ : {"left out", "seen in training", "new"}
        What the clips of those scores are to the detectors.
    n_features_in_ : int
        Number of features, if the first detector has it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if the first detector has them.

    See Also
    --------
    RepeatedSeedEnsemble : Fits one detector with several seeds.

    Notes
    -----
    Nothing is learned from anomalous clips. The folds are the same for each detector and in each
    run. Seeds are those of the detectors: give each one a `random_state` for scores that can be
    repeated.

    References
    ----------
    Kriegel et al., "Interpreting and unifying outlier scores", SIAM International Conference on
    Data Mining, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import FusionDetector, GaussianMixtureDetector, NearestNeighborsDetector
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> detectors = [
    ...     ("density", GaussianMixtureDetector(n_components=1)),
    ...     ("distance", NearestNeighborsDetector()),
    ... ]
    >>> fusion = FusionDetector(detectors).fit(X)
    >>> fusion.predict([[0.0, 0.0], [5.0, 5.0]])
    array([ 1, -1])
    >>> fusion.member_scores([[0.0, 0.0], [5.0, 5.0]]).shape
    (2, 2)
    >>> fusion.set_params(distance__n_neighbors=3).get_params()["distance"]
    NearestNeighborsDetector(n_neighbors=3)
    """

    _parameter_constraints = {
        "detectors": [list],
        "aggregation": [StrOptions(set(AGGREGATIONS))],
        "weights": ["array-like", None],
        "cv": [StrOptions({"members"}), Interval(Integral, 2, None, closed="left")],
        **THRESHOLD_CONSTRAINTS,
        "n_jobs": N_JOBS,
    }

    _fitted = {**MembersMixin._fitted, "named_estimators_": Estimator(Bunch)}

    def __init__(
        self,
        detectors: list[tuple[str, Any]],
        *,
        aggregation: str = "mean",
        weights: ArrayLike | None = None,
        cv: str | int = "members",
        contamination: float = 0.1,
        threshold_rule: str = "percentile",
        n_jobs: int | None = None,
    ):
        self.detectors = detectors
        self.aggregation = aggregation
        self.weights = weights
        self.cv = cv
        self.contamination = contamination
        self.threshold_rule = threshold_rule
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Clips | ArrayLike, y: Any = None, *, domain: ArrayLike | None = None) -> Self:
        """Fit all detectors on healthy clips, their common scale, and the threshold.

        Parameters
        ----------
        X : what the detectors are fitted on
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
        self : FusionDetector

        Raises
        ------
        AudioError
            If a clip cannot be read or analyzed.
        ValueError
            If a parameter is invalid, all clips are anomalous, there are fewer clips than
            folds, or a detector scores all clips alike.
        """
        self._check_detectors()
        self._check_weights()
        members = {f"Detector {name!r}": clone(detector) for name, detector in self.detectors}
        self._fit_members(members, X, y, domain, plan=self._plan, standardize=True)
        names = [name for name, _ in self.detectors]
        self.named_estimators_ = Bunch(**dict(zip(names, self.estimators_, strict=True)))
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, and with `deep` those of the detectors by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the detectors and their parameters, such as ``name__n_neighbors``.

        Returns
        -------
        dict of str to object
        """
        return self._get_params("detectors", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters: of the fusion, a detector by its name, or of a detector.

        Parameters
        ----------
        **params
            Named as by `get_params`.

        Returns
        -------
        self : FusionDetector

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        self._set_params("detectors", **params)
        return self

    def _check_detectors(self) -> None:
        if not self.detectors:
            raise ValueError("detectors is empty. Pass at least one (name, detector).")
        for item in self.detectors:
            if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
                raise ValueError(f"detectors holds {item!r}. Pass tuples (name, detector).")
            name, detector = item
            methods = ("fit", "score_samples", "get_params")
            if isinstance(detector, type) or not all(hasattr(detector, each) for each in methods):
                raise ValueError(
                    f"Detector {name!r} is {detector!r}, which does not have all of "
                    f"{', '.join(methods)}. {remedy(last_step(detector))}"
                )
        self._validate_names([name for name, _ in self.detectors])

    def _check_weights(self) -> None:
        if self.weights is None:
            return
        if self.aggregation not in WEIGHTED:
            raise ValueError(
                f"weights are for aggregation='mean' or 'soft_max', got {self.aggregation!r}. Pass "
                "weights=None."
            )
        weights = np.asarray(self.weights, dtype=np.float64)
        if weights.shape != (len(self.detectors),) or not _are_weights(weights):
            raise ValueError(
                f"weights={self.weights!r}: expected {len(self.detectors)} numbers, one for each "
                "detector, that are not negative and not all 0."
            )

    def _check_fitted(self) -> None:
        super()._check_fitted()
        self._check_detectors()
        self._check_weights()
        named = self.named_estimators_
        if list(named) != [name for name, _ in self.detectors]:
            raise ValueError("named_estimators_ has other names than detectors")
        pairs = zip(named.values(), self.estimators_, strict=True)
        if not all(by_name is estimator for by_name, estimator in pairs):
            raise ValueError("named_estimators_ and estimators_ differ")

    def _plan(self, n_clips: int, is_target: np.ndarray | None) -> list[FitAndScore]:
        """Return how each detector is fitted, and which clips it scores."""
        n_folds = max(2, min(FOLDS, n_clips)) if isinstance(self.cv, str) else self.cv
        folds = by_folds(n_folds, n_clips)
        return [
            score_own if self.cv == "members" and leaves_out(detector, n_clips) else folds
            for _, detector in self.detectors
        ]

    def _aggregate(self, member_scores: np.ndarray) -> np.ndarray:
        if self.weights is None:
            return super()._aggregate(member_scores)
        return WEIGHTED[self.aggregation](member_scores, axis=1, weights=np.asarray(self.weights))

    def _parts(self, fitted: bool) -> Parts:
        are_fitted = fitted and hasattr(self, "named_estimators_")
        detectors = list(self.named_estimators_.items()) if are_fitted else self.detectors
        return Parts(detectors, side_by_side=True)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        for _, detector in self.detectors[:1]:
            tags.input_tags = get_tags(detector).input_tags
        return tags


def _are_weights(weights: np.ndarray) -> bool:
    return bool(np.isfinite(weights).all() and (weights >= 0).all() and weights.any())


def leaves_out(detector: Any, n_clips: int) -> bool:
    """Tell whether a detector scores each training clip as a new one."""
    if n_clips < FEWEST_TO_LEAVE_OUT:
        return False
    if isinstance(detector, Pipeline):
        *steps, (_, last) = detector.steps
        learn = [step for _, step in steps if not isinstance(step, str) and learns(step)]
        return not learn and leaves_out(last, n_clips)
    if isinstance(detector, MembersMixin):
        return getattr(detector, "cv", None) is not None
    return isinstance(detector, AnomalyDetectorMixin)


def learns(step: Any) -> bool:
    """Tell whether a transformer learns anything from the clips, as its tags say."""
    return step is not None and get_tags(step).requires_fit
