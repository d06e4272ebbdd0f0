"""The default system: local density, the soft maximum, and what joins them."""

import warnings

import numpy as np
import pytest
import soundfile
from processes import run_script
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skasd
from skasd import (
    AudioError,
    FusionDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    NearestNeighborsDetector,
    SpectrogramStatistics,
    make_views_detector,
)
from skasd.audio._recording import Recording
from skasd.datasets import make_machine_sounds
from skasd.detection import _distances
from skasd.ensemble._fusion_detector import leaves_out
from skasd.exceptions import CalibrationWarning
from skasd.metrics import auc

RNG = np.random.default_rng(0)
TRAIN, NEW = RNG.normal(size=(40, 3)), RNG.normal(size=(9, 3))


def local_density_score(x, train, k):
    """Wilkinghoff et al., term by term: distance over the mean distance to the K nearest."""
    ratios = []
    for i, y in enumerate(train):
        others = np.delete(train, i, axis=0)
        nearest = sorted(np.linalg.norm(y - z) for z in others)[:k]
        ratios.append(np.linalg.norm(x - y) / np.mean(nearest))
    return min(ratios)


@pytest.mark.parametrize("k", [1, 4, 39, 100])
def test_local_density_by_its_formula(k):
    detector = NearestNeighborsDetector(1, metric="euclidean", density_neighbors=k).fit(TRAIN)
    expected = [local_density_score(x, TRAIN, k) for x in NEW]
    np.testing.assert_allclose(detector.anomaly_score(NEW), expected, rtol=1e-6)


def test_several_neighbors_are_averaged_by_relative_distance():
    detector = NearestNeighborsDetector(3, metric="cosine", density_neighbors=5).fit(TRAIN)
    between = cdist(TRAIN, TRAIN, "cosine")
    density = np.sort(between, axis=1)[:, 1:6].mean(axis=1)
    expected = np.sort(cdist(NEW, TRAIN, "cosine") / density, axis=1)[:, :3].mean(axis=1)
    np.testing.assert_allclose(detector.anomaly_score(NEW), expected, rtol=1e-6)


def test_whitened_scores_do_not_depend_on_units_or_mixtures():
    detector = NearestNeighborsDetector(1, density_neighbors=8, shrinkage="oas")
    before = detector.fit(TRAIN).anomaly_score(NEW)
    units = np.array([1e-3, 1.0, 1e4])
    np.testing.assert_allclose(detector.fit(TRAIN * units).anomaly_score(NEW * units), before)


def test_log_is_the_logarithm():
    plain = NearestNeighborsDetector(2, density_neighbors=8).fit(TRAIN)
    log = NearestNeighborsDetector(2, density_neighbors=8, log=True).fit(TRAIN)
    np.testing.assert_allclose(log.anomaly_score(NEW), np.log(plain.anomaly_score(NEW)))
    np.testing.assert_array_equal(log.p_values(NEW), plain.p_values(NEW))


def test_blocks_do_not_matter(monkeypatch):
    whole = NearestNeighborsDetector(2, density_neighbors=8).fit(TRAIN).anomaly_score(NEW)
    monkeypatch.setattr(_distances, "BLOCK_BYTES", 1000)
    blocks = NearestNeighborsDetector(2, density_neighbors=8).fit(TRAIN).anomaly_score(NEW)
    np.testing.assert_allclose(blocks, whole)


def test_copies_have_no_distance_and_a_score():
    copies = np.repeat(TRAIN[:4], 10, axis=0)
    detector = NearestNeighborsDetector(1, density_neighbors=3, log=True).fit(copies)
    assert np.isfinite(detector.training_scores_).all()
    assert (detector.predict(NEW) == -1).all()
    all_alike = np.ones((10, 2))
    detector = NearestNeighborsDetector(1, density_neighbors=3).fit(all_alike)
    assert detector.predict([[1.0, 1.0], [1.0, 2.0]]).tolist() == [1, -1]


