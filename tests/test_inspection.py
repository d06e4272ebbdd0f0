import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from settings import make
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from skasd import (
    AudioError,
    FeatureDetector,
    FusionDetector,
    GaussianMixtureDetector,
    InterpolationAutoencoder,
    LogMelSpectrogram,
    NearestNeighborsDetector,
    RepeatedSeedEnsemble,
    SpectrogramStatistics,
    TimeWeightedPooling,
    make_baseline,
    make_iaeo3,
    make_iaeo3_plus,
    make_views_detector,
    save,
)
from skasd.cli import app
from skasd.datasets import make_machine_sounds
from skasd.features._statistics import STATISTICS
from skasd.inspection import (
    DetectionCurveDisplay,
    ErrorMapDisplay,
    Explanation,
    ScoreDistributionDisplay,
    explain,
)
from skasd.inspection._branches import Branch, statistic_view
from skasd.inspection._contributions import contributions, shares_of_fused
from skasd.inspection._maps import carrying_runs
from skasd.inspection._view_maps import grid_of, mixed_maps

CLIPS, _ = make_machine_sounds("fan", n_normal=24, n_anomalous=0, duration=2.0, random_state=0)
TRAIN, NEW = CLIPS[:20], CLIPS[20:]
TINY = {"n_mels": 32, "encoder_units": (32, 16), "epochs": 4, "n_repeats": 2, "random_state": 0}
LOG_MEL = LogMelSpectrogram(n_mels=32)

SECONDS = np.arange(CLIPS.shape[1]) / 16000
TONE = 0.03 * np.sin(2 * np.pi * 2500 * SECONDS)
PLANTED = {
    "tone": TONE * ((SECONDS > 0.8) & (SECONDS < 1.2)),
    "clicks": 8 * TONE * np.exp(-((SECONDS % 0.05) / 0.005)) * ((SECONDS > 0.8) & (SECONDS < 1.2)),
}


@pytest.fixture(scope="module")
def detector():
    return make(make_iaeo3, openl3=False, n_components=1, **TINY).fit(TRAIN)


@pytest.fixture(scope="module")
def views():
    return make_views_detector().fit(TRAIN)


@pytest.fixture(scope="module")
def plus():
    return make(make_iaeo3_plus, **TINY).fit(TRAIN)


def of_noise(deviation, seed=0):
    return np.random.default_rng(seed).normal(-30, deviation, size=(60, 32))


@pytest.fixture(scope="module")
def of_spectrograms():
    detector = make(make_iaeo3, openl3=False, n_components=1, input="spectrograms", **TINY)
    return detector.fit([of_noise(5, seed) for seed in range(1, 11)])


def test_training_error_is_the_mean_of_the_error_map(detector):
    autoencoder = detector.estimators_[0]["features"]["iae"]["autoencoder"]
    left_out = next(KFold(5, shuffle=True, random_state=0).split(TRAIN))[1]
    known = [clip for i, clip in enumerate(TRAIN) if i not in left_out]
    error_map = autoencoder.error_map(LOG_MEL.transform(known))
    expected = np.mean(error_map, axis=(0, 1), dtype=np.float64)
    np.testing.assert_allclose(autoencoder.training_error_, expected, rtol=1e-9)


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_fault_is_named(detector, fault):
    explanation = explain(detector, NEW[1] + PLANTED[fault])
    assert explanation.is_anomalous
    ((start, end),) = explanation.spans
    assert start < 1.2
    assert end > 0.8
    assert end - start < 0.8
    low, high = explanation.bands[0]
    assert low < 2500 < high
    window, band = np.unravel_index(explanation.excess.argmax(), explanation.excess.shape)
    assert 0.7 < explanation.times[window] < 1.3
    assert 2000 < explanation.frequencies[band] < 3000


