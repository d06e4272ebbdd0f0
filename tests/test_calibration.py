"""P-values and thresholds: that they hold for clips which nothing has seen."""

import numpy as np
import pytest
from scipy import stats
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skasd import (
    FeatureDetector,
    FleetDetector,
    FusionDetector,
    GaussianMixtureDetector,
    NearestNeighborsDetector,
    RepeatedSeedEnsemble,
)
from skasd.detection._calibration import Calibration, in_words, suspicious
from skasd.exceptions import CalibrationWarning

DETECTORS = {
    "feature": FeatureDetector(),
    "mixture": GaussianMixtureDetector(1),
    "neighbors": NearestNeighborsDetector(),
    "members": RepeatedSeedEnsemble(GaussianMixtureDetector(1), random_state=0),
    "single member": RepeatedSeedEnsemble(NearestNeighborsDetector(), n_repeats=1),
    "fusion": FusionDetector(
        [
            ("members", RepeatedSeedEnsemble(GaussianMixtureDetector(1), random_state=0)),
            ("neighbors", NearestNeighborsDetector()),
        ]
    ),
}


@pytest.fixture(params=DETECTORS)
def detector(request):
    return DETECTORS[request.param]


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(100, 3))


def test_p_values_count_the_clips():
    calibration = Calibration([3.0, 1.0, 2.0, 2.0])
    assert calibration.p_values([0, 1, 1.5, 2, 2.5, 3]).tolist() == [1, 1, 0.8, 0.8, 0.4, 0.4]
    assert np.isnan(calibration.p_values([np.nan, 1.0])).tolist() == [True, False]


@pytest.mark.parametrize("n_clips", [5, 19, 20, 100])
@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_threshold_and_p_values_agree(n_clips, decimals):
    """With ties and without, counted and extrapolated."""
    rng = np.random.default_rng(n_clips)
    calibration = Calibration(rng.normal(size=n_clips).round(decimals))
    new = np.concatenate([rng.normal(0, 3, size=2000).round(decimals), calibration.scores])
    for rate in (0.5, 0.3, 0.2, 0.1, 0.05, 0.01, 0.001):
        is_above = new > calibration.threshold(rate)
        np.testing.assert_array_equal(is_above, calibration.p_values(new) <= rate)


def test_rate_of_a_share_of_the_clips():
    """20 of 19 + 1 clips are 1 in 20: the highest score is the threshold."""
    calibration = Calibration(np.arange(19.0))
    assert calibration.threshold(1 / 20) == 18
    assert not calibration.extrapolates(1 / 20)
    assert calibration.extrapolates(1 / 21)


@pytest.mark.parametrize("shape", [0.0, 0.25])
def test_tail_is_that_of_a_known_distribution(shape):
    distribution = stats.genpareto(shape)
    scores = distribution.rvs(2000, random_state=0)
    calibration = Calibration(scores)
    for rate in (1e-4, 1e-5):
        threshold = calibration.threshold(rate)
        assert threshold == pytest.approx(distribution.isf(rate), rel=0.25)
        assert calibration.p_values([threshold])[0] == pytest.approx(rate)


def test_tail_begins_at_the_highest_score():
    calibration = Calibration(np.random.default_rng(0).normal(size=50))
    highest = calibration.scores[-1]
    p_values = calibration.p_values(highest + np.array([0, 1e-9, 0.1, 1, 100]))
    assert p_values[0] == 2 / 51
    assert p_values[1] == pytest.approx(1 / 51)
    assert (np.diff(p_values) < 0).all()
    assert p_values[-1] == pytest.approx(1 / 51 / 1000)


def test_rate_that_no_extrapolation_reaches():
    with pytest.raises(ValueError, match=r"1e-06 is less than 99 .* ask for 1e-05 or more.* 999 "):
        Calibration(np.arange(99.0)).threshold(1e-6)


