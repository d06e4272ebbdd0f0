import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from networks import machine_id_embedding, spectrum_embedding
from scipy.special import logsumexp
from settings import make
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skasd import (
    FeatureDetector,
    FrameAutoencoder,
    FusionDetector,
    GaussianMixtureDetector,
    InterpolationAutoencoder,
    LogMelSpectrogram,
    NearestNeighborsDetector,
    OpenL3Embedding,
    PowerSpectrum,
    PrincipalComponents,
    RepeatedSeedEnsemble,
    SpectrogramStatistics,
    TimeWeightedPooling,
    export_onnx,
    make_baseline,
    make_iaeo3,
    make_iaeo3_plus,
    make_views_detector,
)
from skasd.datasets import make_machine_sounds
from skasd.features._statistics import STATISTICS

SMALL = {"n_mels": 32, "epochs": 1, "encoder_units": (16, 8), "n_repeats": 2, "random_state": 0}
SYSTEMS = {
    "iaeo3": make(make_iaeo3, openl3=False, n_components=2, **SMALL),
    "valve": make(make_iaeo3, machine="valve", n_fft=512, **SMALL),
    "baseline": make(make_baseline, **SMALL),
    "plus": make(make_iaeo3_plus, **SMALL),
}


def run(model, data, outputs=("anomaly_score", "is_anomalous")):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    return session.run(outputs, {taken.name: data})


def features_of(path, data, detector):
    """Return what the model's detector takes: it subtracts a mean from it, or takes its norm."""
    model = onnx.load(path)
    nodes = model.graph.node
    if isinstance(detector, NearestNeighborsDetector) and detector.metric == "cosine":
        (features,) = [node.input[0] for node in nodes if node.op_type == "ReduceSumSquare"]
    else:
        means = onnx.numpy_helper.from_array(mean_of(detector)).raw_data
        (constant,) = [each.name for each in model.graph.initializer if each.raw_data == means]
        (features,) = [node.input[0] for node in nodes if constant in node.input]
    model.graph.output.append(onnx.ValueInfoProto(name=features))
    return run(model.SerializeToString(), data, [features])[0]


def mean_of(detector):
    if isinstance(detector, GaussianMixtureDetector):
        return detector.mixture_.means_[:, np.newaxis]
    return detector.location_


def log_density_bound(mixture, features, errors):
    """Bound what errors of the features do to the log-density: whitened, they add to distances."""
    factors = mixture.precisions_cholesky_
    if mixture.covariance_type == "tied":
        factors = np.tile(factors, (mixture.n_components, 1, 1))
    elif mixture.covariance_type in ("diag", "spherical"):
        factors = np.array([factor * np.eye(features.shape[1]) for factor in factors])
    distances = np.linalg.norm((features - mixture.means_[:, np.newaxis]) @ factors, axis=2)
    steps = np.linalg.norm(errors @ factors, axis=2)
    of_components = distances * steps + steps**2 / 2
    return logsumexp(of_components, axis=0, b=mixture.predict_proba(features).T)


def distance_bound(detector, features, errors):
    """Bound what errors of the features do to the score: distances move no further than clips."""
    steps = errors @ detector.whitening_ if detector.metric == "mahalanobis" else errors
    steps = np.linalg.norm(steps, axis=1)
    if detector.metric == "cosine":
        # The direction turns by that at most.
        steps = 2 * steps / np.linalg.norm(features, axis=1)
    if detector.density_neighbors is not None:
        steps = steps / detector.density_.min()
    if not detector.log:
        return steps
    return steps / np.maximum(np.exp(-detector.score_samples(features)) - steps, 1e-3)


def score_bound(path, data, member, X):
    """Hold a member's exported features to 1e-5, and return how far that may move its score."""
    features = member[:-1].transform(X)
    tolerances = 1e-5 * np.abs(features).max(axis=0)
    if isinstance(member[-1], FeatureDetector):
        return np.full(len(X), tolerances[member[-1].feature_index_])
    errors = features_of(path, data, member[-1]) - features
    assert (np.abs(errors) <= tolerances).all()
    if isinstance(member[-1], GaussianMixtureDetector):
        return log_density_bound(member[-1].mixture_, features, errors)
    return distance_bound(member[-1], features, errors)