def test_maps_are_means_over_the_members(detector):
    (spectrogram,) = LOG_MEL.transform(NEW[:1])
    autoencoders = [member["features"]["iae"]["autoencoder"] for member in detector.estimators_]
    errors = [a.error_map([spectrogram])[0] * a.scale_**2 for a in autoencoders]
    usual = [a.training_error_ * a.scale_**2 for a in autoencoders]
    explanation = explain(detector, NEW[0])
    np.testing.assert_allclose(explanation.error, np.mean(errors, axis=0), rtol=1e-4)
    expected = np.mean(errors, axis=0) - np.mean(usual, axis=0)
    np.testing.assert_allclose(explanation.excess, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(explanation.spectrogram, spectrogram[2:-2])
    # The error of the mean prediction and the spread of the predictions make the mean error.
    of_mean = (explanation.prediction - explanation.spectrogram) ** 2
    assert (of_mean <= explanation.error * 1.001 + 1e-3).all()


def test_score_is_that_of_the_detector(detector):
    explanation = explain(detector, NEW[1])
    assert explanation.p_value == detector.p_values(NEW[1:2])[0]
    assert f"; {explanation.rarity}): " in str(explanation)
    assert explanation.anomaly_score == pytest.approx(detector.anomaly_score(NEW[1:2])[0])
    assert explanation.threshold == -detector.offset_
    assert explanation.is_anomalous == (detector.predict(NEW[1:2])[0] == -1)


def test_spectrograms_take_their_units_from_the_arguments(of_spectrograms):
    spectrogram = of_noise(5)
    settings = {"sample_rate": 8000, "hop_length": 256, "fmin": 50, "fmax": 3000}
    explanation = explain(of_spectrograms, spectrogram, **settings)
    np.testing.assert_allclose(explanation.times, (2 + np.arange(56)) * 256 / 8000)
    # librosa.mel_frequencies(34, fmin=50, fmax=3000)
    corners = np.load(Path(__file__).parent / "data" / "librosa.npz")["corners"]
    np.testing.assert_allclose(explanation.frequencies, corners[1:-1])
    with pytest.raises(ValueError, match="fmax=9000"):
        explain(of_spectrograms, spectrogram, fmax=9000)


def test_clips_and_spectrograms_are_explained_alike(detector):
    spectrograms = LOG_MEL.transform(CLIPS)
    other = make(make_iaeo3, openl3=False, n_components=1, input="spectrograms", **TINY)
    other.fit(spectrograms[:20])
    assert str(explain(other, spectrograms[20])) == str(explain(detector, NEW[0]))


def test_path_is_a_clip(detector, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "new.wav", NEW[0], 16000, subtype="FLOAT")
    assert str(explain(detector, tmp_path / "new.wav")) == str(explain(detector, NEW[0]))


@pytest.mark.parametrize(
    ("system", "words"),
    [
        (make(make_baseline, **TINY), "reconstruction error"),
        (make(make_iaeo3, openl3=False, score="max", **TINY), "interpolation error"),
    ],
)
def test_one_branch_is_the_whole_score(system, words):
    explanation = explain(system.fit(TRAIN), NEW[0])
    assert explanation.contributions == {words: 1.0}
    assert "%" not in str(explanation)


def test_level_of_a_lasting_tone_is_named(plus):
    explanation = explain(plus, NEW[1] + 0.4 * TONE)
    shares = explanation.contributions
    assert set(shares) == {"interpolation error", "level of the bands"}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["level of the bands"] > 0.5
    low, high = explanation.bands[0]
    assert 2200 < low < high < 2800


def test_innermost_branches_and_scalers_behind_them():
    union = FeatureUnion(
        [
            ("iae", InterpolationAutoencoder((32, 16), epochs=1, random_state=0)),
            ("levels", TimeWeightedPooling()),
            ("few", TimeWeightedPooling(n_components=2)),
        ],
        transformer_weights={"levels": 10},
    )
    spectrograms = LOG_MEL.transform(TRAIN)
    steps = [("features", union), ("scaler", StandardScaler())]
    pipeline = Pipeline([*steps, ("detector", GaussianMixtureDetector(1, random_state=0))])
    explanation = explain(pipeline.fit(spectrograms), spectrograms[0])
    assert list(explanation.contributions) == ["iae", "levels", "few"]
    assert explanation.anomaly_score == pytest.approx(-pipeline.score_samples(spectrograms)[0])
    assert explanation.threshold == -pipeline[-1].offset_
    nearest = Pipeline([*steps, ("detector", NearestNeighborsDetector())]).fit(spectrograms)
    assert explain(nearest, spectrograms[0]).contributions == {}
    chosen = Pipeline([*steps, ("detector", FeatureDetector(5))]).fit(spectrograms)
    assert explain(chosen, spectrograms[0]).contributions == {"iae": 0, "levels": 1, "few": 0}


def branches_of(x, n_first):
    return [Branch("first", x[:n_first], []), Branch("second", x[n_first:], [])]


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_contributions_sum_to_what_the_density_loses(covariance_type):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    detector = GaussianMixtureDetector(1, covariance_type=covariance_type, shrinkage=None).fit(X)
    x = 3 * X[0]
    mean = detector.mixture_.means_[0]
    lost = detector.score_samples([mean, x]) @ [1, -1]
    values = contributions(detector, branches_of(x, 2))
    assert values.sum() / 2 == pytest.approx(lost)
    assert (values > 0).all()


def test_contributions_of_two_correlated_features():
    """Shapley's formula by hand, with distances from scipy."""
    X = np.random.default_rng(0).multivariate_normal([1, 2], [[1, 0.6], [0.6, 2]], size=500)
    detector = GaussianMixtureDetector(1, shrinkage=None).fit(X)
    x = np.array([3.0, -1.0])
    mean, covariance = detector.mixture_.means_[0], detector.mixture_.covariances_[0]

    def distance(columns):
        normal = multivariate_normal(mean[columns], covariance[np.ix_(columns, columns)])
        return 2 * (normal.logpdf(mean[columns]) - normal.logpdf(x[columns]))

    both, first, second = distance([0, 1]), distance([0]), distance([1])
    expected = [(first + both - second) / 2, (second + both - first) / 2]
    np.testing.assert_allclose(contributions(detector, branches_of(x, 1)), expected)


def test_contributions_are_those_of_the_nearest_component():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(100, 2)), rng.normal([50, 0], 1, size=(100, 2))])
    detector = GaussianMixtureDetector(2, random_state=0).fit(X)
    first, second = contributions(detector, branches_of(np.array([50.0, 9.0]), 1))
    assert second > 20 * first


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ([0, 0, 0, 9, 9, 0, 0, 0, 0, 0], [(3, 4)]),
        ([0, 5, 0, 0, 0, 0, 0, 8, 0, 0], [(7, 7)]),
        ([0, 5, 0, 0, 0, 0, 0, 6, 6, 0], [(7, 8)]),
        ([0, 6, 0, 0, 0, 0, 0, 6, 6, 0], [(7, 8), (1, 1)]),
        ([0, 0, 6, 0, 6, 6, 0, 0, 0, 0], [(2, 5)]),
        ([5, 6, 5, 6, 5, 6, 5, 6, 5, 6], [(0, 9)]),
        ([0] * 10, [(0, 9)]),
    ],
)
def test_carrying_runs(profile, expected):
    assert carrying_runs(np.array(profile, dtype=float), gap=1) == expected