def test_scores_that_are_alike():
    calibration = Calibration(np.full(9, 2.0))
    assert calibration.p_values([1.0, 2.0]).tolist() == [1, 1]
    assert calibration.p_values([2.5])[0] < 0.1
    assert calibration.threshold(0.1) == 2


@pytest.mark.parametrize("decimals", [None, 0])
@pytest.mark.parametrize("n_clips", [5, 12])
@pytest.mark.filterwarnings("ignore::skasd.exceptions.CalibrationWarning")
def test_p_values_of_new_healthy_clips(detector, n_clips, decimals):
    """Over many fits: a rate of r calls a share of r anomalous, or fewer, which ties make."""
    rng = np.random.default_rng(0)
    n_fits = 10
    p_values = []
    # More threads only wait for each other in so small fits.
    with threadpool_limits(1):
        for _ in range(n_fits):
            X = rng.normal(size=(n_clips + 40, 2))
            X = X if decimals is None else X.round(decimals)
            p_values.append(detector.fit(X[:n_clips]).p_values(X[n_clips:]))
    shares = np.arange(1, n_clips + 1) / (n_clips + 1)
    found = np.mean([[p <= share for share in shares + 1e-9] for p in p_values], axis=2)
    exceeds = np.mean(found, axis=0) - shares
    # Of one fit, the share that a rate finds has a beta distribution.
    error = np.sqrt(shares * (1 - shares) / (n_clips + 2) / n_fits)
    assert (exceeds < 4 * error + 0.02).all()


@pytest.mark.parametrize("n_clips", [5, 30])
def test_p_values_are_uniform(n_clips):
    """Of one feature, where nothing is learned, each of the n + 1 values is as likely."""
    rng = np.random.default_rng(1)
    ranks = []
    for _ in range(2000):
        scores = rng.normal(size=n_clips + 1)
        p_value = Calibration(scores[1:]).p_values(scores[:1])[0]
        ranks.append(np.ceil(p_value * (n_clips + 1) - 1e-9))
    counts = np.bincount(np.array(ranks, dtype=int), minlength=n_clips + 2)[1:]
    assert stats.chisquare(counts).pvalue > 0.001
    assert (
        stats.kstest(np.add(ranks, rng.uniform(-1, 0, 2000)) / (n_clips + 1), "uniform").pvalue
        > 0.001
    )


def test_clips_that_occur_twice_are_no_new_clips(detector):
    """A clip that the detector knows, and another that it does not, in equal numbers."""
    X = np.random.default_rng(0).normal(size=(200, 3))
    detector.fit(np.repeat(X[:50], 2, axis=0))
    assert np.mean(detector.p_values(X[:50]) <= 0.1) <= 0.1


def test_decisions_agree_with_p_values(detector, features):
    new = np.random.default_rng(1).normal(0, 1.5, size=(500, 3))
    detector.fit(features)
    np.testing.assert_array_equal(detector.predict(new) == -1, detector.p_values(new) <= 0.1)


def test_false_alarm_rate_is_set_without_a_fit(detector, features):
    detector.fit(features)
    scores = detector.score_samples(features)
    assert detector.set_false_alarm_rate(0.05) is detector
    assert detector.contamination == 0.05
    np.testing.assert_array_equal(detector.score_samples(features), scores)
    assert -detector.offset_ == np.sort(-detector.calibration_scores_)[-5]
    with pytest.warns(CalibrationWarning, match=r"100 healthy clips, .* of 0.001, .* 999 would"):
        detector.set_false_alarm_rate(0.001)
    for rate in (0, 0.6, "few"):
        with pytest.raises(ValueError, match=r"expected one in \(0, 0.5\]"):
            detector.set_false_alarm_rate(rate)
    detector.set_params(contamination=0.1)


