import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from scipy.spatial.distance import cdist
from sklearn.covariance import OAS, LedoitWolf
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skasd import FeatureDetector, GaussianMixtureDetector, NearestNeighborsDetector
from skasd.detection._covariance import shrunk_covariance


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(500, 3)) * [1, 2, 3] + [0, 5, -5]


@pytest.fixture
def few_clips():
    """30 clips of 40 features, correlated, in units from 0.001 to 1000."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 40)) @ rng.normal(size=(40, 40)) * np.logspace(-3, 3, 40) + 7


@pytest.fixture
def clusters():
    """Clusters of 60, 40 and 20 clips, far from each other, in two units."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0, 0, 0], [30, 0, 0], [0, 30, 30]], [60, 40, 20], axis=0)
    return (rng.normal(size=(120, 3)) @ rng.normal(size=(3, 3)) + centres) * [1, 1e-4, 1]


def shrunk_log_density(X, part, estimator):
    """Return the normal log-density of X by the shrunk covariance of a part of it."""
    units = X.std(axis=0)
    covariance = estimator.fit(part / units).covariance_
    density = stats.multivariate_normal(part.mean(axis=0) / units, covariance)
    return density.logpdf(X / units) - np.log(units).sum()


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_without_shrinkage_it_is_scikit_learns(features, covariance_type):
    settings = {"covariance_type": covariance_type, "n_init": 2, "random_state": 0}
    detector = GaussianMixtureDetector(3, shrinkage=None, **settings).fit(features)
    mixture = GaussianMixture(3, **settings).fit(features)
    np.testing.assert_array_equal(detector.score_samples(features), mixture.score_samples(features))
    assert detector.n_components_ == 3


def test_one_component_is_the_normal_density(features):
    detector = GaussianMixtureDetector(1, shrinkage=None, reg_covar=0).fit(features)
    density = stats.multivariate_normal(features.mean(axis=0), np.cov(features.T, ddof=0))
    np.testing.assert_allclose(detector.score_samples(features), density.logpdf(features))
    np.testing.assert_allclose(detector.anomaly_score(features), -density.logpdf(features))


@pytest.mark.parametrize(
    ("shrinkage", "estimator"), [("ledoit_wolf", LedoitWolf()), ("oas", OAS())]
)
def test_one_shrunk_component_is_scikit_learns_covariance(few_clips, shrinkage, estimator):
    detector = GaussianMixtureDetector(1, shrinkage=shrinkage, reg_covar=0).fit(few_clips)
    expected = shrunk_log_density(few_clips, few_clips, estimator)
    np.testing.assert_allclose(detector.score_samples(few_clips), expected)
    units = few_clips.std(axis=0)
    np.testing.assert_allclose(detector.mixture_.means_[0], few_clips.mean(axis=0))
    np.testing.assert_allclose(
        detector.mixture_.covariances_[0] / np.outer(units, units), estimator.covariance_, atol=1e-9
    )


def test_shrunk_components_are_those_of_their_clips(clusters):
    detector = GaussianMixtureDetector(3, reg_covar=0, random_state=0).fit(clusters)
    log_densities = [
        shrunk_log_density(clusters, part, OAS()) for part in np.split(clusters, [60, 100])
    ]
    expected = special.logsumexp(log_densities, axis=0, b=[[1 / 2], [1 / 3], [1 / 6]])
    np.testing.assert_allclose(detector.score_samples(clusters), expected, rtol=1e-6)
    np.testing.assert_allclose(sorted(detector.mixture_.weights_), [1 / 6, 1 / 3, 1 / 2])
    np.testing.assert_allclose(
        detector.mixture_.precisions_ @ detector.mixture_.covariances_,
        np.tile(np.eye(3), (3, 1, 1)),
        atol=1e-9,
    )


def test_log_density_is_that_of_the_units(few_clips):
    """In units that are 1000 times smaller, a density of 40 features is smaller by 1000**40."""
    scores, in_small_units = (
        GaussianMixtureDetector(random_state=0).fit(X).score_samples(X)
        for X in (few_clips, 1000 * few_clips)
    )
    np.testing.assert_allclose(in_small_units, scores - 40 * np.log(1000))


def test_constant_feature_is_no_obstacle(few_clips):
    constant = np.full((30, 1), 5.0)
    detector = GaussianMixtureDetector(random_state=0).fit(np.hstack([few_clips, constant]))
    usual = detector.anomaly_score(np.hstack([few_clips, constant]))
    unusual = detector.anomaly_score(np.hstack([few_clips, constant + 20]))
    assert np.isfinite(usual).all()
    assert unusual.min() > usual.max()


def test_components_are_weighted():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(-10, 1, 300), rng.normal(10, 1, 100)][:, np.newaxis]
    detector = GaussianMixtureDetector(2, random_state=0).fit(X)
    left, right = detector.score_samples([[-10.0], [10.0]])
    assert left - right == pytest.approx(np.log(3), abs=0.1)


