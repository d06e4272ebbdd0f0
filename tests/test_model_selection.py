from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from skasd import FeatureDetector, GaussianMixtureDetector, RepeatedSeedEnsemble
from skasd.metrics import auc_pauc_scorer, auc_scorer, pauc_scorer
from skasd.model_selection import (
    NormalKFold,
    TrainTestFolder,
    add_pseudo_anomalies,
    held_out_likelihood,
    score_stability,
)


@pytest.fixture
def y():
    return np.random.default_rng(0).permutation(np.repeat([1, -1], [23, 10]))


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(120, 3))


@pytest.mark.parametrize("shuffle", [True, False])
def test_folds_of_normal_clips_are_those_of_k_fold(y, shuffle):
    """And every fold tests on all anomalous clips."""
    random_state = 7 if shuffle else None
    splits = list(
        NormalKFold(4, shuffle=shuffle, random_state=random_state).split(np.zeros((33, 2)), y)
    )
    normal, anomalous = np.flatnonzero(y == 1), np.flatnonzero(y == -1)
    k_fold = KFold(4, shuffle=shuffle, random_state=random_state)
    for (train, test), (k_train, k_test) in zip(splits, k_fold.split(normal), strict=True):
        np.testing.assert_array_equal(train, normal[k_train])
        np.testing.assert_array_equal(test, np.sort(np.r_[normal[k_test], anomalous]))


def test_share_of_the_anomalous_clips(y):
    whole = list(NormalKFold(random_state=0).split(y, y))
    splits = list(NormalKFold(anomalous_share=0.3, random_state=0).split(y, y))
    tested = [set(test[y[test] == -1]) for _, test in splits]
    assert len(tested[0]) == 3
    assert all(clips == tested[0] for clips in tested)
    for (train, test), (whole_train, whole_test) in zip(splits, whole, strict=True):
        np.testing.assert_array_equal(train, whole_train)
        np.testing.assert_array_equal(test[y[test] == 1], whole_test[y[whole_test] == 1])
    other_seed = next(NormalKFold(anomalous_share=0.3, random_state=1).split(y, y))[1]
    assert set(other_seed[y[other_seed] == -1]) != tested[0]
    (_, test), *_ = NormalKFold(anomalous_share=0.01).split(y, y)
    assert np.sum(y[test] == -1) == 1


def test_same_seed_same_folds(y):
    def folds(seed):
        return [test.tolist() for _, test in NormalKFold(random_state=seed).split(y, y)]

    assert folds(0) == folds(0) != folds(1)


def test_folds_without_anomalous_clips():
    splits = list(NormalKFold(3).split(np.zeros(9), np.ones(9)))
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(9))


def test_clips_may_be_ragged(y):
    clips = [np.zeros(100 + i) for i in range(33)]
    assert len(list(NormalKFold(5).split(clips, y))) == NormalKFold(5).get_n_splits() == 5


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, r"needs y to know the normal clips.*np.ones"),
        ([1, 1, 1, 1, -1, -1], "n_splits=5 needs at least as many normal clips, got 4"),
        ([1, 1, 1, 1, 1, 0], "y is 0 at index 5"),
        ([1, 1, 1, 1, 1], "inconsistent numbers of samples"),
    ],
)
def test_wrong_labels(y, message):
    with pytest.raises(ValueError, match=message):
        next(NormalKFold().split(np.zeros(6), y))


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_splits": 1},
        {"n_splits": 2.5},
        {"anomalous_share": 0},
        {"anomalous_share": 1.1},
        {"shuffle": "yes"},
        {"random_state": "seed"},
    ],
)
def test_wrong_parameters(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        NormalKFold(**parameters)


def test_splits_show_their_parameters():
    assert repr(NormalKFold(3, anomalous_share=0.5, random_state=1)) == (
        "NormalKFold(anomalous_share=0.5, n_splits=3, random_state=1, shuffle=True)"
    )
    assert repr(TrainTestFolder()) == "TrainTestFolder()"


class OnlyNormal(FeatureDetector):
    """Refuses anomalous clips, whose feature is above 100."""

    def fit(self, X, y=None):
        assert np.max(X) < 100
        return super().fit(X)


def test_search_fits_on_normal_clips_only():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 2)), rng.normal(200, 1, size=(20, 2))])
    y = np.repeat([1, -1], [60, 20])
    search = GridSearchCV(
        OnlyNormal(),
        {"feature": [0, 1]},
        scoring=auc_scorer,
        cv=NormalKFold(),
        refit=False,
        error_score="raise",
    ).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], [1, 1])
    clone(search.estimator).set_params(**search.best_params_).fit(X[y == 1])


