"""Two domains: many clips of the source, few of the target, and new ones of either."""

import numpy as np
import onnxruntime
import pytest
import sklearn
import soundfile
from scipy.spatial.distance import cdist
from sklearn.covariance import OAS
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

import skasd
from skasd import (
    FeatureDetector,
    FusionDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    MahalanobisDetector,
    NearestNeighborsDetector,
    RepeatedSeedEnsemble,
    SpectrogramStatistics,
    export_onnx,
    fit_clips,
    make_views_detector,
)
from skasd.cli import app
from skasd.detection._calibration import Calibration
from skasd.detection._domain_calibration import DomainCalibration
from skasd.exceptions import CalibrationWarning, ModelFileError

METHODS = ("smote", "memmixup", "selective")


def draw(n_source, n_target, seed=0):
    """Return features of clips, the target's far away and wider, and their domains."""
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(n_source, 3))
    target = rng.normal(8, 3, size=(n_target, 3))
    return np.concatenate([source, target]), ["source"] * n_source + ["target"] * n_target


@pytest.fixture
def few():
    return draw(30, 6)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def neighbors(**settings):
    return NearestNeighborsDetector(1, metric="euclidean", **settings)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "mahalanobis"])
def test_smote_by_its_formula(few, metric):
    """x + gap * (z - x), z one of the five nearest of the target: as many as the source has."""
    X, domain = few
    detector = NearestNeighborsDetector(1, metric=metric, domain_method="smote")
    detector.fit(X, domain=domain)
    assert len(detector.X_fit_) == 2 * 30
    np.testing.assert_array_equal(detector.X_fit_[:36], X)
    target, new = X[30:], detector.X_fit_[36:]
    gaps = []
    for i, clip in enumerate(new):
        x = target[i % 6]
        # Six clips: each of the other five is among the five nearest.
        ways = np.delete(target, i % 6, axis=0) - x
        gap = np.sum((clip - x) * ways, axis=1) / np.sum(ways**2, axis=1)
        off = np.abs(clip - x - gap[:, np.newaxis] * ways).max(axis=1)
        assert off.min() < 1e-9
        gaps.append(gap[off.argmin()])
    assert min(gaps) >= 0
    assert max(gaps) < 1
    # The same in each fit.
    again = NearestNeighborsDetector(1, metric=metric, domain_method="smote")
    np.testing.assert_array_equal(again.fit(X, domain=domain).X_fit_, detector.X_fit_)


def test_smote_keeps_to_the_five_nearest():
    """Of two far groups of six, no clip lies between the groups."""
    rng = np.random.default_rng(0)
    target = np.concatenate([rng.normal(0, 1, (6, 2)), rng.normal(1000, 1, (6, 2))])
    X = np.concatenate([rng.normal(0, 1, (100, 2)), target])
    detector = neighbors(domain_method="smote").fit(X, domain=["source"] * 100 + ["target"] * 12)
    new = detector.X_fit_[112:]
    assert len(new) == 88
    assert (cdist(new, target).min(axis=1) < 10).all()


def test_mem_mixup_by_its_formula(few):
    X, domain = few
    detector = neighbors(domain_method="memmixup").fit(X, domain=domain)
    source, target = X[:30], X[30:]
    # Four of the source for each of six: 24 and the six themselves are as many as the source.
    nearest = np.argsort(cdist(target, source), axis=1)[:, :4]
    pairs = [(target[i], source[j]) for i in range(6) for j in nearest[i]]
    expected = [0.9 * t + 0.1 * s for t, s in pairs]
    np.testing.assert_allclose(detector.X_fit_[36:], expected)
    new = draw(5, 5, seed=1)[0]
    bank = np.concatenate([X, expected])
    np.testing.assert_allclose(detector.anomaly_score(new), cdist(new, bank).min(axis=1))


@pytest.mark.parametrize("method", ["smote", "memmixup"])
def test_density_is_that_of_recorded_clips(few, method):
    """Clips that were made lie close together, and do not make those near them look usual."""
    X, domain = few
    detector = neighbors(domain_method=method, density_neighbors=4).fit(X, domain=domain)
    made = detector.X_fit_[36:]
    density = np.concatenate(
        [
            np.sort(cdist(X, X), axis=1)[:, 1:5].mean(axis=1),
            np.sort(cdist(made, X), axis=1)[:, :4].mean(axis=1),
        ]
    )
    np.testing.assert_allclose(detector.density_, density)
    new = draw(5, 5, seed=1)[0]
    expected = (cdist(new, detector.X_fit_) / density).min(axis=1)
    np.testing.assert_allclose(detector.anomaly_score(new), expected)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("density_neighbors", [None, 4])