def assert_same(path, data, detector, X):
    scores, is_anomalous = run(path, data)
    expected = -detector.score_samples(X)
    # All after the features is float64.
    tolerance = 1e-9 * np.maximum(1, np.abs(expected))
    members = getattr(detector, "estimators_", [detector])
    units = getattr(detector, "score_stds_", [1.0])
    bounds = [
        score_bound(path, data, member, X) / unit
        for member, unit in zip(members, units, strict=True)
    ]
    # No aggregation moves further than the member that moves furthest.
    tolerance += np.max(bounds, axis=0)
    assert (np.abs(scores - expected) <= tolerance).all()
    assert scores.shape == (len(X),)
    assert scores.dtype == np.float64
    # Where a score is the threshold itself, rounding decides.
    clear = np.abs(detector.decision_function(X)) > tolerance
    np.testing.assert_array_equal(is_anomalous[clear], (detector.predict(X) == -1)[clear])
    assert clear.any()


@pytest.fixture(scope="module")
def clips():
    """Return 40 clips of a pump to train on, and 10 of each machine to test on."""
    machines = {
        machine: make_machine_sounds(
            machine,
            n_normal=46 if machine == "pump" else 6,
            n_anomalous=4,
            duration=1.0,
            random_state=0,
        )[0].astype(np.float32)
        for machine in ("fan", "pump", "slider", "valve")
    }
    return machines["pump"][:40], np.concatenate([clips[-10:] for clips in machines.values()])


@pytest.mark.parametrize("system", SYSTEMS)
def test_systems(clips, system, tmp_path):
    train, test = clips
    detector = SYSTEMS[system].fit(train)
    path = tmp_path / "model.onnx"
    export_onnx(detector, path, duration=1.0)
    assert_same(path, test, detector, test)
    assert_same(path, test[-1:], detector, test[-1:])
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("STFT") == 1  # the members share it
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]

    export_onnx(detector, path, input="spectrograms", duration=1.0)
    n_fft = 512 if system == "valve" else 1024
    spectrograms = np.stack(LogMelSpectrogram(n_mels=32, n_fft=n_fft).transform(test))
    assert_same(path, spectrograms, detector, test)


def test_real_slider(shared_recordings, tmp_path):
    from skasd.audio import check_clips, read_clip

    folder = shared_recordings / "dcase2020" / "slider"
    paths = sorted((folder / "train").glob("*.wav"))
    train, test = paths[::2], [*sorted((folder / "test").glob("*.wav")), *paths[1:20:2]]
    detector = make(make_iaeo3_plus, **SMALL).fit(train)
    export_onnx(detector, tmp_path / "slider.onnx")
    samples = np.stack([read_clip(clip, sample_rate=16000) for clip in check_clips(test)])
    assert_same(tmp_path / "slider.onnx", samples, detector, test)


@pytest.fixture(scope="module")
def spectrograms():
    """Return 60 spectrograms of 20 frames and 6 bands, the last ten of them louder."""
    rng = np.random.default_rng(0)
    levels = rng.normal(-40, 4, size=(60, 20, 6)) + rng.normal(0, 2, size=(60, 1, 6))
    levels[50:] += 6
    return levels.astype(np.float32)


def iae(**parameters):
    settings = {"encoder_units": (4,), "epochs": 1, "random_state": 0, **parameters}
    return InterpolationAutoencoder(**settings)


def mixture(**parameters):
    return GaussianMixtureDetector(**{"n_components": 1, "random_state": 0, **parameters})


def pipeline(*steps):
    return Pipeline([(f"step{index}", step) for index, step in enumerate(steps)])