def made_up(**changes):
    maps = {name: np.zeros((10, 3)) for name in ("spectrogram", "prediction", "error", "excess")}
    fields = {
        "anomaly_score": 85.24,
        "threshold": 12.0,
        "spans": [(3.2, 4.1)],
        "bands": [(2100.0, 3400.0)],
        "contributions": {"OpenL3 embedding": 0.29, "interpolation error": 0.71},
        "easier_than_usual": False,
        "times": np.arange(10.0),
        "frequencies": np.array([100.0, 1000.0, 4000.0]),
        **maps,
    }
    return Explanation(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {},
            "anomalous (score 85.24, threshold 12): unusual from 3.2 to 4.1 s, at 2.1 to 3.4 kHz; "
            "71 % of the score from the interpolation error, 29 % from the OpenL3 embedding",
        ),
        (
            {"rarity": "1 healthy clip in 200 sounds this odd", "contributions": {}},
            "anomalous (score 85.24, threshold 12; 1 healthy clip in 200 sounds this odd): unusual "
            "from 3.2 to 4.1 s, at 2.1 to 3.4 kHz",
        ),
        (
            {
                "spans": [(7.0, 7.5), (3.2, 4.1)],
                "bands": [(2100, 3400), (120, 340), (900, 1100)],
                "contributions": {},
            },
            "anomalous (score 85.24, threshold 12): unusual from 3.2 to 4.1 s and 7.0 to 7.5 s, at "
            "120 to 340 Hz, 0.9 to 1.1 kHz and 2.1 to 3.4 kHz",
        ),
        (
            {
                "anomaly_score": -3,
                "spans": [(-0.1, 9.1)],
                "bands": [(50, 5000)],
                "contributions": {"interpolation error": 1.0},
            },
            "normal (score -3, threshold 12): most unusual throughout, in all bands",
        ),
        (
            {"easier_than_usual": True, "contributions": {}},
            "anomalous (score 85.24, threshold 12): easier to predict than usual from 3.2 to 4.1 "
            "s, at 2.1 to 3.4 kHz",
        ),
    ],
)
def test_sentence(changes, sentence):
    assert str(made_up(**changes)) == sentence