def test_selective_by_its_formula(few, log, density_neighbors):
    """The smaller of both distances, each standardized by those within the domain."""
    X, domain = few
    detector = NearestNeighborsDetector(
        2,
        metric="euclidean",
        domain_method="selective",
        density_neighbors=density_neighbors,
        log=log,
    ).fit(X, domain=domain)
    new = draw(5, 5, seed=1)[0]
    density = np.ones(36)
    if density_neighbors is not None:
        density = np.sort(cdist(X, X), axis=1)[:, 1:5].mean(axis=1)
    scale = np.log if log else np.asarray
    standardized = []
    for part in (slice(0, 30), slice(30, 36)):
        within = cdist(X[part], X[part]) / density[part]
        within = scale(np.sort(within, axis=1)[:, 1:3].mean(axis=1))
        to_it = scale(np.sort(cdist(new, X[part]) / density[part], axis=1)[:, :2].mean(axis=1))
        standardized.append((to_it - within.mean()) / within.std())
    np.testing.assert_allclose(detector.anomaly_score(new), np.min(standardized, axis=0))


@pytest.mark.parametrize("method", METHODS)
def test_methods_are_for_what_density_does_not_know(method):
    """One clip of the target between three is odd for the source, and usual with the method."""
    X, domain = draw(300, 10)
    new = draw(0, 200, seed=1)[0]
    plain = neighbors(contamination=0.05).fit(X)
    with pytest.warns(CalibrationWarning, match="10 healthy clips of the target"):
        adapted = neighbors(contamination=0.05, domain_method=method).fit(X, domain=domain)
    assert (plain.predict(new) == -1).mean() > 0.5
    assert (adapted.predict(new) == -1).mean() < 0.2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_target", [0, 1, 2, 3])
def test_hardly_any_clips_of_the_target(method, n_target):
    X, domain = draw(20, n_target)
    detector = neighbors(domain_method=method, density_neighbors=4)
    if method == "selective" and 0 < n_target < 3:
        with pytest.raises(ValueError, match=rf"3 clips of each domain, got {n_target} of the tar"):
            detector.fit(X, domain=domain)
        return
    detector.set_params(contamination=0.4).fit(X, domain=domain)
    assert np.isfinite(detector.score_samples(X)).all()
    # As members, of which some see fewer.
    ensemble = RepeatedSeedEnsemble(detector, contamination=0.5).fit(X, domain=domain)
    assert np.isfinite(ensemble.score_samples(X)).all()


def test_mahalanobis_is_scikit_learns_of_each_domain(few):
    X, domain = few
    detector = MahalanobisDetector().fit(X, domain=domain)
    new = draw(5, 5, seed=1)[0]
    units = X.std(axis=0)
    distances = [OAS().fit(part / units).mahalanobis(new / units) for part in (X[:30], X[30:])]
    np.testing.assert_allclose(
        detector.anomaly_score(new), np.sqrt(np.min(distances, axis=0)), rtol=1e-5
    )
    one = MahalanobisDetector().fit(X).anomaly_score(new)
    np.testing.assert_allclose(
        one, np.sqrt(OAS().fit(X / units).mahalanobis(new / units)), rtol=1e-5
    )


def test_mahalanobis_of_one_clip_is_a_sphere():
    """With the variance that the others have within their domain, of all four clips."""
    X = [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [1.0, 90.0]]
    detector = MahalanobisDetector().fit(X, domain=["source"] * 4 + ["target"])
    variance = np.mean([*[4 / 5 / each for each in np.var(X, axis=0)]])
    units = np.std(X, axis=0)
    expected = np.sqrt(np.sum((np.array([3.0, 0.0]) / units) ** 2) / (variance + 1e-6))
    np.testing.assert_allclose(detector.anomaly_score([[4.0, 90.0]]), expected)


def test_p_values_are_the_larger_of_both_domains():
    scores, is_target = np.array([5.0, 1.0, 2.0, 6.0, 9.0]), np.array([0, 0, 0, 1, 1], dtype=bool)
    calibration = DomainCalibration(scores, is_target)
    # Of 3 and of 2 clips.
    np.testing.assert_allclose(calibration.p_values([0, 1.5, 5.5, 6.0]), [1, 1, 1, 1])
    np.testing.assert_allclose(calibration.p_values([7.0, 9.0]), [2 / 3, 2 / 3])
    assert calibration.threshold(0.4) == 9
    assert np.isnan(calibration.p_values([np.nan])).all()