def test_auto_counts_the_clusters(clusters):
    assert GaussianMixtureDetector(random_state=0).fit(clusters).n_components_ == 3
    assert GaussianMixtureDetector(random_state=0).fit(clusters[:100]).n_components_ == 2
    assert GaussianMixtureDetector(random_state=0).fit(clusters[:60]).n_components_ == 1
    assert GaussianMixtureDetector(max_components=2).fit(clusters).n_components_ == 2


def test_auto_is_a_search_by_held_out_likelihood(features):
    detector = GaussianMixtureDetector(shrinkage=None, random_state=0).fit(features**3)
    search = GridSearchCV(
        GaussianMixture(random_state=0),
        {"n_components": [1, 2, 3]},
        cv=KFold(5, shuffle=True, random_state=0),
    ).fit(features**3)
    assert detector.n_components_ == search.best_params_["n_components"] > 1


@pytest.mark.parametrize("n_clips", [2, 3, 4, 7])
def test_very_few_clips(few_clips, n_clips):
    detector = GaussianMixtureDetector(random_state=0).fit(few_clips[:n_clips])
    assert detector.n_components_ == 1
    near, far = few_clips.mean(axis=0) + [[0.0], [5.0]] * few_clips.std(axis=0)
    assert np.isfinite(detector.score_samples(few_clips)).all()
    assert detector.anomaly_score([far])[0] > detector.anomaly_score([near])[0]


def test_two_clips_are_a_sphere():
    """Ledoit-Wolf's shrinkage of two clips is 0: it would take all but one line for impossible."""
    detector = GaussianMixtureDetector(reg_covar=0).fit([[1.0, 20.0], [3.0, 80.0]])
    density = stats.multivariate_normal([2, 50], np.diag([1, 900]))
    clips = [[2.0, 50.0], [9.0, 0.0]]
    np.testing.assert_allclose(detector.score_samples(clips), density.logpdf(clips))