DETECTORS = {
    "full": pipeline(TimeWeightedPooling(), mixture(n_components=2)),
    **{
        kind: pipeline(
            TimeWeightedPooling(),
            mixture(n_components=3, covariance_type=kind, shrinkage=None),
        )
        for kind in ("tied", "diag", "spherical")
    },
    "gamma": pipeline(TimeWeightedPooling(), mixture(threshold_rule="gamma")),
    "decays": pipeline(TimeWeightedPooling([0, 0.9, 1, 1.1], std=True), mixture()),
    "projection": pipeline(TimeWeightedPooling(std=True, n_components=3), mixture()),
    "components": pipeline(
        TimeWeightedPooling(), StandardScaler(), "passthrough", PrincipalComponents(2), mixture()
    ),
    "unscaled": pipeline(
        TimeWeightedPooling(), StandardScaler(with_mean=False, with_std=False), mixture()
    ),
    "statistics": pipeline(iae(statistics=("iqr", "max"), n_frames=7), mixture()),
    "one feature": pipeline(iae(), FeatureDetector(feature=2)),
    "frames": pipeline(
        FrameAutoencoder((4, 2), n_frames=4, epochs=1, statistics=("std", "mean"), random_state=0),
        mixture(),
    ),
    "union": pipeline(
        FeatureUnion(
            [("iae", iae()), ("gone", "drop"), ("pooling", TimeWeightedPooling(0.5))],
            transformer_weights={"pooling": 0.3},
        ),
        FeatureUnion([("same", "passthrough"), ("pca", PrincipalComponents(2))]),
        mixture(reg_covar=1e-2),
    ),
    "frozen": pipeline(
        TimeWeightedPooling(), FrozenEstimator(StandardScaler().fit(np.eye(6))), mixture()
    ),
    "normalize": RepeatedSeedEnsemble(
        pipeline(TimeWeightedPooling(), mixture(n_components=2)),
        n_repeats=2,
        normalize=True,
        random_state=0,
    ),
    "fusion": FusionDetector(
        [
            ("levels", pipeline(TimeWeightedPooling(), mixture())),
            ("loudest", pipeline(TimeWeightedPooling(0), FeatureDetector(feature=2))),
        ],
        weights=(1, 3),
        cv=2,
    ),
    **{
        f"{statistic}{n_bands or ''}": pipeline(
            SpectrogramStatistics(statistic, n_bands=n_bands), mixture()
        )
        for statistic in sorted(STATISTICS)
        for n_bands in (None, 4)
    },
}


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
def test_steps(spectrograms, detector, tmp_path):
    detector.fit(spectrograms[:45])
    export_onnx(detector, tmp_path / "model.onnx", input="spectrograms", n_frames=20)
    assert_same(tmp_path / "model.onnx", spectrograms, detector, spectrograms)


def test_aggregations(spectrograms, tmp_path):
    detector = RepeatedSeedEnsemble(pipeline(iae(), FeatureDetector()), n_repeats=4, random_state=0)
    detector.fit(spectrograms[:45])
    for aggregation in ("min", "median", "mean", "max", "soft_max"):
        detector.set_params(aggregation=aggregation)
        export_onnx(detector, tmp_path / "model.onnx", input="spectrograms", n_frames=20)
        assert_same(tmp_path / "model.onnx", spectrograms, detector, spectrograms)


@pytest.mark.parametrize("weights", [None, (2, 1, 3), (0, 1, 0)])
def test_soft_maximum(spectrograms, weights, tmp_path):
    detectors = [
        (statistic, pipeline(SpectrogramStatistics(statistic), mixture()))
        for statistic in ("level", "loud", "flux")
    ]
    detector = FusionDetector(detectors, aggregation="soft_max", weights=weights)
    detector.fit(spectrograms[:45])
    export_onnx(detector, tmp_path / "model.onnx", input="spectrograms", n_frames=20)
    assert_same(tmp_path / "model.onnx", spectrograms, detector, spectrograms)
    # Far away, the exponentials of the scores overflow.
    far = 9 * spectrograms
    assert (detector.member_scores(far)[:, 1] > np.log(sys.float_info.max)).all()
    assert_same(tmp_path / "model.onnx", far, detector, far)


@pytest.mark.parametrize("metric", ["mahalanobis", "euclidean", "cosine"])
@pytest.mark.parametrize("density_neighbors", [None, 5, 100])
@pytest.mark.parametrize(("n_neighbors", "log"), [(1, False), (3, False), (3, True)])
def test_nearest_neighbors(spectrograms, metric, density_neighbors, n_neighbors, log, tmp_path):
    neighbors = NearestNeighborsDetector(
        n_neighbors, metric=metric, density_neighbors=density_neighbors, log=log
    )
    levels = spectrograms + np.float32(40)  # without a common direction
    detector = pipeline(SpectrogramStatistics(), neighbors).fit(levels[:45])
    path = tmp_path / "model.onnx"
    export_onnx(detector, path, input="spectrograms", n_frames=20)
    assert_same(path, levels[45:], detector, levels[45:])
    # The model takes training clips for new ones that are very near.
    scores, _ = run(path, levels[:45])
    assert (scores < -detector.score_samples(levels[:45])).all()


