import pickle

import numpy as np
import pytest
from joblib import parallel_config
from scipy import stats
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skasd import (
    FeatureDetector,
    FusionDetector,
    GaussianMixtureDetector,
    NearestNeighborsDetector,
)
from skasd.metrics import pauc_scorer
from skasd.model_selection import NormalKFold


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(120, 4))


@pytest.fixture
def detectors():
    return [
        ("density", GaussianMixtureDetector(1)),
        ("distance", make_pipeline(StandardScaler(), NearestNeighborsDetector())),
        ("forest", IsolationForest(n_estimators=5, random_state=0)),
    ]


def left_out_scores(detector, X, cv):
    scores = np.empty(len(X))
    for train, test in KFold(cv, shuffle=True, random_state=0).split(X):
        scores[test] = -clone(detector).fit(X[train]).score_samples(X[test])
    return scores


def test_scores_are_standardized_by_left_out_clips(features, detectors):
    train, new = features[:90], features[90:]
    left_out = np.transpose([left_out_scores(detector, train, 3) for _, detector in detectors])
    raw = np.transpose([-clone(each).fit(train).score_samples(new) for _, each in detectors])
    fusion = FusionDetector(detectors, cv=3, contamination=0.2).fit(train)
    expected = (raw - left_out.mean(axis=0)) / left_out.std(axis=0)
    np.testing.assert_allclose(fusion.member_scores(new), expected)
    np.testing.assert_allclose(fusion.anomaly_score(new), expected.mean(axis=1))
    # 18 of 90 + 1 is the largest share below a fifth.
    threshold = np.sort(stats.zscore(left_out).mean(axis=1))[-18]
    assert -fusion.offset_ == pytest.approx(threshold)


@pytest.mark.parametrize("aggregation", ["mean", "max", "min", "median"])
def test_aggregations(features, detectors, aggregation):
    fusion = FusionDetector(detectors, aggregation=aggregation).fit(features)
    expected = getattr(np, aggregation)(fusion.member_scores(features), axis=1)
    np.testing.assert_allclose(fusion.anomaly_score(features), expected)


def test_weights(features, detectors):
    fusion = FusionDetector(detectors, weights=[3, 1, 0]).fit(features)
    first, second, _ = fusion.member_scores(features).T
    np.testing.assert_allclose(fusion.anomaly_score(features), (3 * first + second) / 4)
    alike = FusionDetector(detectors, weights=[2, 2, 2]).fit(features)
    unweighted = FusionDetector(detectors).fit(features)
    np.testing.assert_allclose(alike.score_samples(features), unweighted.score_samples(features))


def test_units_of_a_detector_do_not_matter():
    X = np.random.default_rng(0).gamma(2.0, size=(50, 2))
    detectors = [("first", FeatureDetector(0)), ("second", FeatureDetector(1))]
    scores = FusionDetector(detectors).fit(X).score_samples(X)
    in_other_units = X * [1000, 0.01] - [7, 0]
    fusion = FusionDetector(detectors).fit(in_other_units)
    np.testing.assert_allclose(fusion.score_samples(in_other_units), scores, atol=1e-12)


