"""The public suite for transformers of clips and of spectrograms, on every one of skasd.

The rest is what the public suite cannot ask of somebody else's transformer.
"""

import inspect
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from encoders import waveform_model
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, Pipeline

from skasd import (
    CallableEncoder,
    ClipTransformer,
    FeatureDetector,
    FrameAutoencoder,
    InterpolationAutoencoder,
    LogMelSpectrogram,
    MachineIDEmbedding,
    ONNXEncoder,
    OpenL3Embedding,
    PowerSpectrum,
    SelectiveMahalanobisAutoencoder,
    SpectrogramStatistics,
    TimeWeightedPooling,
)
from skasd.utils.estimator_checks import (
    clip_transformer_checks,
    spectrogram_transformer_checks,
)

CLIPS = np.random.default_rng(0).uniform(-0.5, 0.5, size=(6, 4000))
SPECTROGRAMS = LogMelSpectrogram(n_mels=16).transform(CLIPS)

LOG_MEL = LogMelSpectrogram(n_mels=16)
AUTOENCODER = InterpolationAutoencoder((8, 4), epochs=2, batch_size=8, random_state=0)
BASELINE = FrameAutoencoder((8, 4), epochs=2, batch_size=8, random_state=0)

MAHALANOBIS = SelectiveMahalanobisAutoencoder((8, 4), epochs=2, batch_size=8, random_state=0)

MACHINE_ID = MachineIDEmbedding((4, 6), embedding_size=3, epochs=2, batch_size=2, random_state=0)

OPENL3 = OpenL3Embedding(
    "mel128",
    hop_size=1.0,
    weights=str(Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"),
    cache=None,
)

FOLDER = tempfile.TemporaryDirectory(prefix="skasd-tests-")
MODEL = waveform_model(Path(FOLDER.name) / "model.onnx")


def rms_and_peak(samples):
    return np.array([samples.std(), abs(samples).max()])


TRANSFORMERS = {
    "LogMelSpectrogram": (LOG_MEL, CLIPS, {"n_mels": [8, 16]}),
    "PowerSpectrum": (PowerSpectrum(n_bins=32), CLIPS, {"n_bins": [8, 16]}),
    "InterpolationAutoencoder": (AUTOENCODER, np.array(SPECTROGRAMS), {"epochs": [1, 2]}),
    "FrameAutoencoder": (BASELINE, np.array(SPECTROGRAMS), {"epochs": [1, 2]}),
    "SelectiveMahalanobisAutoencoder": (MAHALANOBIS, np.array(SPECTROGRAMS), {"epochs": [1, 2]}),
    "TimeWeightedPooling": (
        TimeWeightedPooling([1, 0.5], std=True),
        np.array(SPECTROGRAMS),
        {"decay": [1, 0]},
    ),
    "SpectrogramStatistics": (
        SpectrogramStatistics("flux"),
        np.array(SPECTROGRAMS),
        {"statistic": ["level", "spread"]},
    ),
    "MachineIDEmbedding": (MACHINE_ID, np.array(SPECTROGRAMS), {"epochs": [1, 2]}),
    # Four clips are enough, and the network takes its time.
    "OpenL3Embedding": (OPENL3, CLIPS[:4], {"frontend": ["kapre", "librosa"]}),
    "ONNXEncoder": (
        ONNXEncoder(str(MODEL), pooling=["mean", "std"], cache=None),
        CLIPS,
        {"output": ["frames", "peak"]},
    ),
    "CallableEncoder": (CallableEncoder(rms_and_peak), CLIPS, {"function": [rms_and_peak, np.abs]}),
}
"""Transformer, valid input as one array, and a grid to search."""

WRONG_AUTOENCODER = {
    "encoder_units": 8,
    "n_frames": 0,
    "statistics": "mean error",
    "epochs": 0,
    "batch_size": 0,
    "learning_rate": 0,
    "batch_norm": "yes",
    "standardize": "yes",
    "input_noise": -1,
    "random_state": "seed",
    "verbose": -1,
}

WRONG_PARAMETERS = {
    "LogMelSpectrogram": {
        "sample_rate": 0,
        "n_fft": 1,
        "hop_length": 0,
        "win_length": 0,
        "n_mels": 2.5,
        "power": 0,
        "fmin": -1,
        "fmax": "high",
        "window": "hamming",
        "framing": "none",
        "pre_emphasis": 1,
        "mel_scale": "bark",
        "mel_norm": "area",
        "log": "log2",
        "offset": -1,
        "floor": -1,
        "top_db": 0,
        "mean": None,
        "scale": 0,
        "input_sample_rate": 0,
        "channel": "left",
        "min_frames": 0,
        "n_jobs": "all",
        "max_seconds": 0,
    },
    "PowerSpectrum": {
        "sample_rate": 0,
        "n_bins": 0,
        "input_sample_rate": 0,
        "channel": "left",
        "n_jobs": "all",
        "max_seconds": 0,
    },
    "InterpolationAutoencoder": {**WRONG_AUTOENCODER, "n_frames": 1},
    "FrameAutoencoder": WRONG_AUTOENCODER,
    "SelectiveMahalanobisAutoencoder": {
        name: value for name, value in WRONG_AUTOENCODER.items() if name != "statistics"
    },
    "TimeWeightedPooling": {"decay": -0.5, "std": "yes", "n_components": 0},
    "SpectrogramStatistics": {"statistic": "mean", "n_bands": 0},
    "MachineIDEmbedding": {
        "channels": 8,
        "embedding_size": 0,
        "loss": "softmax",
        "scale": 0,
        "margin": 4,
        "n_subclusters": 1,
        "mixup": -1,
        "epochs": 0,
        "batch_size": 0,
        "learning_rate": 0,
        "random_state": "seed",
        "verbose": -1,
    },
    "OpenL3Embedding": {
        "input_repr": "mel64",
        "content_type": "speech",
        "embedding_size": 128,
        "hop_size": 0,
        "center": "yes",
        "frontend": "torch",
        "pooling": None,
        "weights": None,
        "engine": "tpu",
        "cache": 3,
        "channel": "left",
        "input_sample_rate": 0,
        "n_jobs": "all",
        "max_seconds": -1,
        "verbose": -1,
    },
}

WRONG_PARAMETERS["ONNXEncoder"] = {
    "model": 3,
    "input": "features",
    "sample_rate": 0,
    "output": "no such output",
    "pooling": 2,
    "window_length": 0,
    "hop_length": 0,
    "layout": "nt",
    "time_axis": -1,
    "n_bands": 0,
    "batch_size": 0,
    "device": "tpu",
    "cache": 3,
    "channel": "left",
    "input_sample_rate": 0,
    "n_jobs": "all",
    "max_seconds": 0,
}
WRONG_PARAMETERS["CallableEncoder"] = {
    "function": "network",
    "sample_rate": 0,
    "pooling": "sum",
    "channel": "left",
    "input_sample_rate": 0,
    "n_jobs": "all",
    "max_seconds": 0,
}

every_transformer = pytest.mark.parametrize("name", TRANSFORMERS)


def case(name):
    transformer, X, _ = TRANSFORMERS[name]
    return clone(transformer), X.copy()


def machine_ids(X):
    """Return what `MachineIDEmbedding` learns, and the others ignore."""
    return [f"id_{i % 2:02}" for i in range(len(X))]


def fit_transform(transformer, X):
    return transformer.fit(X, machine_ids(X)).transform(X)


def assert_equal(left, right):
    """Compare features, or spectrograms clip by clip, to the bit."""
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


CHECKS = [
    pytest.param(check, id=f"{name}-{check_name}")
    for name, (transformer, _, _) in TRANSFORMERS.items()
    for check_name, check in (
        clip_transformer_checks(transformer)
        if isinstance(transformer, ClipTransformer)
        else spectrogram_transformer_checks(transformer)
    )
]


@pytest.mark.parametrize("check", CHECKS)
def test_public_suite(check):
    check()


@every_transformer
def test_default_parameters_can_be_set(name):
    transformer, _ = case(name)
    for parameter, each in inspect.signature(type(transformer)).parameters.items():
        if each.default is not each.empty:
            transformer.set_params(**{parameter: each.default})
            assert transformer.get_params()[parameter] is each.default


@every_transformer
def test_series_is_a_sequence(name):
    transformer, X = case(name)
    expected = fit_transform(clone(transformer), X)
    assert_equal(fit_transform(transformer, pd.Series(list(X))), expected)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, parameter) for name, wrong in WRONG_PARAMETERS.items() for parameter in wrong],
)
def test_wrong_parameters(name, parameter):
    transformer, X = case(name)
    assert set(WRONG_PARAMETERS[name]) == set(transformer.get_params())
    transformer.set_params(**{parameter: WRONG_PARAMETERS[name][parameter]})
    with pytest.raises(ValueError, match=parameter):
        transformer.fit(X, machine_ids(X))