@pytest.mark.parametrize("metric", ["mahalanobis", "euclidean", "cosine"])
def test_no_distance(spectrograms, metric, tmp_path):
    """Rounding takes no distance below zero, where it had neither a root nor a logarithm."""
    neighbors = NearestNeighborsDetector(1, metric=metric, density_neighbors=8, log=True)
    detector = pipeline(SpectrogramStatistics(), neighbors).fit(spectrograms[:45])
    export_onnx(detector, tmp_path / "model.onnx", input="spectrograms", n_frames=20)
    scores, _ = run(tmp_path / "model.onnx", spectrograms[:45])
    np.testing.assert_allclose(scores, np.log(1e-3), rtol=1e-12)


def test_clip_of_zeros_has_no_direction(spectrograms, tmp_path):
    neighbors = NearestNeighborsDetector(metric="cosine")
    detector = pipeline(SpectrogramStatistics(), neighbors).fit(spectrograms[:45])
    export_onnx(detector, tmp_path / "model.onnx", input="spectrograms", n_frames=20)
    silence = np.zeros_like(spectrograms[:1])
    assert run(tmp_path / "model.onnx", silence)[0] == -detector.score_samples(silence) == 1


@pytest.mark.parametrize(
    ("statistic", "min_frames"), [("flux", 2), ("modulation", 17), ("interpolation", 5)]
)
def test_clips_shorter_than_a_statistic_needs_are_refused(
    spectrograms, statistic, min_frames, tmp_path
):
    detector = pipeline(SpectrogramStatistics(statistic), mixture()).fit(spectrograms)
    path = tmp_path / "model.onnx"
    message = f"{min_frames - 1} frames is too short for statistic='{statistic}', .* {min_frames}"
    with pytest.raises(ValueError, match=message):
        export_onnx(detector, path, input="spectrograms", n_frames=min_frames - 1)
    export_onnx(detector, path, input="spectrograms", n_frames=min_frames)
    shortest = spectrograms[:, :min_frames]
    assert_same(path, shortest, detector, shortest)


@pytest.mark.parametrize("n_frames", [20, 19, 1])
def test_embedding_of_spectrograms(spectrograms, n_frames, tmp_path):
    spectrograms = spectrograms[:, :n_frames]
    embedding = machine_id_embedding(6)
    detector = pipeline(FrozenEstimator(embedding), NearestNeighborsDetector())
    detector.fit(spectrograms[:45])
    export_onnx(detector, tmp_path / "model.onnx", input="spectrograms", n_frames=n_frames)
    new = spectrograms[45:]
    assert_same(tmp_path / "model.onnx", new, detector, new)


# Fewer bins than points, as many, and more.
@pytest.mark.parametrize(("n_bins", "sample_rate"), [(256, 16000), (4000, 8000), (8192, 16000)])
def test_embeddings_of_clips(noise_clips, n_bins, sample_rate, tmp_path):
    branches = make_union(
        pipeline(
            LogMelSpectrogram(sample_rate=sample_rate, n_mels=8, input_sample_rate=sample_rate),
            FrozenEstimator(machine_id_embedding(8)),
        ),
        pipeline(
            PowerSpectrum(sample_rate, n_bins=n_bins, input_sample_rate=sample_rate),
            FrozenEstimator(spectrum_embedding(n_bins)),
        ),
    )
    detector = pipeline(branches, NearestNeighborsDetector()).fit(noise_clips[:15])
    path = tmp_path / "model.onnx"
    export_onnx(detector, path, duration=8000 / sample_rate)
    new = noise_clips[15:]
    assert_same(path, new, detector, new)
    with pytest.raises(ValueError, match="does not go with PowerSpectrum"):
        export_onnx(detector, path, input="spectrograms", n_frames=16)


def test_spectrum_of_clips(noise_clips, tmp_path):
    detector = pipeline(PowerSpectrum(n_bins=300), NearestNeighborsDetector())
    detector.fit(noise_clips[:15])
    path = tmp_path / "model.onnx"
    export_onnx(detector, path, duration=0.5)
    new = noise_clips[15:]
    assert_same(path, new, detector, new)
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert metadata["sample_rate"] == "16000"
    assert metadata["n_samples"] == "8000"