def test_missing_errors_are_told_from_additional_ones(of_spectrograms):
    explanation = explain(of_spectrograms, np.full((60, 32), -30.0))
    assert explanation.easier_than_usual
    assert "easier to predict than usual throughout" in str(explanation)
    assert not explain(of_spectrograms, of_noise(9)).easier_than_usual


def test_no_autoencoder():
    features = np.random.default_rng(0).normal(size=(20, 3))
    mixture = RepeatedSeedEnsemble(GaussianMixtureDetector(1), n_repeats=1).fit(features)
    with pytest.raises(ValueError, match="RepeatedSeedEnsemble cannot be explained"):
        explain(mixture, features[0])
    spectrograms = LOG_MEL.transform(TRAIN)
    pooled = Pipeline([("pooling", TimeWeightedPooling()), ("detector", FeatureDetector())])
    with pytest.raises(ValueError, match="Pipeline cannot be explained"):
        explain(pooled.fit(spectrograms), spectrograms[0])
    directions = of_statistic("level", metric="cosine").fit(TRAIN)
    with pytest.raises(ValueError, match=r"nor statistics.*make_views_detector"):
        explain(directions, TRAIN[0])


def test_what_cannot_be_explained(detector):
    with pytest.raises(NotFittedError):
        explain(make_iaeo3(openl3=False), NEW[0])
    with pytest.raises(AudioError, match="too short"):
        explain(detector, NEW[0][:2000])
    features = np.random.default_rng(0).normal(size=(20, 3))
    fusion = FusionDetector([("one", FeatureDetector()), ("two", FeatureDetector(1))], cv=2)
    with pytest.raises(ValueError, match="FusionDetector cannot be explained"):
        explain(fusion.fit(features), features[0])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0, 2 / 6, 4 / 6]),
        ({"weights": [1, 4, 1]}, [0, 8 / 12, 4 / 12]),
        ({"aggregation": "max"}, [0, 0, 1]),
        ({"aggregation": "min"}, [0, 0, 0]),
    ],
)
def test_fused_detectors_share_what_is_above_usual(settings, expected):
    """Standardised scores of -1, 2 and 4: each feature's training scores are -1 and 1."""
    detectors = [(name, FeatureDetector(index)) for index, name in enumerate("abc")]
    fusion = FusionDetector(detectors, cv=2, **settings)
    fusion.fit(np.repeat([[-1.0] * 3, [1.0] * 3], 5, axis=0))
    np.testing.assert_allclose(shares_of_fused(fusion, [-1.0, 2.0, 4.0]), expected)


def test_soft_maximum_is_shared_by_shapley_values():
    """Standardised scores of -1, 2 and 4: the mean of the gains over both orders of the latter."""
    detectors = [(name, FeatureDetector(index)) for index, name in enumerate("abc")]
    fusion = FusionDetector(detectors, cv=2, aggregation="soft_max", weights=[1, 2, 1])
    fusion.fit(np.repeat([[-1.0] * 3, [1.0] * 3], 5, axis=0))
    first, second = np.log((2 + 2 * np.exp(2)) / 4), np.log((3 + np.exp(4)) / 4)
    both = np.log((1 + 2 * np.exp(2) + np.exp(4)) / 4)
    expected = np.array([0, first + both - second, second + both - first]) / 2 / both
    np.testing.assert_allclose(shares_of_fused(fusion, [-1.0, 2.0, 4.0]), expected)
    np.testing.assert_array_equal(shares_of_fused(fusion, [-1.0, -2.0, -4.0]), 0)


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_fault_is_named_by_views(views, fault):
    explanation = explain(views, NEW[1] + PLANTED[fault])
    assert explanation.is_anomalous
    start, end = explanation.spans[0]
    assert start < 1.2
    assert end > 0.8
    assert end - start < 0.8
    low, high = explanation.bands[0]
    assert low < 2500 < high
    frame, band = np.unravel_index(explanation.excess.argmax(), explanation.excess.shape)
    assert 0.7 < explanation.times[frame] < 1.3
    assert 2000 < explanation.frequencies[band] < 3000
    assert sum(explanation.contributions.values()) == pytest.approx(1)
    assert not explanation.easier_than_usual