def test_recalibrated_by_new_clips():
    detector = FeatureDetector().fit(np.arange(99.0)[:, np.newaxis])
    moved = 1000 + np.arange(39.0)[:, np.newaxis]
    assert (detector.predict(moved) == -1).all()
    report = detector.recalibrate(moved)
    assert report.verdict == "more anomalous"
    assert (report.training_quantiles[0.5], report.quantiles[0.5]) == (49, 1019)
    # 4 of 39 + 1 is a tenth.
    assert -detector.offset_ == 1035
    assert detector.calibrated_on_ == "new"
    with pytest.raises(ValueError, match="needs 20 healthy clips or more, got 19"):
        detector.recalibrate(moved[:19])


def test_false_alarm_is_one_more_healthy_clip():
    detector = FeatureDetector(contamination=0.01).fit(np.arange(99.0)[:, np.newaxis])
    assert detector.predict([[200.0]]) == -1
    detector.recalibrate([[200.0]], add=True)
    assert detector.predict([[200.0]]) == 1
    assert len(detector.calibration_scores_) == 100


def test_few_clips_are_told():
    with pytest.warns(CalibrationWarning, match=r"5 healthy clips, .* rate of 0.1, .* 9 would"):
        GaussianMixtureDetector(1).fit(np.random.default_rng(0).normal(size=(5, 2)))
    with pytest.raises(ValueError, match=r"^3 healthy clips are too few .* Record 20 or more"):
        RepeatedSeedEnsemble(GaussianMixtureDetector(3)).fit(np.eye(3))


def test_suspicious_clips_lie_apart():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    X[[7, 50]] = [[30.0, 0, 0], [0, 90.0, 0]]
    for detector in (GaussianMixtureDetector(1), RepeatedSeedEnsemble(GaussianMixtureDetector(1))):
        assert detector.fit(X).suspicious_training_clips()[:2].tolist() == [50, 7]


def test_healthy_clips_are_hardly_ever_suspicious():
    """At most one in 20 sets of healthy clips, if their scores fall off exponentially."""
    rng = np.random.default_rng(0)
    n_named = sum(len(suspicious(rng.exponential(size=200))) > 0 for _ in range(1000))
    assert n_named < 90


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.repeat([0, 1], 50), "y is 0 at index 0.*np.where"),
        (np.repeat([False, True], 50), "y has dtype bool"),
        (["healthy"] * 100, "y has dtype"),
        (np.r_[np.ones(99), np.nan], "y is nan at index 99"),
    ],
)
def test_labels_of_another_kind(detector, features, y, message):
    with pytest.raises(ValueError, match=message):
        detector.fit(features, y)


def test_pipeline_leaves_out_anomalous_clips(features):
    X, y = np.concatenate([features, features[:20] + 9]), np.repeat([1, -1], [100, 20])
    pipeline = make_pipeline(StandardScaler().fit(X), GaussianMixtureDetector(1))
    expected = GaussianMixtureDetector(1).fit(StandardScaler().fit(X).transform(X)[:100])
    fitted = pipeline.fit(X, y)[-1]
    assert fitted.offset_ == expected.offset_
    np.testing.assert_array_equal(fitted.mixture_.means_, expected.mixture_.means_)


def test_report_on_the_training_clips_calls_for_nothing(detector, features):
    report = detector.fit(features).score_report(features)
    assert report.verdict in ("as in training", "single clips", "less anomalous")
    assert "fit again" not in str(report)


def test_machines_of_a_fleet_have_p_values(features):
    machines = np.repeat(["fan", "pump"], 50)
    fleet = FleetDetector(GaussianMixtureDetector(1)).fit(features, machine_label=machines)
    p_values = fleet.p_values(features, machine_label=machines)
    pump = GaussianMixtureDetector(1).fit(features[50:])
    np.testing.assert_array_equal(p_values[50:], pump.p_values(features[50:]))


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (1.0, "most healthy clips sound this odd"),
        (0.1, "1 healthy clip in 10 sounds this odd"),
        (1 / 201, "1 healthy clip in 201 sounds this odd"),
        (1e-5, "less than 1 healthy clip in 201 sounds this odd"),
    ],
)
def test_p_values_in_words(p_value, words):
    assert in_words(p_value, finest=1 / 201) == words