def test_views_of_clips(clips, tmp_path):
    train, test = clips
    detector = make_views_detector(n_mels=32).fit(train)
    path = tmp_path / "model.onnx"
    export_onnx(detector, path, duration=1.0)
    assert_same(path, test, detector, test)
    assert_same(path, test[-1:], detector, test[-1:])
    model = onnx.load(path)
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("STFT") == 2  # the views share two analyses
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["sample_rate"] == "16000"
    assert not metadata.keys() & {"n_fft", "hop_length", "win_length", "n_mels"}

    with pytest.raises(ValueError, match="differ in hop_length, n_fft, n_mels, win_length, so"):
        export_onnx(detector, path, input="spectrograms", duration=1.0)
    with pytest.raises(ValueError, match=r"duration=0\.5 is too short: .* needs 8192"):
        export_onnx(detector, path, duration=0.5)


def test_views_of_spectrograms(spectrograms, tmp_path):
    detector = make_views_detector(input="spectrograms").fit(spectrograms[:45])
    path = tmp_path / "model.onnx"
    export_onnx(detector, path, input="spectrograms", n_frames=20)
    assert_same(path, spectrograms[45:], detector, spectrograms[45:])
    # Levels are the input, so all is in float64.
    scores, _ = run(path, spectrograms[45:])
    expected = -detector.score_samples(spectrograms[45:])
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="16 frames is too short for statistic='modulation'"):
        export_onnx(detector, path, input="spectrograms", n_frames=16)


@pytest.mark.parametrize(
    "settings",
    [
        {"power": 1.0, "fmin": 50.0, "fmax": 3000.0},
        {"win_length": 400},
        {"win_length": 333, "n_fft": 999, "hop_length": 100},
        {"power": 1.5, "n_fft": 1000, "hop_length": 301},
        {"n_fft": 999, "hop_length": 1000, "sample_rate": 8000, "input_sample_rate": 8000},
    ],
)
def test_spectrogram_settings(clips, settings, tmp_path):
    log_mel = LogMelSpectrogram(n_mels=16, **settings)
    train, test = clips
    detector = pipeline(log_mel, TimeWeightedPooling(), mixture()).fit(train)
    duration = 16000 / log_mel.sample_rate
    export_onnx(detector, tmp_path / "model.onnx", duration=duration)
    assert_same(tmp_path / "model.onnx", test, detector, test)


@pytest.fixture(scope="module")
def levels(noise_clips):
    return pipeline(LogMelSpectrogram(n_mels=8), TimeWeightedPooling(), mixture()).fit(noise_clips)


@pytest.fixture(scope="module")
def noise_clips():
    return np.random.default_rng(0).uniform(-0.5, 0.5, (20, 8000)).astype(np.float32)