def test_train_test_folder():
    paths = [
        "fan/test/anomaly_id_00_00000000.wav",
        Path("fan/train/normal_id_00_00000000.wav"),
        Path("fan") / "target_test" / "section_00.wav",
        "/data/fan/train/normal_id_00_00000001.wav",
        np.str_("train/source_test/section_00.wav"),
    ]
    ((train, test),) = TrainTestFolder().split(paths, [-1, 1, 1, 1, -1])
    assert train.tolist() == [1, 3]
    assert test.tolist() == [0, 2, 4]
    assert TrainTestFolder().get_n_splits() == 1


@pytest.mark.parametrize(
    ("clips", "y", "error", "message"),
    [
        (
            ["train/1.wav", "valid/2.wav"],
            None,
            ValueError,
            r"valid/2.wav lies in the folder 'valid'",
        ),
        (["train/1.wav", "2.wav"], None, ValueError, r"2.wav lies in the folder ''"),
        (["train/1.wav"], None, ValueError, "None of the 1 clips .* test or source_test or target"),
        (["test/1.wav"], None, ValueError, "None of the 1 clips lies in a folder train"),
        ([], None, ValueError, "None of the 0 clips"),
        (np.zeros((3, 9)), None, TypeError, "clip 0 is a ndarray.*NormalKFold"),
        (["train/1.wav", "test/2.wav"], [-1, 1], ValueError, "train/1.wav is anomalous, and 1 cl"),
        (["train/1.wav", "test/2.wav"], [1, 0], ValueError, "y is 0 at index 1"),
        (["train/1.wav", "test/2.wav"], [1], ValueError, "inconsistent numbers"),
    ],
)
def test_wrong_folders(clips, y, error, message):
    with pytest.raises(error, match=message):
        next(TrainTestFolder().split(clips, y))


class PathLength(BaseEstimator):
    """Scores a path by its length: a detector that opens no file."""

    def fit(self, X, y=None):
        assert all("/train/" in path for path in X)
        return self

    def score_samples(self, X):
        return -np.array([len(path) for path in X])


def test_search_over_folders():
    paths = ["fan/train/1.wav", "fan/train/2.wav", "fan/test/1.wav", "fan/test/1000.wav"]
    scores = cross_val_score(
        PathLength(), paths, [1, 1, 1, -1], scoring=pauc_scorer, cv=TrainTestFolder()
    )
    assert scores.tolist() == [1.0]


def test_held_out_likelihood_is_that_of_the_density(features):
    detector = GaussianMixtureDetector(1, shrinkage=None, reg_covar=0).fit(features[:80])
    density = stats.multivariate_normal(features[:80].mean(axis=0), np.cov(features[:80].T, ddof=0))
    held_out = features[80:]
    y = np.repeat([1, -1], [30, 10])
    assert held_out_likelihood(detector, held_out) == pytest.approx(density.logpdf(held_out).mean())
    assert held_out_likelihood(detector, held_out, y) == pytest.approx(
        density.logpdf(held_out[:30]).mean()
    )


def test_held_out_likelihood_finds_the_number_of_components():
    """Three far clusters need three components; more of them fit noise."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(centre, 1, size=(40, 2)) for centre in (-20, 0, 20)])
    search = GridSearchCV(
        GaussianMixtureDetector(random_state=0),
        {"n_components": [1, 3, 6]},
        scoring=held_out_likelihood,
        cv=NormalKFold(2, random_state=0),
    ).fit(X, np.ones(120))
    assert search.best_params_ == {"n_components": 3}


def test_score_stability_is_spearmans(features):
    ensemble = RepeatedSeedEnsemble(GaussianMixtureDetector(5), n_repeats=3, random_state=0).fit(
        features[:80]
    )
    members = ensemble.member_scores(features[80:])
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = [stats.spearmanr(members[:, i], members[:, j]).statistic for i, j in pairs]
    assert min(expected) < 0.99
    stability = score_stability(ensemble, features[80:])
    assert stability == pytest.approx(np.mean(expected), abs=1e-12)
    with_anomalies = np.concatenate([features[80:], np.full((5, 3), 50.0)])
    labels = np.repeat([1, -1], [40, 5])
    assert score_stability(ensemble, with_anomalies, labels) == stability


class Ramp(BaseEstimator):
    """Ranks by the first feature: an odd seed upwards, an even one downwards."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        return -X[:, 0] if self.random_state % 2 else X[:, 0]