@pytest.mark.parametrize("rule", ["percentile", "gamma"])
def test_threshold_and_p_values_agree(rule):
    rng = np.random.default_rng(0)
    scores, is_target = rng.gamma(2, size=60), np.arange(60) >= 50
    calibration = DomainCalibration(scores, is_target, rule)
    new = rng.gamma(4, size=500)
    for rate in (0.3, 0.1, 0.01):
        is_above = new > calibration.threshold(rate)
        np.testing.assert_array_equal(is_above, calibration.p_values(new) <= rate)
    alone = Calibration(scores[is_target], rule)
    assert calibration.finest == alone.finest == 1 / 11
    assert calibration.quantiles([0.5, 1.0]).tolist() == [
        max(np.quantile(part, share) for part in (scores[:50], scores[50:])) for share in (0.5, 1)
    ]


DETECTORS = {
    "feature": FeatureDetector(),
    "mixture": GaussianMixtureDetector(1),
    "neighbors": NearestNeighborsDetector(),
    "density": NearestNeighborsDetector(1, density_neighbors=16),
    **{method: NearestNeighborsDetector(1, domain_method=method) for method in METHODS},
    "mahalanobis": MahalanobisDetector(),
    "members": RepeatedSeedEnsemble(NearestNeighborsDetector(domain_method="smote")),
    "fusion": FusionDetector(
        [
            ("neighbors", NearestNeighborsDetector(domain_method="selective")),
            ("steps", make_pipeline(StandardScaler(), MahalanobisDetector())),
            ("foreign", IsolationForest(n_estimators=10, random_state=0)),
        ]
    ),
}


@pytest.mark.filterwarnings("ignore::skasd.exceptions.CalibrationWarning")
@pytest.mark.parametrize("name", DETECTORS)
def test_ten_clips_are_enough_for_the_false_alarm_rate(name):
    """Mean rate over sets of 10 target clips: at most one in ten of new ones of either domain."""
    rates = []
    for seed in range(4 if name in ("members", "fusion") else 10):
        X, domain = draw(90, 10, seed)
        new, _ = draw(100, 100, 1000 + seed)
        detector = sklearn.base.clone(DETECTORS[name]).fit(X, domain=domain)
        alarms = detector.predict(new) == -1
        rates.append([alarms[:100].mean(), alarms[100:].mean()])
        p_values = detector.p_values(new)
        np.testing.assert_array_equal(alarms, p_values <= 0.1)
    source, target = np.mean(rates, axis=0)
    assert source < 0.14
    assert target < 0.2


@pytest.mark.parametrize("name", DETECTORS)
def test_labels_and_domains(name):
    """Anomalous clips are left out, and their domains with them."""
    X, domain = draw(90, 10)
    y = np.ones(100)
    y[[3, 95]] = -1
    detector = sklearn.base.clone(DETECTORS[name]).set_params(contamination=0.2)
    with_labels = sklearn.base.clone(detector).fit(X, y, domain=domain)
    healthy = detector.fit(X[y == 1], domain=np.array(domain)[y == 1])
    np.testing.assert_array_equal(with_labels.score_samples(X), healthy.score_samples(X))
    assert with_labels.offset_ == healthy.offset_
    assert with_labels.calibration_is_target_.sum() == 9


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        (["source"] * 35, "inconsistent numbers of samples"),
        (["source"] * 35 + ["Target"], r"domain is 'Target' at index 35: expected 'source', the"),
        (["source"] * 35 + [None], r"domain is None at index 35"),
        (np.zeros(36), r"domain is 0\.0 at index 0"),
        ("target", "domain='target': expected 'source' or 'target' for each clip"),
    ],
)
def test_wrong_domains(few, domain, problem):
    for detector in (neighbors(), RepeatedSeedEnsemble(neighbors(), n_repeats=2)):
        with pytest.raises(ValueError, match=problem):
            detector.fit(few[0], domain=domain)


def test_method_without_domains(few):
    with pytest.raises(
        ValueError, match=r"domain_method='smote' needs the domain of each clip\. P"
    ):
        neighbors(domain_method="smote").fit(few[0])


def test_without_domains_nothing_changes(few):
    X, domain = few
    plain = neighbors().fit(X)
    assert plain.calibration_is_target_ is None
    told = neighbors().fit(X, domain=domain)
    np.testing.assert_array_equal(told.score_samples(X), plain.score_samples(X))
    assert told.offset_ < plain.offset_
    all_of_one = neighbors().fit(X, domain=["source"] * len(X))
    assert all_of_one.offset_ == plain.offset_
    assert neighbors().fit(X, domain=domain).fit(X).calibration_is_target_ is None