def test_views_say_what_stands_out(views):
    lasting = explain(views, NEW[1] + 0.4 * TONE)
    assert "unusual throughout" in str(lasting)
    assert max(lasting.contributions, key=lasting.contributions.get).startswith("level of the")
    low, high = lasting.bands[0]
    assert 2200 < low < high < 2800
    assert set(lasting.contributions) == {
        "level of the bands",
        "level of the quiet half",
        "loudest moments",
        "modulation",
        "change from frame to frame",
        "roughness",
    }
    assert "% of the score from the level" in str(lasting)
    small = [name for name, share in lasting.contributions.items() if share < 0.05]
    assert small
    assert not any(f"from the {name}" in str(lasting) for name in small)
    assert lasting.anomaly_score == pytest.approx(
        views.anomaly_score((NEW[1] + 0.4 * TONE)[np.newaxis])[0]
    )


def test_maps_of_views_have_the_frames_of_the_slow_analysis(views):
    explanation = explain(views, NEW[0])
    (spectrogram,) = LogMelSpectrogram().transform(NEW[:1])
    np.testing.assert_array_equal(explanation.spectrogram, spectrogram)
    np.testing.assert_allclose(explanation.times, np.arange(len(spectrogram)) * 0.032)
    nearest = views.named_estimators_["level"]["detector"].X_fit_
    assert (np.abs(nearest - explanation.prediction[0]).max(axis=1) == 0).sum() == 1
    assert (explanation.prediction == explanation.prediction[0]).all()


def of_statistic(statistic, n_neighbors=1, spectrogram=LOG_MEL, n_bands=None, **settings):
    return Pipeline(
        [
            ("spectrogram", spectrogram),
            ("statistics", SpectrogramStatistics(statistic, n_bands=n_bands)),
            ("detector", NearestNeighborsDetector(n_neighbors, **settings)),
        ]
    )


@pytest.mark.parametrize("n_bands", [None, 5])
@pytest.mark.parametrize("statistic", sorted(STATISTICS.keys() - {"dynamics"}))
def test_map_sums_to_the_squared_distance(statistic, n_bands):
    """The features' distance, and not the map's parts: the score of two nearest clips."""
    pipeline = of_statistic(statistic, 2, n_bands=n_bands, metric="euclidean").fit(TRAIN)
    features = pipeline[:-1].transform([*TRAIN, NEW[1]])
    squared = np.sort(np.sum((features[:-1] - features[-1]) ** 2, axis=1))
    explanation = explain(pipeline, NEW[1])
    assert explanation.error.sum() == pytest.approx(squared[:2].mean())
    whitened = of_statistic(statistic, n_bands=n_bands, log=True).fit(TRAIN)
    explanation = explain(whitened, NEW[1])
    assert np.log(explanation.error.sum()) / 2 == pytest.approx(explanation.anomaly_score)
    assert np.maximum(explanation.excess, 0).sum() == pytest.approx(1)
    assert list(explanation.contributions.values()) == [1]


def test_map_of_levels_in_closed_form():
    pipeline = of_statistic("level", density_neighbors=4).fit(TRAIN)
    detector = pipeline["detector"]
    (spectrogram,) = LOG_MEL.transform(NEW[1:2])
    whitened = (spectrogram.mean(axis=0, dtype=np.float64) - detector.X_fit_) @ detector.whitening_
    nearest = np.argmin(np.linalg.norm(whitened, axis=1) / detector.density_)
    gradient = detector.whitening_ @ whitened[nearest]
    expected = (spectrogram - detector.X_fit_[nearest]) * gradient / len(spectrogram)
    np.testing.assert_allclose(explain(pipeline, NEW[1]).error, expected)