def test_rare_mode_is_judged_by_what_is_usual_there():
    """200 clips within 1 of 0, and 10 that are spread ten times as wide around 100."""
    rng = np.random.default_rng(3)
    common, rare = rng.normal(0, 1, (200, 2)), rng.normal(100, 10, (10, 2))
    train, new = np.vstack([common, rare]), rng.normal(100, 10, (200, 2))
    rates = {
        k: np.mean(
            NearestNeighborsDetector(1, metric="euclidean", density_neighbors=k)
            .fit(train)
            .predict(new)
            == -1
        )
        for k in (None, 5)
    }
    assert rates[None] > 0.9
    assert rates[5] < 0.3


@pytest.mark.parametrize("n_clips", [3, 4, 10])
def test_a_few_clips(n_clips):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        detector = NearestNeighborsDetector(1, density_neighbors=16).fit(TRAIN[:n_clips])
    assert np.isfinite(detector.anomaly_score(NEW)).all()
    assert detector.calibrated_on_ == "left out"


def test_left_out_clips_are_uniform():
    p_values = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        train, new = rng.normal(size=(50, 6)), rng.normal(size=(50, 6))
        detector = NearestNeighborsDetector(1, density_neighbors=16, log=True).fit(train)
        p_values.append(detector.p_values(new))
    rates = [np.mean(np.concatenate(p_values) <= level) for level in (0.05, 0.1, 0.25, 0.5)]
    # 1,500 clips in 30 sets, whose thresholds vary: a standard error of 0.007 to 0.015.
    np.testing.assert_allclose(rates, [0.05, 0.1, 0.25, 0.5], atol=0.03)


def fused(aggregation, weights=None, **parameters):
    detectors = [
        ("near", NearestNeighborsDetector(density_neighbors=8, log=True)),
        ("density", GaussianMixtureDetector(1)),
    ]
    return FusionDetector(detectors, aggregation=aggregation, weights=weights, **parameters)


@pytest.mark.parametrize("weights", [None, [3.0, 1.0]])
def test_soft_maximum_is_the_logarithm_of_mean_exponentials(weights):
    fusion = fused("soft_max", weights).fit(TRAIN)
    shares = np.array([0.5, 0.5] if weights is None else [0.75, 0.25])
    expected = np.log(np.exp(fusion.member_scores(NEW)) @ shares)
    np.testing.assert_allclose(fusion.anomaly_score(NEW), expected)


def test_soft_maximum_is_between_mean_and_maximum():
    scores = {
        aggregation: fused(aggregation).fit(TRAIN).anomaly_score(NEW)
        for aggregation in ("mean", "soft_max", "max")
    }
    assert (scores["mean"] <= scores["soft_max"]).all()
    assert (scores["soft_max"] <= scores["max"]).all()
    far = fused("soft_max").fit(TRAIN).member_scores([[50.0, 50.0, 50.0]])
    assert logsumexp(far) - np.log(2) == pytest.approx(far.max() - np.log(2))


def test_weights_are_for_means():
    with pytest.raises(ValueError, match="'mean' or 'soft_max', got 'max'"):
        fused("max", [1, 1]).fit(TRAIN)


def test_detectors_that_leave_clips_out_are_fitted_once():
    """Behind what learns nothing, a detector's own scores of left-out clips are taken."""
    statistics = SpectrogramStatistics("level")
    near = NearestNeighborsDetector()
    assert leaves_out(near, 10)
    assert leaves_out(make_pipeline(LogMelSpectrogram(), statistics, near), 10)
    assert leaves_out(Pipeline([("spectrogram", "passthrough"), ("near", near)]), 10)
    # A scaler has seen the clip, so the pipeline as a whole must leave it out.
    assert not leaves_out(make_pipeline(statistics, StandardScaler(), near), 10)
    assert not leaves_out(near, 2)
    fusion = FusionDetector([("near", near)]).fit(TRAIN)
    alone = NearestNeighborsDetector().fit(TRAIN)
    standardized = (alone.training_scores_ + fusion.score_means_[0]) / fusion.score_stds_[0]
    np.testing.assert_allclose(fusion.training_scores_, standardized)