@every_transformer
def test_features_can_be_a_table(name):
    transformer, X = case(name)
    expected = fit_transform(clone(transformer), X)
    result = transformer.set_output(transform="pandas").fit(X, machine_ids(X)).transform(X)
    if isinstance(expected, np.ndarray):
        assert isinstance(result, pd.DataFrame)
        assert result.columns.tolist() == transformer.get_feature_names_out().tolist()
        np.testing.assert_array_equal(result, expected)
    else:
        assert_equal(result, expected)


def detector_behind(name):
    """Return a pipeline to a detector, with the transformer in a union, and its prefix."""
    transformer, _ = case(name)
    if name == "LogMelSpectrogram":
        branch = Pipeline([("transformer", transformer), ("autoencoder", clone(AUTOENCODER))])
        prefix = "features__branch__transformer__"
    else:
        branch, prefix = transformer, "features__branch__"
    union = FeatureUnion([("branch", branch)])
    return Pipeline([("features", union), ("detector", FeatureDetector())]), prefix


@every_transformer
def test_works_in_pipeline_and_union(name):
    pipeline, _ = detector_behind(name)
    _, X = case(name)
    pipeline.set_output(transform="pandas")
    scores = pipeline.fit(X, machine_ids(X)).score_samples(X)
    assert scores.shape == (len(X),)
    assert np.isfinite(scores).all()
    names = pipeline["features"].get_feature_names_out().tolist()
    assert names == pipeline["detector"].feature_names_in_.tolist()


def mean_normality(detector, X, y=None):
    return detector.score_samples(X).mean()


@every_transformer
def test_works_in_grid_search(name):
    pipeline, prefix = detector_behind(name)
    _, X = case(name)
    grid = {prefix + key: values for key, values in TRANSFORMERS[name][2].items()}
    # Other processes load OpenL3's network anew; what the others take along is pickled below.
    n_jobs = 2 if name == "OpenL3Embedding" else None
    search = GridSearchCV(pipeline, grid, cv=KFold(2), scoring=mean_normality, n_jobs=n_jobs)
    search.fit(list(X), machine_ids(X))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    assert pickle.loads(pickle.dumps(search.best_estimator_)).predict(X).shape == (len(X),)