def test_stability_has_the_sign_of_the_agreement(features):
    ensemble = RepeatedSeedEnsemble(Ramp(), n_repeats=2).fit(features)
    for seeds, expected in (((1, 3), 1), ((1, 2), -1)):
        for member, seed in zip(ensemble.estimators_, seeds, strict=True):
            member.random_state = seed
        assert score_stability(ensemble, features) == pytest.approx(expected)


def test_stability_needs_members_and_clips(features):
    with pytest.raises(TypeError, match="got a GaussianMixtureDetector"):
        score_stability(GaussianMixtureDetector().fit(features), features)
    single = RepeatedSeedEnsemble(GaussianMixtureDetector(), n_repeats=1).fit(features)
    with pytest.raises(ValueError, match="n_clips=120, n_repeats=1"):
        score_stability(single, features)
    ensemble = RepeatedSeedEnsemble(GaussianMixtureDetector(), n_repeats=2).fit(features)
    with pytest.raises(ValueError, match="n_clips=1, n_repeats=2"):
        score_stability(ensemble, features[:1])
    with pytest.raises(ValueError, match="Member 0 gives all 3 clips the same score"):
        score_stability(ensemble, features[[0, 0, 0]])


@pytest.mark.parametrize("scorer", [held_out_likelihood, score_stability])
def test_honest_scorers_need_a_normal_clip(features, scorer):
    ensemble = RepeatedSeedEnsemble(GaussianMixtureDetector(), n_repeats=2).fit(features)
    with pytest.raises(ValueError, match="All 120 clips are anomalous"):
        scorer(ensemble, features, -np.ones(120))


def test_pseudo_anomalies_of_paths():
    own, others = ["a/1.wav", Path("a/2.wav")], ("b/1.wav", "c/1.wav")
    X, y = add_pseudo_anomalies(own, others)
    assert list(X) == [*own, *others]
    assert y.tolist() == [1, 1, -1, -1]


def test_pseudo_anomalies_of_arrays():
    X, y = add_pseudo_anomalies(np.zeros((3, 4)), np.ones((2, 4)))
    np.testing.assert_array_equal(X, np.repeat([0, 1], [3, 2])[:, np.newaxis] * np.ones(4))
    assert y.tolist() == [1, 1, 1, -1, -1]
    X, _ = add_pseudo_anomalies(np.zeros((1, 4)), np.ones((2, 5)))
    assert [len(clip) for clip in X] == [4, 5, 5]
    X, _ = add_pseudo_anomalies([np.zeros(4), np.zeros(6)], np.ones((2, 5)))
    assert [len(clip) for clip in X] == [4, 6, 5, 5]


def test_pseudo_anomalies_are_drawn():
    others = np.arange(50.0)[:, np.newaxis]

    def draw(seed):
        X, y = add_pseudo_anomalies(np.zeros((2, 1)), others, n=20, random_state=seed)
        return X[y == -1].ravel().tolist()

    assert len(set(draw(0))) == 20
    assert draw(0) == draw(0) != draw(1)


@pytest.mark.parametrize(
    ("clips", "others", "n", "error", "message"),
    [
        ("a.wav", ["b.wav"], None, TypeError, "clips is a single str"),
        (["a.wav"], np.zeros(16000), None, TypeError, "other_clips is a single ndarray"),
        (["a.wav"], None, None, TypeError, "other_clips is a single NoneType"),
        (pd.DataFrame({"f": [1.0]}), [[1.0]], None, TypeError, r"Pass clips.to_numpy\(\)"),
        (["a.wav"], [], None, ValueError, "other_clips is empty"),
        (["a.wav"], ["b.wav"], 0, ValueError, "n=0 is not in 1 to 1"),
        (["a.wav"], ["b.wav"], 2, ValueError, "n=2 is not in 1 to 1"),
    ],
)
def test_wrong_pseudo_anomalies(clips, others, n, error, message):
    with pytest.raises(error, match=message):
        add_pseudo_anomalies(clips, others, n=n)


def test_search_with_pseudo_anomalies_only():
    """The other machine differs in the second feature, so the detector of that one is chosen."""
    rng = np.random.default_rng(0)
    X, y = add_pseudo_anomalies(
        rng.normal(size=(60, 2)), rng.normal((0, 3), 1, size=(80, 2)), n=30, random_state=0
    )
    search = GridSearchCV(
        FeatureDetector(),
        {"feature": [0, 1]},
        scoring=auc_pauc_scorer,
        refit="pauc",
        cv=NormalKFold(3, random_state=0),
    ).fit(X, y)
    assert search.best_params_ == {"feature": 1}
    # AUC of two normal distributions three standard deviations apart.
    expected = stats.norm.cdf(3 / np.sqrt(2))
    assert search.cv_results_["mean_test_auc"][1] == pytest.approx(expected, abs=0.02)