@pytest.fixture(scope="module")
def machine():
    clips, y = make_machine_sounds(
        "slider", n_normal=70, n_anomalous=20, duration=2.0, random_state=0
    )
    return clips[:40], clips[40:], y[40:]


@pytest.fixture(scope="module")
def detector(machine):
    return make_views_detector().fit(machine[0])


def test_default_finds_faults(detector, machine):
    _, new, y = machine
    assert auc(y, detector.anomaly_score(new)) > 0.95
    assert detector.calibrated_on_ == "left out"
    assert (detector.predict(new)[y == 1] == -1).mean() <= 0.2


def test_default_is_the_same_each_time(detector, machine):
    train, new, _ = machine
    again = make_views_detector(n_jobs=2).fit(train)
    np.testing.assert_allclose(again.anomaly_score(new), detector.anomaly_score(new), rtol=1e-9)


def test_views_share_two_analyses(machine, monkeypatch):
    counts = []
    analyze = LogMelSpectrogram.transform_clip
    monkeypatch.setattr(
        LogMelSpectrogram,
        "transform_clip",
        lambda self, samples: counts.append(self.n_fft) or analyze(self, samples),
    )
    make_views_detector().fit(machine[0])
    assert sorted(counts) == [256] * 40 + [1024] * 40


def test_each_file_is_read_once(machine, tmp_path, monkeypatch):
    paths = [str(tmp_path / f"{index:02}.wav") for index in range(20)]
    for path, clip in zip(paths, machine[0], strict=False):
        soundfile.write(path, clip, 16000)
    read, blocks = [], Recording.blocks
    monkeypatch.setattr(
        Recording, "blocks", lambda self, *args: read.append(self.path) or blocks(self, *args)
    )
    detector = make_views_detector().fit(paths)
    assert sorted(read) == sorted(paths)
    for method in (detector.score_samples, detector.predict, detector.p_values):
        read.clear()
        method(paths[:3])
        assert read == paths[:3]


def test_spectrograms_have_no_fast_views(machine):
    train, new, _ = machine
    log_mel = LogMelSpectrogram()
    detector = make_views_detector(input="spectrograms").fit(log_mel.transform(train))
    names = list(detector.named_estimators_)
    assert names == ["level", "quiet", "loud", "modulation", "flux", "interpolation"]
    assert np.isfinite(detector.anomaly_score(log_mel.transform(new))).all()


def test_default_needs_no_keras(machine):
    code = (
        "import sys, numpy as np\n"
        "from skasd import make_views_detector\n"
        "clips = np.random.default_rng(0).normal(0, 0.1, (12, 16000))\n"
        "make_views_detector().fit(clips).p_values(clips[:2])\n"
        "assert not {'keras', 'jax', 'tensorflow', 'torch'} & sys.modules.keys()\n"
    )
    process = run_script(code)
    assert process.returncode == 0, process.stderr


def test_short_clips_are_refused_by_name(detector):
    with pytest.raises(AudioError, match=r"clip 1.*too short"):
        detector.score_samples([np.zeros(16000), np.zeros(6000)])


def test_save_and_load(detector, machine, tmp_path):
    skasd.save(detector, tmp_path / "slider.skasd")
    loaded = skasd.load(tmp_path / "slider.skasd")
    np.testing.assert_array_equal(
        loaded.anomaly_score(machine[1]), detector.anomaly_score(machine[1])
    )


def test_settings_reach_both_analyses():
    detector = make_views_detector(sample_rate=32000, n_fft=2048, n_mels=64, win_length=1024)
    views = dict(detector.detectors)
    slow, fast = (views[name]["spectrogram"].get_params() for name in ("level", "fast_level"))
    assert (slow["n_fft"], slow["win_length"], slow["n_mels"]) == (2048, 1024, 64)
    assert (fast["n_fft"], fast["win_length"], fast["n_mels"]) == (512, 256, 16)
    assert slow["sample_rate"] == fast["sample_rate"] == 32000
