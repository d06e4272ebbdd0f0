import joblib
import numpy as np
import pytest
from joblib import parallel_config
from processes import run_script
from settings import make
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_info

from skasd import (
    FeatureDetector,
    GaussianMixtureDetector,
    InterpolationAutoencoder,
    RepeatedSeedEnsemble,
    make_iaeo3,
)
from skasd.exceptions import CalibrationWarning

# Neither the number of cores, where an environment variable says otherwise, nor known of any BLAS.
BLAS_THREADS = max(
    (pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1
)


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(120, 4))


@pytest.fixture(scope="module")
def spectrograms():
    rng = np.random.default_rng(0)
    return [rng.normal(-30, 8, size=(n, 12)).astype(np.float32) for n in (40, 50, 60, 30, 20)]


@pytest.fixture(scope="module")
def small_iaeo3():
    return make(
        make_iaeo3,
        input="spectrograms",
        openl3=False,
        encoder_units=(16, 8),
        epochs=2,
        n_components=1,
        n_repeats=3,
        random_state=0,
    )


@pytest.mark.parametrize("aggregation", ["min", "median", "mean", "max"])
def test_anomaly_scores_are_aggregated(features, aggregation):
    ensemble = RepeatedSeedEnsemble(
        IsolationForest(n_estimators=5), aggregation=aggregation, random_state=0
    ).fit(features)
    members = [-member.score_samples(features) for member in ensemble.estimators_]
    assert len({tuple(scores) for scores in members}) == 5
    np.testing.assert_array_equal(ensemble.member_scores(features), np.transpose(members))
    expected = [getattr(np, aggregation)(scores) for scores in np.transpose(members)]
    np.testing.assert_allclose(ensemble.anomaly_score(features), expected, rtol=1e-12)
    np.testing.assert_allclose(ensemble.score_samples(features), np.negative(expected), rtol=1e-12)


def test_threshold_is_of_the_aggregated_scores(features):
    ensemble = RepeatedSeedEnsemble(
        IsolationForest(n_estimators=5), contamination=0.25, cv=None, random_state=0
    ).fit(features)
    with pytest.warns(CalibrationWarning, match="comes from clips that the detector was trained"):
        n_anomalous = np.count_nonzero(ensemble.predict(features) == -1)
    # The p-value of the 30th is 30 of 121, and that of the 31st more than a quarter.
    assert n_anomalous == 29


class Memorizer(OutlierMixin, BaseEstimator):
    """Scores 0 what it was fitted on, and -x everything else."""

    def fit(self, X, y=None):
        self.known_ = set(X[:, 0])
        return self

    def score_samples(self, X):
        return np.array([0 if x in self.known_ else -x for x in X[:, 0]])


@pytest.mark.parametrize("cv", ["members", 4])
def test_threshold_of_clips_left_out(cv):
    X = np.arange(1.0, 101.0)[:, np.newaxis]
    in_sample = RepeatedSeedEnsemble(Memorizer(), contamination=0.1, cv=None).fit(X)
    left_out = RepeatedSeedEnsemble(Memorizer(), contamination=0.1, cv=cv).fit(X)
    assert in_sample.offset_ == 0
    # Nine clips score above 91.5, and ten above 90.5.
    assert left_out.offset_ == -91
    np.testing.assert_array_equal(left_out.training_scores_, -X[:, 0])
    assert left_out.p_values(np.array([[90.5], [91.5], [0.5]])).tolist() == [
        11 / 101,
        10 / 101,
        1,
    ]


def test_each_clip_is_left_out_by_one_member():
    X = np.arange(1.0, 101.0)[:, np.newaxis]
    ensemble = RepeatedSeedEnsemble(Memorizer(), n_repeats=5).fit(X)
    n_knowing = np.sum([[x in member.known_ for x in X[:, 0]] for member in ensemble.estimators_])
    assert n_knowing == 4 * 100
    assert [len(member.known_) for member in ensemble.estimators_] == [80] * 5


