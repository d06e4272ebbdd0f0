import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skasd import FeatureDetector, GaussianMixtureDetector


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(500, 3)) * [1, 2, 3] + [0, 5, -5]


def test_one_component_is_the_normal_density(features):
    detector = GaussianMixtureDetector(1, reg_covar=0).fit(features)
    density = stats.multivariate_normal(features.mean(axis=0), np.cov(features.T, ddof=0))
    np.testing.assert_allclose(detector.score_samples(features), density.logpdf(features))
    np.testing.assert_allclose(detector.anomaly_score(features), -density.logpdf(features))


def test_components_are_weighted():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(-10, 1, 300), rng.normal(10, 1, 100)][:, np.newaxis]
    detector = GaussianMixtureDetector(2, random_state=0).fit(X)
    left, right = detector.score_samples([[-10.0], [10.0]])
    assert left - right == pytest.approx(np.log(3), abs=0.1)


@pytest.mark.parametrize("contamination", [0.02, 0.1, 0.5])
def test_percentile_threshold(features, contamination):
    detector = GaussianMixtureDetector(contamination=contamination, random_state=0).fit(features)
    assert np.mean(detector.predict(features) == -1) == contamination
    np.testing.assert_array_equal(
        detector.decision_function(features), detector.score_samples(features) - detector.offset_
    )


def test_gamma_threshold():
    """Drawn from a known gamma distribution, the threshold is its quantile."""
    errors = stats.gamma(4.0, loc=1.0, scale=2.0).rvs(20_000, random_state=0)[:, np.newaxis]
    detector = FeatureDetector(threshold="gamma", contamination=0.1).fit(errors)
    expected = stats.gamma(4.0, loc=1.0, scale=2.0).ppf(0.9)
    assert -detector.offset_ == pytest.approx(expected, rel=0.02)


def test_gamma_needs_scores_that_differ():
    with pytest.raises(ValueError, match="Use threshold='percentile'"):
        FeatureDetector(threshold="gamma").fit(np.ones((10, 1)))


def test_feature_by_index_and_by_name(features):
    frame = pd.DataFrame(features, columns=["a", "b", "c"])
    by_name = FeatureDetector(feature="b").fit(frame)
    by_index = FeatureDetector(feature=1).fit(features)
    np.testing.assert_array_equal(by_name.anomaly_score(frame), features[:, 1])
    np.testing.assert_array_equal(by_index.anomaly_score(features), features[:, 1])
    assert by_name.offset_ == by_index.offset_


@pytest.mark.parametrize(
    ("feature", "message"),
    [(3, "feature=3: X has 3 features, named a, b, c"), ("d", "feature='d': X has 3 features")],
)
def test_feature_must_exist(features, feature, message):
    frame = pd.DataFrame(features, columns=["a", "b", "c"])
    with pytest.raises(ValueError, match=message):
        FeatureDetector(feature=feature).fit(frame)


def test_too_few_clips():
    with pytest.raises(ValueError, match="n_components=3 needs as many clips, got n_samples=2"):
        GaussianMixtureDetector().fit(np.eye(2))


def test_fit_predict_is_fit_then_predict(features):
    detector = GaussianMixtureDetector(random_state=0)
    np.testing.assert_array_equal(
        detector.fit_predict(features), detector.fit(features).predict(features)
    )