@pytest.mark.parametrize("flaw", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("input", ["clips", "spectrograms"])
def test_clip_that_is_not_finite_is_anomalous(levels, noise_clips, flaw, input, tmp_path):
    export_onnx(levels, tmp_path / "model.onnx", input=input, duration=0.5)
    batch = noise_clips[:3]
    batch = batch.copy() if input == "clips" else np.stack(levels[0].transform(batch))
    batch[1].flat[50] = flaw
    scores, is_anomalous = run(tmp_path / "model.onnx", batch)
    assert np.isnan(scores).tolist() == [False, True, False]
    assert is_anomalous[1]


def test_metadata(levels, tmp_path):
    export_onnx(levels, tmp_path / "model.onnx", duration=0.5)
    model = onnx.load(tmp_path / "model.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert float(metadata.pop("threshold")) == -levels[-1].offset_
    quantiles = json.loads(metadata.pop("calibration_quantiles"))
    scores = -levels[-1].calibration_scores_
    assert quantiles["0.5"] == pytest.approx(np.median(scores))
    assert quantiles["1.0"] == scores.max()
    assert metadata.pop("n_calibration_clips") == str(len(scores))
    assert metadata.pop("skasd_version") == model.producer_version
    assert metadata == {
        "format": "1",
        "input": "clip",
        "n_samples": "8000",
        "sample_rate": "16000",
        "n_fft": "1024",
        "hop_length": "512",
        "win_length": "1024",
        "n_mels": "8",
        "power": "2.0",
        "fmin": "0.0",
        "fmax": "8000.0",
    }
    assert model.producer_name == "skasd"


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (OpenL3Embedding(), r"step0 \(OpenL3Embedding\)"),
        (
            pipeline(LogMelSpectrogram(), OpenL3Embedding()),
            r"step0__step1 \(OpenL3Embedding\)",
        ),
        (type("MyPooling", (TimeWeightedPooling,), {})(), r"step0 \(MyPooling\)"),
    ],
)
def test_what_has_no_operators_is_refused(levels, step, name, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("What is there stays.")
    with pytest.raises(TypeError, match=rf"{name}\. Fit a detector without these, or score with"):
        export_onnx(pipeline(step, levels[-1]), path)
    assert path.read_text() == "What is there stays."


def test_foreign_detector_is_refused(noise_clips, tmp_path):
    detector = IsolationForest(n_estimators=5)
    ensemble = RepeatedSeedEnsemble(
        pipeline(LogMelSpectrogram(n_mels=8), TimeWeightedPooling(), detector), n_repeats=1
    ).fit(noise_clips)
    with pytest.raises(TypeError, match=r"estimator__step2 \(IsolationForest\)"):
        export_onnx(ensemble, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_steps_that_do_not_fit_the_input_are_refused(levels, tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(TypeError, match="detector: GaussianMixtureDetector cannot take the spec"):
        export_onnx(levels[-1], path, input="spectrograms", n_frames=10)
    with pytest.raises(TypeError, match="Pipeline returns features, but scores are needed"):
        export_onnx(levels[:-1], path)
    with pytest.raises(ValueError, match="Pass input='spectrograms'"):
        export_onnx(levels[1:], path)
    with pytest.raises(ValueError, match="n_frames=None: the detector was fitted on spectrograms"):
        export_onnx(levels[1:], path, input="spectrograms")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": "wav"}, "input='wav': expected 'clips' or 'spectrograms'"),
        ({"duration": 0}, "duration=0: expected a number of seconds"),
        ({"duration": np.inf}, "duration=inf: expected a number of seconds"),
        ({"duration": 0.01}, r"duration=0.01 is too short: 160 samples at 16000 Hz, but .*1024"),
        ({"n_frames": 20}, "n_frames=20 is for input='spectrograms'"),
        ({"n_frames": 0, "input": "spectrograms"}, "n_frames=0: expected an int of at least 1"),
    ],
)
def test_wrong_arguments(levels, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_onnx(levels, tmp_path / "model.onnx", **arguments)
    assert not list(tmp_path.iterdir())


def test_clips_shorter_than_a_window_are_refused(spectrograms, tmp_path):
    detector = pipeline(iae(), FeatureDetector()).fit(spectrograms)
    with pytest.raises(ValueError, match="4 frames is too short for windows of 5"):
        export_onnx(detector, tmp_path / "model.onnx", input="spectrograms", n_frames=4)


@pytest.mark.parametrize(
    ("difference", "named"),
    [
        ({"n_fft": 512}, "n_fft, win_length"),
        ({"win_length": 512}, "win_length"),
        ({"sample_rate": 8000}, "fmax, sample_rate"),
    ],
)
def test_steps_that_differ_need_clips_of_one_rate(noise_clips, difference, named, tmp_path):
    def branch(**settings):
        return pipeline(LogMelSpectrogram(n_mels=4, **settings), TimeWeightedPooling())

    branches = FeatureUnion([("one", branch()), ("other", branch(**difference))])
    detector = pipeline(branches, mixture()).fit(noise_clips)
    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError, match=f"differ in {named}, so"):
        export_onnx(detector, path, input="spectrograms", duration=0.5)
    if "sample_rate" in difference:
        with pytest.raises(ValueError, match=r"sample rates \(\[8000, 16000\]\)"):
            export_onnx(detector, path, duration=0.5)
    else:
        export_onnx(detector, path, duration=0.5)
        assert_same(path, noise_clips, detector, noise_clips)


def test_not_fitted(tmp_path):
    with pytest.raises(NotFittedError):
        export_onnx(make_baseline(), tmp_path / "model.onnx")


def test_missing_onnx_is_said(levels, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'skasd\[onnx\]'"):
        export_onnx(levels, tmp_path / "model.onnx")