def test_training_clip_is_not_its_own_neighbor():
    pipeline = of_statistic("level").fit(TRAIN)
    explanation = explain(pipeline, TRAIN[0])
    assert explanation.error.sum() == pytest.approx(explanation.anomaly_score**2)


def test_dynamics_are_nearly_exact():
    pipeline = of_statistic("dynamics", log=True).fit(TRAIN)
    explanation = explain(pipeline, NEW[1] + PLANTED["tone"])
    assert np.log(explanation.error.sum()) / 2 == pytest.approx(explanation.anomaly_score, abs=0.1)
    assert explanation.contributions == {"dynamics": 1.0}


def test_views_of_spectrograms_take_their_units_from_the_arguments():
    detector = make_views_detector(input="spectrograms").fit([of_noise(5, s) for s in range(20)])
    odd = of_noise(5, 100)
    odd[20:26, 10:13] += 30
    explanation = explain(detector, odd, sample_rate=8000, hop_length=256, fmin=50, fmax=3000)
    np.testing.assert_allclose(explanation.times, np.arange(60) * 256 / 8000)
    (start, end), (low, high) = explanation.spans[0], explanation.bands[0]
    assert start < 23 * 0.032 < end
    assert low < explanation.frequencies[11] < high


def test_views_beside_an_autoencoder():
    autoencoder = make(make_iaeo3, openl3=False, n_components=1, **TINY)
    parts = [("iae", autoencoder), ("level", of_statistic("level")), ("flux", of_statistic("flux"))]
    fusion = FusionDetector(parts).fit(TRAIN)
    for clip in (NEW[1] + PLANTED["clicks"], NEW[1] + PLANTED["tone"]):
        explanation = explain(fusion, clip)
        names = {"interpolation error", "level of the bands", "change from frame to frame"}
        assert set(explanation.contributions) == names
        assert sum(explanation.contributions.values()) == pytest.approx(1)
        assert not explanation.of_statistics
        assert explanation.excess.shape == (len(explanation.times), 32) == (59, 32)
        assert explanation.spans[0][0] < 1.2
        assert explanation.spans[0][1] > 0.8
        assert explanation.bands[0][0] < 2500 < explanation.bands[0][1]


def test_what_no_view_finds_odd_is_not_shared(views):
    calm = [clip for clip in CLIPS if (views.member_scores(clip[np.newaxis]) < 0).all()]
    explanation = explain(views, calm[0])
    assert explanation.contributions == {}
    assert np.maximum(explanation.excess, 0).sum() > 0


def test_maps_of_other_analyses_keep_their_sums(views):
    """A tone of 0.4 s at 2.5 kHz is there in the fast views, on the slow views' grid, too."""
    grid = grid_of(LogMelSpectrogram(), 63)
    clip = NEW[1] + PLANTED["tone"]
    fast = of_statistic(
        "level", spectrogram=LogMelSpectrogram(n_fft=256, hop_length=128, n_mels=32)
    )
    pipeline = fast.fit(TRAIN)
    explanation = explain(pipeline, clip)
    ((_, view),) = [(1.0, statistic_view(pipeline, clip))]
    distance, excess = mixed_maps([(1.0, view)], grid)
    assert distance.shape == (63, 128)
    assert distance.sum() == pytest.approx(explanation.error.sum(), rel=1e-2)
    frame, band = np.unravel_index(excess.argmax(), excess.shape)
    assert 0.8 < 0.032 * frame < 1.2
    assert grid.frequencies[band - 3] < 2500 < grid.frequencies[band + 4]


def two_autoencoders(**settings):
    branches = []
    for name, log_mel, n_frames in (("a", LOG_MEL, 5), ("b", LogMelSpectrogram(**settings), 3)):
        autoencoder = InterpolationAutoencoder(
            (32, 16), n_frames=n_frames, epochs=1, random_state=0
        )
        branches.append((name, Pipeline([("log_mel", log_mel), ("autoencoder", autoencoder)])))
    steps = [("features", FeatureUnion(branches)), ("detector", GaussianMixtureDetector(1))]
    return Pipeline(steps).fit(TRAIN)


