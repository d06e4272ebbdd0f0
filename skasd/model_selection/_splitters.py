"""Splits that train on normal clips only."""

import os
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator, KFold
from sklearn.utils import check_consistent_length, check_random_state

from skasd._sklearn import Interval, validate_params
from skasd.metrics._labels import check_labels

TRAINING_FOLDER = "train"
TEST_FOLDERS = ("test", "source_test", "target_test")
"""Names that DCASE has given the test folders of a machine since 2020."""


class NormalKFold(BaseCrossValidator):
    """Folds of normal clips: train on some, test on the others and on the anomalous clips.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds; at least 2.
    anomalous_share : float, default=1.0
        Share of the anomalous clips to test on, in (0, 1]: the same clips in each fold, and at
        least one. The others are left out, so they can serve for an honest test.
    shuffle : bool, default=True
        Whether to shuffle the normal clips. Consecutive recordings are alike, so ``False`` is the
        harder test.
    random_state : int, RandomState instance or None, default=None
        Source of the shuffle and of the choice of anomalous clips.

    Notes
    -----
    Without any anomalous clip, the folds suit scorers that need none, such as
    `held_out_likelihood`. If anomalous clips were used to choose a setting, its score on them is
    too optimistic; report the score on other clips.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skasd import GaussianMixtureDetector, RepeatedSeedEnsemble
    >>> from skasd.metrics import pauc_scorer
    >>> from skasd.model_selection import NormalKFold
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(100, 2)), rng.normal(3, 1, size=(20, 2))])
    >>> y = np.repeat([1, -1], [100, 20])
    >>> search = GridSearchCV(
    ...     RepeatedSeedEnsemble(GaussianMixtureDetector(), n_repeats=2, random_state=0),
    ...     {"estimator__n_components": [1, 8]},
    ...     scoring=pauc_scorer,
    ...     cv=NormalKFold(random_state=0),
    ... ).fit(X, y)
    >>> search.best_params_
    {'estimator__n_components': 1}
    """

    @validate_params(
        {
            "n_splits": [Interval(Integral, 2, None, closed="left")],
            "anomalous_share": [Interval(Real, 0, 1, closed="right")],
            "shuffle": ["boolean"],
            "random_state": ["random_state"],
        }
    )
    def __init__(
        self,
        n_splits: Any = 5,
        *,
        anomalous_share: Any = 1.0,
        shuffle: Any = True,
        random_state: Any = None,
    ):
        self.n_splits = n_splits
        self.anomalous_share = anomalous_share
        self.shuffle = shuffle
        self.random_state = random_state

    def split(
        self, X: Any, y: ArrayLike | None = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training and test clips of each fold.

        Parameters
        ----------
        X : sequence of n_clips
            Clips, spectrograms or features.
        y : array-like of shape (n_clips,)
            +1 for normal clips, -1 for anomalous ones. Required.
        groups : ignored
            Not used, present for API consistency by convention.

        Yields
        ------
        train : ndarray of int
            Indices of normal clips.
        test : ndarray of int
            Indices of the other normal clips and of anomalous ones.

        Raises
        ------
        ValueError
            If `y` is missing or wrong, or there are fewer normal clips than folds.
        """
        if y is None:
            raise ValueError(
                "NormalKFold needs y to know the normal clips. If all are, pass np.ones(len(X))."
            )
        check_consistent_length(X, y)
        is_anomalous = check_labels(y)
        normal, anomalous = np.flatnonzero(~is_anomalous), np.flatnonzero(is_anomalous)
        if len(normal) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} needs at least as many normal clips, got {len(normal)}. "
                "Pass more clips, or ask for fewer splits."
            )
        random_state = check_random_state(self.random_state)
        k_fold = KFold(
            self.n_splits, shuffle=self.shuffle, random_state=random_state if self.shuffle else None
        )
        # Drawn before the anomalous clips, so that their share does not change the folds.
        folds = list(k_fold.split(normal))
        if self.anomalous_share < 1 and len(anomalous):
            n_tested = max(1, round(self.anomalous_share * len(anomalous)))
            anomalous = random_state.choice(anomalous, n_tested, replace=False)
        for train, test in folds:
            yield normal[train], np.sort(np.concatenate([normal[test], anomalous]))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        int
        """
        return self.n_splits


class TrainTestFolder(BaseCrossValidator):
    """The challenge's own split: train on the clips in ``train``, test on those in ``test``.

    Only the folder of a clip counts: ``train``, or one of ``test``, ``source_test`` and
    ``target_test``, which DCASE has used since 2020. It yields a single split, and works on paths.

    Examples
    --------
    >>> from skasd.model_selection import TrainTestFolder
    >>> paths = ["fan/train/1.wav", "fan/test/1.wav", "fan/train/2.wav"]
    >>> list(TrainTestFolder().split(paths))
    [(array([0, 2]), array([1]))]
    """

    def split(
        self, X: Sequence[str | os.PathLike], y: ArrayLike | None = None, groups: Any = None
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
            Not used, present for API consistency by convention.

        Yields
        ------
        train : ndarray of int
            Indices of the clips in the training folder.
        test : ndarray of int
            Indices of those in the test folders.

        Raises
        ------
        TypeError
            If a clip is not a path.
        ValueError
            If a clip lies in another folder, one of the two parts is empty, or a training clip
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
                    "the training folder in total. Correct y, or move them to a test folder."
                )
        yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return 1.

        Parameters
        ----------
        X, y, groups : ignored
            Not used, present for API consistency by convention.

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