def test_domains_reach_members_with_and_without_routing(few):
    X, domain = few
    member = make_pipeline(StandardScaler(), neighbors(domain_method="smote"))
    fusion = FusionDetector([("one", member), ("other", FeatureDetector())])
    ensemble = RepeatedSeedEnsemble(fusion, n_repeats=2, random_state=0)
    for detector in (fusion, ensemble):
        without = sklearn.base.clone(detector).fit(X, domain=domain)
        with sklearn.config_context(enable_metadata_routing=True):
            routed = sklearn.base.clone(detector).fit(X, domain=domain)
        np.testing.assert_array_equal(without.score_samples(X), routed.score_samples(X))
    (inner, _) = fusion.fit(X, domain=domain).estimators_
    assert len(inner[-1].X_fit_) == 60


def test_pipelines_of_scikit_learn(few):
    X, domain = few
    pipeline = Pipeline([("scaler", StandardScaler()), ("end", neighbors(domain_method="smote"))])
    pipeline.fit(X, end__domain=domain)
    expected = pipeline.score_samples(X)
    fit_clips(pipeline, X, domain=domain)
    np.testing.assert_array_equal(pipeline.score_samples(X), expected)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline.fit(X, domain=domain)
        np.testing.assert_array_equal(pipeline.score_samples(X), expected)


@pytest.mark.usefixtures("routing")
def test_what_does_not_ask_for_domains_is_not_told(few):
    X, domain = few
    deaf = neighbors(domain_method="smote").set_fit_request(domain=False)
    with pytest.raises(ValueError, match="needs the domain of each clip"):
        RepeatedSeedEnsemble(deaf, n_repeats=2).fit(X, domain=domain)


@pytest.mark.usefixtures("routing")
def test_search_splits_domains(few):
    X, domain = few
    search = GridSearchCV(
        neighbors(contamination=0.5),
        {"domain_method": METHODS[:2]},
        cv=KFold(3, shuffle=True, random_state=0),
        scoring=lambda detector, X, y=None: detector.score_samples(X).mean(),
    )
    search.fit(X, domain=domain)
    assert len(search.best_estimator_.X_fit_) == 60


def test_new_microphone_without_another_fit():
    """Ten clips that are added as the target's are not lost among the hundred of before."""
    X, _ = draw(100, 0)
    ten, new = draw(0, 10, seed=1)[0], draw(0, 200, seed=2)[0]
    detector = neighbors().fit(X)
    detector.recalibrate(ten, add=True)
    assert (detector.predict(new) == -1).mean() > 0.3
    detector = neighbors().fit(X)
    detector.recalibrate(ten, add=True, domain="target")
    assert (detector.predict(new) == -1).mean() < 0.2
    assert detector.calibration_is_target_.tolist() == [False] * 100 + [True] * 10
    # One more, of now.
    detector.recalibrate(new[:1], add=True)
    assert detector.calibration_is_target_.sum() == 11
    with pytest.raises(ValueError, match="domain is 'here' at index 0"):
        detector.recalibrate(ten, add=True, domain="here")
    detector.recalibrate(new)
    assert detector.calibration_is_target_ is None


@pytest.mark.filterwarnings("ignore::skasd.exceptions.CalibrationWarning")
@pytest.mark.parametrize("name", DETECTORS)
def test_model_files(name, tmp_path):
    X, domain = draw(60, 10)
    detector = sklearn.base.clone(DETECTORS[name]).fit(X, domain=domain)
    skasd.save(detector, tmp_path / "model.skasd")
    loaded = skasd.load(tmp_path / "model.skasd")
    np.testing.assert_array_equal(loaded.p_values(X), detector.p_values(X))


@pytest.mark.parametrize(
    ("name", "attribute", "wrong"),
    [
        ("neighbors", "calibration_is_target_", lambda a: a[:5]),
        ("neighbors", "calibration_is_target_", lambda a: a.astype(float)),
        ("selective", "is_target_", lambda a: a[:5]),
        ("selective", "is_target_", lambda a: ~a | a),
        ("selective", "domain_stds_", lambda a: 0 * a),
        ("selective", "domain_means_", lambda a: a[:1]),
        ("mahalanobis", "location_", lambda a: a[:1]),
        ("mahalanobis", "whitening_", lambda a: np.nan * a),
    ],
)
def test_state_that_cannot_be_right(name, attribute, wrong, tmp_path):
    X, domain = draw(60, 10)
    detector = sklearn.base.clone(DETECTORS[name]).fit(X, domain=domain)
    setattr(detector, attribute, wrong(getattr(detector, attribute)))
    with pytest.raises((ValueError, ModelFileError)):
        skasd.save(detector, tmp_path / "model.skasd")


