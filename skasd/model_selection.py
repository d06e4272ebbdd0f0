"""Splits that train on normal clips only, and ways to select settings without any anomaly.

Labels are +1 for normal clips and -1 for anomalous ones, as in `skasd.metrics`, whose scorers go
with the splits.

Beware of ``GridSearchCV(refit=True)``: after the search it fits `best_estimator_` on all of X,
anomalous clips and test folders included. Fit the best setting on the training clips yourself, as
the example of `NormalKFold` does.
"""

import os
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from pathlib import PurePath

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.model_selection import BaseCrossValidator, KFold
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skasd.audio import Clips
from skasd.metrics import check_labels

TRAINING_FOLDER = "train"
TEST_FOLDERS = ("test", "source_test", "target_test")
"""What DCASE calls the folders of a machine, since 2020."""


class NormalKFold(BaseCrossValidator):
    """Folds of normal clips: train on some, test on the others and on the anomalous clips.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds; at least 2.
    anomalous_share : float, default=1.0
        Share of the anomalous clips to test on, in (0, 1]: the same clips in each fold, and at
        least one. The others take no part, so they are left for an honest test.
    shuffle : bool, default=True
        Whether to shuffle the normal clips. Recordings that follow each other are alike, so
        ``False`` is the harder test.
    random_state : int, RandomState instance or None, default=None
        Source of the shuffle and of the share.

    Notes
    -----
    Without any anomalous clip the folds serve for scorers that need none, such as
    `held_out_likelihood`. Where the anomalous clips chose the setting, its score is too good:
    report that of other clips.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import clone
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skasd import GaussianMixtureDetector
    >>> from skasd.metrics import pauc_scorer
    >>> from skasd.model_selection import NormalKFold
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(100, 2)), rng.normal(3, 1, size=(20, 2))])
    >>> y = np.repeat([1, -1], [100, 20])
    >>> search = GridSearchCV(
    ...     GaussianMixtureDetector(random_state=0),
    ...     {"n_components": [1, 8]},
    ...     scoring=pauc_scorer,
    ...     cv=NormalKFold(random_state=0),
    ...     refit=False,
    ... ).fit(X, y)
    >>> search.best_params_
    {'n_components': 1}
    >>> detector = clone(search.estimator).set_params(**search.best_params_).fit(X[y == 1])
    """

    @validate_params(
        {
            "n_splits": [Interval(Integral, 2, None, closed="left")],
            "anomalous_share": [Interval(Real, 0, 1, closed="right")],
            "shuffle": ["boolean"],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(self, n_splits=5, *, anomalous_share=1.0, shuffle=True, random_state=None):
        self.n_splits = n_splits
        self.anomalous_share = anomalous_share
        self.shuffle = shuffle
        self.random_state = random_state

    def split(
        self, X, y: ArrayLike | None = None, groups=None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training and test clips of each fold.

        Parameters
        ----------
        X : sequence of n_clips
            Clips, spectrograms or features.
        y : array-like of shape (n_clips,)
            +1 for normal clips, -1 for anomalous ones. Required.
        groups : ignored
            For scikit-learn.

        Yields
        ------
        train : ndarray of int
            Indices of normal clips.
        test : ndarray of int
            Indices of the other normal clips and of anomalous ones.

        Raises
        ------
        ValueError
            Where `y` is missing or wrong, or there are fewer normal clips than folds.
        """
        if y is None:
            raise ValueError(
                "NormalKFold needs y to know the normal clips. Where all are, pass np.ones(len(X))."
            )
        check_consistent_length(X, y)
        is_anomalous = check_labels(y)
        normal, anomalous = np.flatnonzero(~is_anomalous), np.flatnonzero(is_anomalous)
        if len(normal) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} needs as many normal clips, got {len(normal)}. "
                "Pass more clips or ask for fewer splits."
            )
        random_state = check_random_state(self.random_state)
        k_fold = KFold(
            self.n_splits, shuffle=self.shuffle, random_state=random_state if self.shuffle else None
        )
        # Drawn before the share, so that the share does not change them.
        folds = list(k_fold.split(normal))
        if self.anomalous_share < 1 and len(anomalous):
            n_tested = max(1, round(self.anomalous_share * len(anomalous)))
            anomalous = random_state.choice(anomalous, n_tested, replace=False)
        for train, test in folds:
            yield normal[train], np.sort(np.concatenate([normal[test], anomalous]))

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : ignored
            For scikit-learn.

        Returns
        -------
        int
        """
        return self.n_splits


class TrainTestFolder(BaseCrossValidator):
    """The challenge's own split: train on the clips in ``train``, test on those in ``test``.

    Only the folder that a clip lies in counts: ``train``, or ``test``, ``source_test`` or
    ``target_test``, as DCASE has called them since 2020. It is one split of paths.

    Examples
    --------
    >>> from skasd.model_selection import TrainTestFolder
    >>> paths = ["fan/train/1.wav", "fan/test/1.wav", "fan/train/2.wav"]
    >>> list(TrainTestFolder().split(paths))
    [(array([0, 2]), array([1]))]
    """

    def split(
        self, X: Sequence[str | os.PathLike], y: ArrayLike | None = None, groups=None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training and test clips, once.

        Parameters
        ----------
        X : sequence of str or PathLike
            Paths of the clips. They need not exist.
        y : array-like of shape (n_clips,), default=None
            +1 for normal clips, -1 for anomalous ones; to check that all training clips are
            normal.
        groups : ignored
            For scikit-learn.

        Yields
        ------
        train : ndarray of int
            Indices of the clips in the training folder.
        test : ndarray of int
            Indices of those in the test folders.

        Raises
        ------
        TypeError
            Where a clip is not a path.
        ValueError
            Where a clip lies in another folder, one of the two parts is empty, or a training clip
            is anomalous.
        """
        folders = np.array([_folder(clip, index) for index, clip in enumerate(X)], dtype=object)
        train = np.flatnonzero(folders == TRAINING_FOLDER)
        test = np.flatnonzero(folders != TRAINING_FOLDER)
        for part, names in ((train, (TRAINING_FOLDER,)), (test, TEST_FOLDERS)):
            if len(part) == 0:
                raise ValueError(
                    f"None of the {len(folders)} clips lies in a folder {' or '.join(names)}. "
                    "Pass the paths of both parts together."
                )
        if y is not None:
            check_consistent_length(X, y)
            anomalous = train[check_labels(y)[train]]
            if len(anomalous):
                raise ValueError(
                    f"y says that {X[anomalous[0]]} is anomalous, and {len(anomalous)} clips of "
                    "the training folder in all. Mend y, or move them to a test folder."
                )
        yield train, test

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Return 1.

        Parameters
        ----------
        X, y, groups : ignored
            For scikit-learn.

        Returns
        -------
        int
        """
        return 1


def _folder(clip: str | os.PathLike, index: int) -> str:
    if not isinstance(clip, str | os.PathLike):
        raise TypeError(
            f"TrainTestFolder splits by path, but clip {index} is a {type(clip).__name__}. "
            "Pass paths, or split arrays with NormalKFold."
        )
    folder = PurePath(clip).parent.name
    if folder not in (TRAINING_FOLDER, *TEST_FOLDERS):
        raise ValueError(
            f"{clip} lies in the folder {folder!r}, which is none of "
            f"{', '.join((TRAINING_FOLDER, *TEST_FOLDERS))}. Leave it out or move it."
        )
    return folder


def held_out_likelihood(estimator: BaseEstimator, X, y: ArrayLike | None = None) -> float:
    """Score a fitted detector by the mean `score_samples` of held-out normal clips.

    This assumes that the scores are log-densities of the same features. So it compares settings
    of a density, such as `n_components` or `covariance_type` of `GaussianMixtureDetector`. It does
    not compare settings that change the features, such as `n_fft` or `encoder_units`: features
    of a smaller scale have a higher density, and tell nothing more of faults.

    Parameters
    ----------
    estimator : fitted detector or pipeline that ends with one
        Anything with `score_samples`.
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
        Where no clip is normal.

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
    return float(np.mean(estimator.score_samples(_normal_clips(X, y))))


def score_stability(estimator: BaseEstimator, X, y: ArrayLike | None = None) -> float:
    """Score a fitted ensemble by how far its members agree in ranking held-out normal clips.

    This assumes that what differs from seed to seed is chance, and what stays tells of the
    machine. It does not depend on scale, so settings that change the features compare. But a
    detector may be stable and blind: one that only hears how loud a clip is agrees with itself.

    Parameters
    ----------
    estimator : fitted RepeatedSeedEnsemble
        With two members or more.
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
        Where `estimator` has no members.
    ValueError
        Where there are fewer than two members or normal clips, or a member scores all alike.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import GaussianMixtureDetector, RepeatedSeedEnsemble
    >>> from skasd.model_selection import score_stability
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> ensemble = RepeatedSeedEnsemble(GaussianMixtureDetector(1), n_repeats=2).fit(X[:100])
    >>> round(score_stability(ensemble, X[100:]), 6)
    1.0
    """
    if not hasattr(estimator, "member_scores"):
        raise TypeError(
            f"score_stability compares the members of a RepeatedSeedEnsemble, got a "
            f"{type(estimator).__name__}. Wrap it: RepeatedSeedEnsemble(estimator)."
        )
    scores = estimator.member_scores(_normal_clips(X, y))
    n_clips, n_members = scores.shape
    if n_members < 2 or n_clips < 2:
        raise ValueError(
            f"score_stability compares the rankings of at least 2 clips by 2 members, got "
            f"n_clips={n_clips}, n_repeats={n_members}."
        )
    constant = np.flatnonzero(np.ptp(scores, axis=0) == 0)
    if len(constant):
        raise ValueError(
            f"Member {constant[0]} scores all {n_clips} clips alike: it does not rank them. "
            "Pass more clips or mend the detector."
        )
    correlation = np.corrcoef(stats.rankdata(scores, axis=0), rowvar=False)
    return float(correlation[np.triu_indices(n_members, k=1)].mean())


def _normal_clips(X, y: ArrayLike | None):
    if y is None:
        return X
    check_consistent_length(X, y)
    normal = np.flatnonzero(~check_labels(y))
    if len(normal) == 0:
        raise ValueError(f"All {len(y)} clips are anomalous (y = -1). Pass normal ones as well.")
    return _safe_indexing(X, normal)


def add_pseudo_anomalies(
    clips: Clips,
    other_clips: Clips,
    *,
    n: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Clips, np.ndarray]:
    """Let normal clips of other machines stand in for anomalous ones.

    With them, `NormalKFold` and the scorers of `skasd.metrics` select settings without a real
    anomaly. This assumes that what tells a machine from its siblings tells its faults as well.
    Other machines are mostly easier to tell: take the scores for ranking settings, and do not
    report them as AUC.

    Parameters
    ----------
    clips : sequence of clips, spectrograms or features
        Normal clips of the machine.
    other_clips : the same kind of sequence
        Clips of other machines, best of the same type and from the same place.
    n : int or None, default=None
        How many of `other_clips` to draw, without replacement. None takes all.
    random_state : int, RandomState instance or None, default=None
        Source of the draw.

    Returns
    -------
    X : ndarray or list
        `clips`, then the pseudo-anomalies: an array where both are arrays whose clips have the
        same shape.
    y : ndarray of shape (n_all_clips,), int
        +1 for `clips`, -1 for the pseudo-anomalies.

    Raises
    ------
    TypeError
        Where one of the two is a single clip or a data frame.
    ValueError
        Where one of the two is empty, or `n` is not in 1 to the number of `other_clips`.

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
        other_clips = _safe_indexing(other_clips, np.sort(chosen))
    y = np.repeat([1, -1], [len(clips), len(other_clips)])
    arrays = isinstance(clips, np.ndarray) and isinstance(other_clips, np.ndarray)
    if arrays and clips.shape[1:] == other_clips.shape[1:]:
        return np.concatenate([clips, other_clips]), y
    return [*clips, *other_clips], y