def test_two_members_leave_out_a_fifth_each():
    X = np.arange(1.0, 101.0)[:, np.newaxis]
    ensemble = RepeatedSeedEnsemble(Memorizer(), n_repeats=2).fit(X)
    assert [len(member.known_) for member in ensemble.estimators_] == [80, 80]
    scores = ensemble.training_scores_
    assert np.isnan(scores).sum() == 60
    np.testing.assert_array_equal(
        np.sort(ensemble.calibration_scores_), np.sort(scores[~np.isnan(scores)])
    )


def test_single_member_knows_all_clips():
    X = np.arange(1.0, 101.0)[:, np.newaxis]
    ensemble = RepeatedSeedEnsemble(Memorizer(), n_repeats=1).fit(X)
    assert len(ensemble.estimators_[0].known_) == 100
    np.testing.assert_array_equal(ensemble.training_scores_, -X[:, 0])


def test_normalized_by_out_of_fold_scores():
    X = np.arange(1.0, 101.0)[:, np.newaxis]
    ensemble = RepeatedSeedEnsemble(Memorizer(), normalize=True, cv=2, contamination=0.1).fit(X)
    np.testing.assert_array_equal(ensemble.score_means_, np.full(5, 50.5))
    np.testing.assert_allclose(ensemble.score_stds_, np.full(5, np.sqrt((100**2 - 1) / 12)))
    new = (200 - 50.5) / np.sqrt((100**2 - 1) / 12)
    np.testing.assert_allclose(ensemble.member_scores([[200.0]] * np.ones((2, 1))), new)
    assert ensemble.offset_ == pytest.approx(-(91 - X.mean()) / X.std())