def test_component_of_one_clip_has_the_spread_of_the_others():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(50, 4)), [[1000.0] * 4]])
    detector = GaussianMixtureDetector(2, reg_covar=0, random_state=0).fit(X)
    alone = detector.mixture_.weights_.argmin()
    np.testing.assert_allclose(detector.mixture_.means_[alone], 1000)
    units = X.std(axis=0)
    # Deviations within the components; that of the clip alone is 0.
    variance = np.sum((X[:50] / units - X[:50].mean(axis=0) / units) ** 2) / X.size
    np.testing.assert_allclose(
        detector.mixture_.covariances_[alone], np.diag(variance * units**2), atol=1e-12
    )


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_components_without_clips_are_left_out():
    X = np.repeat([[0.0, 0.0], [1.0, 1.0]], 5, axis=0)
    detector = GaussianMixtureDetector(3, random_state=0).fit(X)
    assert detector.n_components_ == 2
    assert np.isfinite(detector.score_samples(X)).all()


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({"n_components": 3}, np.eye(2), "n_components=3 needs as many clips, got n_samples=2"),
        ({"covariance_type": "diag"}, np.eye(2), "got 'diag'. Pass shrinkage=None"),
        ({"reg_covar": 0}, np.ones((9, 2)), "singular.*Pass a larger reg_covar"),
        ({"shrinkage": "pca"}, np.eye(2), "'shrinkage' parameter"),
        ({"n_components": "many"}, np.eye(2), "'n_components' parameter"),
    ],
)
def test_mixture_that_cannot_be_fitted(parameters, X, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureDetector(**parameters).fit(X)


def test_real_held_out_clips(shared_recordings):
    """200 clips, 128 mel bands: 8,256 covariances for each Gaussian."""
    spectrograms = np.load(shared_recordings / "toycar-logmel" / "id_03_train.npz")["normal"]
    X = spectrograms.astype(np.float64).mean(axis=1)
    train, held_out = X[:150], X[150:]
    detector = GaussianMixtureDetector(random_state=0).fit(train)
    assert detector.n_components_ == 1
    mixture = GaussianMixture(3, random_state=0).fit(train)
    assert detector.score_samples(held_out).mean() > -150
    assert mixture.score_samples(held_out).mean() < -1e6


def test_decisions_are_about_the_threshold(features):
    detector = GaussianMixtureDetector(1).fit(features)
    decisions = detector.decision_function(features)
    np.testing.assert_array_equal(decisions, detector.score_samples(features) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(features), np.where(decisions < 0, -1, 1))


def test_mixture_leaves_out_each_clip(few_clips):
    """By another mixture for each twentieth of the clips, with the number of components of all."""
    detector = GaussianMixtureDetector(1).fit(few_clips)
    expected = np.empty(30)
    for train, test in KFold(20, shuffle=True, random_state=0).split(few_clips):
        mixture = GaussianMixtureDetector(1).fit(few_clips[train])
        expected[test] = mixture.score_samples(few_clips[test])
    np.testing.assert_allclose(detector.training_scores_, expected)


def test_gamma_threshold():
    """Drawn from a known gamma distribution, the threshold is its quantile."""
    errors = stats.gamma(4.0, loc=1.0, scale=2.0).rvs(20_000, random_state=0)[:, np.newaxis]
    detector = FeatureDetector(threshold_rule="gamma", contamination=0.1).fit(errors)
    expected = stats.gamma(4.0, loc=1.0, scale=2.0).ppf(0.9)
    assert -detector.offset_ == pytest.approx(expected, rel=0.02)


def test_gamma_needs_scores_that_differ():
    with pytest.raises(ValueError, match="Use threshold_rule='percentile'"):
        FeatureDetector(threshold_rule="gamma").fit(np.ones((10, 1)))


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


def test_verdicts_are_not_of_the_training_clips(features):
    detector = GaussianMixtureDetector(2, random_state=0)
    assert not hasattr(detector, "fit_predict")


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_distance_is_the_mean_of_the_nearest(features, metric, n_neighbors):
    train, new = features[:300], features[300:]
    detector = NearestNeighborsDetector(n_neighbors, metric=metric).fit(train)
    expected = np.sort(cdist(new, train, metric), axis=1)[:, :n_neighbors].mean(axis=1)
    np.testing.assert_allclose(detector.anomaly_score(new), expected, atol=1e-12)


def test_mahalanobis_distance_is_scikit_learns(few_clips):
    train, new = few_clips[:25], few_clips[25:]
    units = train.std(axis=0)
    covariance = LedoitWolf().fit(StandardScaler().fit_transform(train)).covariance_
    precision = np.linalg.inv(covariance * np.outer(units, units))
    expected = np.sort(cdist(new, train, "mahalanobis", VI=precision), axis=1)[:, :2].mean(axis=1)
    detector = NearestNeighborsDetector().fit(train)
    np.testing.assert_allclose(detector.anomaly_score(new), expected, rtol=1e-5)
    in_other_units = NearestNeighborsDetector().fit(train / 1000).anomaly_score(new / 1000)
    np.testing.assert_allclose(in_other_units, expected, rtol=1e-5)


def test_no_clip_is_its_own_neighbor(features):
    detector = NearestNeighborsDetector(3, metric="euclidean", contamination=0.1)
    detector.fit(features)
    distances, _ = NearestNeighbors(n_neighbors=3).fit(features).kneighbors()
    np.testing.assert_allclose(detector.anomaly_score(features), distances.mean(axis=1))
    np.testing.assert_allclose(-detector.training_scores_, distances.mean(axis=1))
    # The p-value of the 50th of 500 is 50 of 501, and that of the 51st more than a tenth.
    assert np.count_nonzero(detector.predict(features) == -1) == 49


def test_a_copy_of_a_training_clip_is_a_neighbor():
    detector = NearestNeighborsDetector(1, metric="euclidean").fit([[0.0], [5.0], [5.0], [7.0]])
    assert detector.anomaly_score([[0.0], [5.0], [7.0], [7.5]]).tolist() == [5, 0, 2, 0.5]


def test_constant_features_have_no_distance(features):
    constant = np.full((500, 1), 5.0)
    detector = NearestNeighborsDetector().fit(np.hstack([features, constant]))
    assert np.isfinite(detector.anomaly_score(np.hstack([features, constant + 1]))).all()
    alike = NearestNeighborsDetector().fit(np.ones((4, 2)))
    assert alike.anomaly_score([[1.0, 1.0]]) == 0


def test_clip_of_zeros_has_no_direction():
    X = [[1.0, 0.0], [1.0, 0.1], [2.0, 0.1], [0.0, 0.0]]
    detector = NearestNeighborsDetector(1, metric="cosine").fit(X)
    np.testing.assert_allclose(detector.anomaly_score([[0.0, 0.0], [3.0, 0.0]]), [1, 0])


def test_neighbors_need_clips():
    with pytest.raises(ValueError, match=r"needs at least 6 clips.*n_samples=5"):
        NearestNeighborsDetector(5).fit(np.eye(5))


def test_covariance_of_whitened_clips_is_the_identity():
    """OAS's shrinkage is 0 / 0 there, and rounding errors make any number of it."""
    for seed in range(40):
        deviations = np.linalg.qr(np.random.default_rng(seed).normal(size=(26, 10)))[0]
        covariance = shrunk_covariance(np.sqrt(26) * deviations, "oas", 0.0, variance=1.0)
        np.testing.assert_allclose(covariance, np.eye(10), atol=1e-6)