def test_threshold_holds_for_new_clips(detectors):
    """Though they are few for their features."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1100, 40)) @ rng.normal(size=(40, 40))
    fusion = FusionDetector(detectors[:2], cv=10, contamination=0.1).fit(X[:100])
    assert 0.05 < np.mean(fusion.predict(X[100:]) == -1) < 0.2
    for _, detector in detectors[:2]:
        fitted = clone(detector).fit(X[:100])
        assert 0.03 < np.mean(fitted.predict(X[100:]) == -1) < 0.2


def test_parameters_by_name(features, detectors):
    fusion = FusionDetector(detectors)
    assert fusion.get_params()["density"] is detectors[0][1]
    assert "density__n_components" not in fusion.get_params(deep=False)
    fusion.set_params(
        distance__nearestneighborsdetector__n_neighbors=4, forest=FeatureDetector(), cv=2
    )
    fitted = clone(fusion).fit(features).named_estimators_
    assert fitted["distance"][-1].n_neighbors == 4
    # 12 of 120 + 1 is the largest share below a tenth.
    assert fitted["forest"].offset_ == -np.sort(features[:, 0])[-12]
    assert not hasattr(fusion, "named_estimators_")
    assert not hasattr(detectors[0][1], "mixture_")


def test_grid_search():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 2)), rng.normal(0, [1, 9], size=(20, 2))])
    y = np.repeat([1, -1], [60, 20])
    detectors = [("one", FeatureDetector()), ("both", NearestNeighborsDetector())]
    grid = {"weights": [[1, 0], [0, 1]], "both__n_neighbors": [1, 2]}
    search = GridSearchCV(
        FusionDetector(detectors), grid, scoring=pauc_scorer, cv=NormalKFold(3, random_state=0)
    ).fit(X, y)
    assert search.best_params_["weights"] == [0, 1]


def test_anomalous_clips_are_left_out(features, detectors):
    X = np.concatenate([features, features[:20] + 9])
    fusion = FusionDetector(detectors).fit(X, np.repeat([1, -1], [120, 20]))
    expected = FusionDetector(detectors).fit(features)
    np.testing.assert_array_equal(fusion.score_samples(X), expected.score_samples(X))
    assert fusion.offset_ == expected.offset_
    with pytest.raises(ValueError, match="All 120 clips are anomalous"):
        fusion.fit(features, -np.ones(120))


def test_jobs_and_pickles_give_the_same_scores(features, detectors):
    expected = FusionDetector(detectors).fit(features).score_samples(features)
    with parallel_config(backend="threading"):
        parallel = FusionDetector(detectors, n_jobs=2).fit(features)
    np.testing.assert_allclose(parallel.score_samples(features), expected, rtol=1e-9)
    unpickled = pickle.loads(pickle.dumps(parallel))
    np.testing.assert_allclose(unpickled.score_samples(features), expected, rtol=1e-9)


class PathLength(OutlierMixin, BaseEstimator):
    """Scores paths."""

    def fit(self, X, y=None):
        self.longest_ = max(map(len, X))
        return self

    def score_samples(self, X):
        return np.array([-len(path) for path in X])


def test_clips_can_be_paths():
    paths = ["a" * n for n in range(1, 11)]
    fusion = FusionDetector([("length", PathLength())]).fit(paths)
    expected = (20 - 5.5) / np.sqrt((10**2 - 1) / 12)
    np.testing.assert_allclose(fusion.anomaly_score(["a" * 20]), expected)
    assert not hasattr(fusion, "n_features_in_")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"detectors": []}, "detectors is empty"),
        ({"detectors": [FeatureDetector()]}, r"holds FeatureDetector\(\). Pass tuples"),
        ({"detectors": [("a", StandardScaler())]}, r"Detector 'a' is StandardScaler\(\)"),
        ({"detectors": [("a", LocalOutlierFactor())]}, "Detector 'a' is LocalOutlierFactor"),
        ({"detectors": [("a", FeatureDetector)]}, "Detector 'a' is <class"),
        ({"detectors": [("a", FeatureDetector())] * 2}, "not unique"),
        ({"detectors": [("cv", FeatureDetector())]}, "conflict with constructor arguments"),
        ({"weights": [1]}, r"weights=\[1\]: expected 3 numbers"),
        ({"weights": [1, -1, 1]}, "not negative"),
        ({"weights": [0, 0, 0]}, "not all 0"),
        ({"weights": [1, 1, 1], "aggregation": "max"}, "got 'max'. Pass weights=None"),
        ({"cv": 1}, "'cv' parameter"),
        ({"cv": 121}, "cv=121 needs as many clips, got n_samples=120"),
    ],
)
def test_fusion_that_cannot_be_fitted(features, detectors, parameters, message):
    fusion = FusionDetector(**{"detectors": detectors, **parameters})
    with pytest.raises(ValueError, match=message):
        fusion.fit(features)


def test_detector_without_spread(features):
    detectors = [("usual", FeatureDetector(0)), ("silent", FeatureDetector(1))]
    with pytest.raises(ValueError, match="Detector 'silent' scores all 120 training clips alike"):
        FusionDetector(detectors).fit(features * [1, 0, 1, 1])