@pytest.mark.parametrize("name", [*METHODS, "mahalanobis"])
@pytest.mark.parametrize("log", [False, True])
def test_onnx(name, log, tmp_path):
    """Levels shift by 10 dB in the target."""
    rng = np.random.default_rng(0)
    levels = rng.normal(size=(80, 20, 8)).astype(np.float32)
    levels[40:50] += 10
    end = sklearn.base.clone(DETECTORS[name])
    if name != "mahalanobis":
        end.set_params(log=log, density_neighbors=5)
    detector = Pipeline([("statistics", SpectrogramStatistics()), ("end", end)])
    detector.fit(levels[:50], end__domain=["source"] * 40 + ["target"] * 10)
    export_onnx(detector, tmp_path / "model.onnx", input="spectrograms", n_frames=20)
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    scores, is_anomalous = session.run(None, {"spectrogram": levels[50:]})
    np.testing.assert_allclose(scores, -detector.score_samples(levels[50:]), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(is_anomalous, detector.predict(levels[50:]) == -1)


@pytest.mark.filterwarnings("ignore::skasd.exceptions.CalibrationWarning")
@pytest.mark.parametrize("domain_method", [None, *METHODS])
def test_default_system(domain_method):
    """From clips; the target is 12 dB louder."""
    clips = np.random.default_rng(0).normal(0, 0.02, size=(60, 12000))
    clips[30:36] *= 4
    clips[48:] *= 4
    domain = ["source"] * 30 + ["target"] * 6
    detector = make_views_detector(n_mels=32, domain_method=domain_method, contamination=0.2)
    detector.fit(clips[:36], domain=domain)
    assert detector.calibration_is_target_.sum() == 6
    alarms = detector.predict(clips[36:]) == -1
    assert alarms[:12].mean() < 0.5
    assert alarms[12:].mean() < 0.5


def test_clips_that_are_left_out_take_their_domains_along():
    clips = list(np.random.default_rng(0).normal(0, 0.02, size=(12, 4000)))
    clips[1] = clips[1][:10]
    detector = make_pipeline(
        LogMelSpectrogram(n_mels=8), SpectrogramStatistics(), neighbors(contamination=0.5)
    )
    domain = ["source"] * 8 + ["target"] * 4
    assert list(fit_clips(detector, clips, domain=domain, on_error="skip")) == ["clip 1"]
    assert detector[-1].calibration_is_target_.tolist() == [False] * 7 + [True] * 4


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_command_line(tmp_path):
    """Clips of another microphone at the fit, or afterwards."""
    noise = np.random.default_rng(0).normal(0, 0.02, size=(36, 12000))
    for name, clips in (("before", noise[:30]), ("now", 4 * noise[30:])):
        (tmp_path / name).mkdir()
        for index, clip in enumerate(clips):
            soundfile.write(tmp_path / name / f"{index}.wav", clip, 16000)
    before, now = str(tmp_path / "before"), str(tmp_path / "now")
    out, later = str(tmp_path / "model.skasd"), str(tmp_path / "later.skasd")
    small = ("--set", "n_mels=32", "--false-alarm-rate", "0.2")

    def run(*arguments):
        return CliRunner().invoke(app, [*arguments])

    shown = run("fit", before, "--target", now, "-o", out, *small)
    assert shown.exit_code == 0, shown.output
    assert skasd.load(out).calibration_is_target_.sum() == 6
    shown = run("fit", before, "--target", f"{before}/3.wav", "-o", later)
    assert shown.exit_code == 2
    assert "3.wav is given as HEALTHY and as --target: choose one." in shown.output
    assert run("fit", before, "-o", out, *small).exit_code == 0
    shown = run("calibrate", out, now, "--add", "--domain", "target", "-o", later)
    assert shown.exit_code == 0, shown.output
    assert skasd.load(later).calibration_is_target_.tolist() == [False] * 30 + [True] * 6
    shown = run("calibrate", out, now, "--add", "--domain", "winter", "-o", later)
    assert shown.exit_code == 2
    assert "domain is 'winter'" in shown.output