class Ruler(OutlierMixin, BaseEstimator):
    """Scores by x, in a unit and from a zero of its own."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.unit_, self.zero_ = np.random.default_rng(self.random_state).uniform(1, 9, size=2)
        return self

    def score_samples(self, X):
        return -(self.zero_ + self.unit_ * X[:, 0])


@pytest.mark.parametrize("aggregation", ["min", "max"])
@pytest.mark.parametrize("cv", [None, 4])
def test_normalized_members_are_compared_like_with_like(features, aggregation, cv):
    ensemble = RepeatedSeedEnsemble(
        Ruler(), aggregation=aggregation, cv=cv, normalize=True, random_state=0
    ).fit(features)
    assert len(set(ensemble.score_stds_)) == 5
    standardized = (features[:, 0] - features[:, 0].mean()) / features[:, 0].std()
    np.testing.assert_allclose(ensemble.anomaly_score(features), standardized, atol=1e-12)
    np.testing.assert_allclose(
        ensemble.member_scores(features), np.tile(standardized[:, np.newaxis], 5), atol=1e-12
    )


def test_nothing_is_normalized_unasked(features):
    ensemble = RepeatedSeedEnsemble(Ruler(), n_repeats=2, cv=3, random_state=0).fit(features)
    raw = [-member.score_samples(features) for member in ensemble.estimators_]
    np.testing.assert_array_equal(ensemble.member_scores(features), np.transpose(raw))


def test_normalize_needs_scores_that_differ():
    ensemble = RepeatedSeedEnsemble(FeatureDetector(), normalize=True)
    with pytest.raises(ValueError, match=r"Member 0 scores all 10 training clips alike \(0.1\)"):
        ensemble.fit(np.full((10, 1), 0.1))


def test_folds_need_clips(features):
    ensemble = RepeatedSeedEnsemble(FeatureDetector(), cv=7)
    with pytest.raises(ValueError, match="cv=7 needs as many clips, got n_samples=6"):
        ensemble.fit(features[:6])


def test_every_nested_random_state_gets_a_seed_of_its_own(spectrograms, small_iaeo3):
    ensemble = small_iaeo3.fit(spectrograms)
    seeds = [
        value
        for member in ensemble.estimators_
        for name, value in member.get_params().items()
        if name.endswith("random_state")
    ]
    assert len(seeds) == len(set(seeds)) == 3 * 2
    assert all(isinstance(seed, int) for seed in seeds)
    nested = small_iaeo3.estimator.get_params()
    assert nested["features__iae__autoencoder__random_state"] is None


@pytest.mark.parametrize(
    ("backend", "settings"),
    [("threading", {}), ("loky", {"inner_max_num_threads": BLAS_THREADS})],
)
def test_backends_give_the_same_scores(spectrograms, small_iaeo3, backend, settings):
    """To the bit, if workers have as many BLAS threads, which loky does not give unasked."""
    serial = small_iaeo3.set_params(n_jobs=None).fit(spectrograms)
    expected, decisions = serial.member_scores(spectrograms), serial.predict(spectrograms)
    with parallel_config(backend=backend, **settings):
        parallel = small_iaeo3.set_params(n_jobs=2).fit(spectrograms)
    scores = parallel.set_params(n_jobs=None).member_scores(spectrograms)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(parallel.predict(spectrograms), decisions)


def test_refit_without_seed_differs(spectrograms, small_iaeo3):
    small_iaeo3.set_params(random_state=None, n_jobs=None)
    first = small_iaeo3.fit(spectrograms).score_samples(spectrograms)
    second = small_iaeo3.fit(spectrograms).score_samples(spectrograms)
    small_iaeo3.set_params(random_state=0)
    assert not np.array_equal(first, second)


def test_attributes_of_features_come_from_the_members(features):
    ensemble = RepeatedSeedEnsemble(GaussianMixtureDetector(), n_repeats=2)
    assert not hasattr(ensemble, "n_features_in_")
    assert ensemble.fit(features).n_features_in_ == 4


def test_pickle_scores_in_a_new_process_without_keras(tmp_path, spectrograms):
    pipeline = make_pipeline(InterpolationAutoencoder((16, 8), epochs=2), FeatureDetector())
    detector = RepeatedSeedEnsemble(pipeline, n_repeats=2, random_state=0).fit(spectrograms)
    joblib.dump(detector, tmp_path / "detector.joblib")
    joblib.dump(spectrograms, tmp_path / "spectrograms.joblib")
    script = (
        "import sys, joblib\n"
        "detector, X = map(joblib.load, sys.argv[1:3])\n"
        "joblib.dump(detector.score_samples(X), sys.argv[3])\n"
        "print(*sorted({'keras', 'jax', 'tensorflow', 'torch'} & set(sys.modules)))\n"
    )
    names = ("detector.joblib", "spectrograms.joblib", "scores.joblib")
    process = run_script(script, *(tmp_path / name for name in names))
    assert process.stdout == "\n", process.stderr
    np.testing.assert_allclose(
        joblib.load(tmp_path / "scores.joblib"), detector.score_samples(spectrograms), rtol=1e-5
    )


def test_threshold_of_members_that_know_their_clips_by_heart():
    """With 48 clips for 128 bands, scores of known clips say little of new ones."""
    shares = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        causes = rng.normal(size=(560, 6)) @ rng.normal(size=(6, 128))
        X = causes + 0.2 * rng.normal(size=causes.shape)
        detector = RepeatedSeedEnsemble(GaussianMixtureDetector(1), random_state=0).fit(X[:60])
        shares.append(np.mean(detector.predict(X[60:]) == -1))
    assert np.mean(shares) < 1.2 * 0.1


def test_anomalous_clips_are_left_out():
    """A search refits to all clips, of which only the normal ones may be learned."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 2)), rng.normal(9, 1, size=(20, 2))])
    y = np.repeat([1, -1], [60, 20])
    order = rng.permutation(80)
    ensemble = RepeatedSeedEnsemble(GaussianMixtureDetector(2), n_repeats=2, random_state=0)
    expected = clone(ensemble).fit(X[order][y[order] == 1]).score_samples(X)
    for labels in (y[order], y[order].tolist(), y[order].astype(float)):
        np.testing.assert_array_equal(
            clone(ensemble).fit(X[order], labels).score_samples(X), expected
        )
    with pytest.raises(ValueError, match="All 80 clips are anomalous"):
        ensemble.fit(X, -np.ones(80))