def test_windows_that_all_autoencoders_have():
    explanation = explain(two_autoencoders(n_mels=32), NEW[0])
    (spectrogram,) = LOG_MEL.transform(NEW[:1])
    np.testing.assert_array_equal(explanation.spectrogram, spectrogram[2:-2])
    assert set(explanation.contributions) == {"a", "b"}


def test_different_spectrograms_have_no_mean():
    with pytest.raises(ValueError, match=r"different spectrograms.*hop_length differ"):
        explain(two_autoencoders(n_mels=32, hop_length=1024), NEW[0])


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib draws the pictures")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


Y = np.repeat([1, -1], [30, 40])
SCORES = np.r_[np.random.default_rng(0).normal(0, 1, 30), np.random.default_rng(1).normal(1, 1, 40)]


def test_error_map_display(plt, detector):
    display = ErrorMapDisplay.from_estimator(detector, NEW[0] + PLANTED["tone"])
    explanation = display.explanation
    drawn = [ax.collections[0].get_array() for ax in display.axes_]
    maps = explanation.spectrogram, explanation.prediction, explanation.excess
    for image, values in zip(drawn, maps, strict=True):
        np.testing.assert_allclose(np.ravel(image), values.T.ravel())
    assert [ax.get_title(loc="left") for ax in display.axes_[:2]] == ["Spectrogram", "Prediction"]
    assert display.axes_[2].get_xlabel() == "time in s"
    assert display.axes_[0].get_ylabel() == "frequency in kHz"
    assert display.axes_[0].get_shared_x_axes().joined(*display.axes_[[0, 2]])
    box = display.axes_[2].patches[0]
    assert (box.get_x(), 1000 * box.get_y()) == pytest.approx(
        (explanation.spans[0][0], explanation.bands[0][0])
    )
    marked = [(box.get_x(), box.get_y()) for box in display.axes_[0].patches]
    assert marked == [(box.get_x(), box.get_y()) for box in display.axes_[2].patches]
    assert [ax.get_title(loc="right") for ax in display.axes_] == [
        "boxes: what is unusual",
        "",
        "boxes: what is unusual",
    ]
    hertz = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert (hertz[0], hertz[-1]) == ("0", "8")
    seconds = display.axes_[2].get_xticks()
    assert seconds[0] == pytest.approx(explanation.times[0] - 0.016)
    assert seconds[-1] == pytest.approx(explanation.times[-1] + 0.016)
    title = display.figure_.get_suptitle()
    assert explanation.location in title
    assert title.startswith(f"Anomalous clip: score {explanation.anomaly_score:.4g}, threshold")
    units = [ax.get_ylabel() for ax in display.figure_.axes[3:]]
    assert units == ["level in dB", "level in dB", "error in dB²"]
    display.figure_.canvas.draw()
    with pytest.raises(ValueError, match="2 axes"):
        display.plot(axes=plt.subplots(2)[1])


def test_error_map_display_of_views(plt, views):
    display = ErrorMapDisplay.from_estimator(views, NEW[0] + PLANTED["tone"])
    titles = [ax.get_title(loc="left") for ax in display.axes_]
    assert titles == ["Spectrogram", "Mean level of each band", "Distance from healthy clips"]
    display.figure_.canvas.draw()


def test_views_are_explained_from_the_command_line(plt, views, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "odd.wav", NEW[1] + PLANTED["tone"], 16000, subtype="FLOAT")
    save(views, tmp_path / "fan.skasd")
    arguments = ["explain", tmp_path / "fan.skasd", tmp_path / "odd.wav", "-o", tmp_path / "o.png"]
    shown = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert shown.exit_code == 0, shown.stderr
    expected = explain(views, (NEW[1] + PLANTED["tone"]).astype(np.float32))
    assert shown.stdout == f"{tmp_path / 'odd.wav'}: {expected}\n"
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")


def test_score_distribution_display(plt):
    display = ScoreDistributionDisplay.from_scores(Y, SCORES, threshold=0.5)
    normal, anomalous, threshold = display.ax_.lines
    np.testing.assert_array_equal(normal.get_xdata(), SCORES[:30])
    np.testing.assert_array_equal(anomalous.get_xdata(), SCORES[30:])
    assert threshold.get_xdata()[0] == 0.5
    assert display.ax_.get_xscale() == "linear"
    ticks = display.ax_.get_xticks()
    assert (ticks[0], ticks[-1]) == pytest.approx((SCORES.min(), SCORES.max()))
    assert display.ax_.get_title(loc="left") == "Scores of normal and of anomalous clips"
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["normal\n(30 clips)", "anomalous\n(40 clips)"]
    far = ScoreDistributionDisplay.from_scores(Y, np.where(Y == 1, SCORES, 1e4 + SCORES))
    assert far.ax_.get_xscale() == "symlog"
    ticks = far.ax_.get_xticks()
    assert (ticks[0], ticks[-1]) == pytest.approx((SCORES[:30].min(), 1e4 + SCORES[30:].max()))
    alike = ScoreDistributionDisplay.from_scores([1, -1], [2.0, 2.0])
    alike.figure_.canvas.draw()


def test_error_map_of_a_single_band_and_window(plt):
    cell = np.ones((1, 1))
    explanation = Explanation(
        anomaly_score=2.0, threshold=1.0, spans=[(0.0, 0.5)], bands=[(0.0, 500.0)],
        contributions={}, easier_than_usual=False, times=np.array([0.25]),
        frequencies=np.array([400.0]), spectrogram=cell, prediction=cell, error=cell, excess=cell,
    )  # fmt: skip
    display = ErrorMapDisplay(explanation).plot()
    display.figure_.canvas.draw()
    assert "p-value" not in display.figure_.get_suptitle()


@pytest.mark.parametrize("max_fpr", [0.1, 0.35, 1])
def test_detection_curve_display(plt, max_fpr):
    display = DetectionCurveDisplay.from_predictions(Y, SCORES, max_fpr=max_fpr, name="ours")
    assert display.auc == pytest.approx(roc_auc_score(Y == -1, SCORES))
    assert display.pauc == pytest.approx(roc_auc_score(Y == -1, SCORES, max_fpr=max_fpr))
    (region,) = display.ax_.collections
    x, y = region.get_paths()[0].vertices.T
    shaded = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    if max_fpr < 1:
        least = max_fpr**2 / 2
        standardized = (1 + (shaded - least) / (max_fpr - least)) / 2
        assert display.pauc == pytest.approx(standardized)
    else:
        assert shaded == pytest.approx(display.auc)
    legend = display.ax_.get_legend().get_texts()[-1].get_text()
    assert legend == f"ours (AUC {display.auc:.3f}, pAUC {display.pauc:.3f})"


def test_curves_share_axes(plt):
    first = DetectionCurveDisplay.from_predictions(Y, SCORES, name="first")
    second = DetectionCurveDisplay.from_predictions(Y, -SCORES, name="second", ax=first.ax_)
    assert second.ax_ is first.ax_
    assert first.line_.get_color() != second.line_.get_color()
    assert first.line_.get_linestyle() != second.line_.get_linestyle()
    assert len(first.ax_.get_legend().get_texts()) == 3


def test_displays_from_estimator(plt):
    detector = FeatureDetector(contamination=0.25).fit(SCORES[:30, np.newaxis])
    X = SCORES[:, np.newaxis]
    assert ScoreDistributionDisplay.from_estimator(detector, X, Y).threshold == -detector.offset_
    pipeline = Pipeline([("detector", detector)])
    assert ScoreDistributionDisplay.from_estimator(pipeline, X, Y).threshold == -detector.offset_
    display = DetectionCurveDisplay.from_estimator(detector, X, Y)
    assert display.auc == pytest.approx(roc_auc_score(Y == -1, SCORES))


def test_missing_matplotlib_says_what_to_install(monkeypatch, detector):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in (
        lambda: ErrorMapDisplay.from_estimator(detector, NEW[0]),
        lambda: ScoreDistributionDisplay.from_scores(Y, SCORES),
        lambda: DetectionCurveDisplay.from_predictions(Y, SCORES),
    ):
        with pytest.raises(ImportError, match=r'pip install "skasd\[examples\]"'):
            draw()
