"""Our own suite for transformers of clips and of spectrograms.

scikit-learn's `check_estimator` runs a single check on what does not take 2-D arrays. This suite
stands in for it: every such transformer of skasd is in `TRANSFORMERS`.
"""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from skasd import (
    FeatureDetector,
    FrameAutoencoder,
    InterpolationAutoencoder,
    LogMelSpectrogram,
    MachineIDEmbedding,
    OpenL3Embedding,
    TimeWeightedPooling,
)

CLIPS = np.random.default_rng(0).uniform(-0.5, 0.5, size=(6, 4000))
SPECTROGRAMS = LogMelSpectrogram(n_mels=16).transform(CLIPS)

LOG_MEL = LogMelSpectrogram(n_mels=16)
AUTOENCODER = InterpolationAutoencoder((8, 4), epochs=2, batch_size=8, random_state=0)
BASELINE = FrameAutoencoder((8, 4), epochs=2, batch_size=8, random_state=0)

MACHINE_ID = MachineIDEmbedding((4, 6), embedding_size=3, epochs=2, batch_size=2, random_state=0)

OPENL3 = OpenL3Embedding(
    "mel128",
    hop_size=1.0,
    weights=str(Path(__file__).parent / "data" / "openl3_audio_mel128_golden.h5.gz"),
    cache=None,
)

TRANSFORMERS = {
    "LogMelSpectrogram": (LOG_MEL, CLIPS, {"n_mels": [8, 16]}),
    "InterpolationAutoencoder": (AUTOENCODER, np.array(SPECTROGRAMS), {"epochs": [1, 2]}),
    "FrameAutoencoder": (BASELINE, np.array(SPECTROGRAMS), {"epochs": [1, 2]}),
    "TimeWeightedPooling": (
        TimeWeightedPooling([1, 0.5], std=True),
        np.array(SPECTROGRAMS),
        {"decay": [1, 0]},
    ),
    "MachineIDEmbedding": (MACHINE_ID, np.array(SPECTROGRAMS), {"epochs": [1, 2]}),
    "OpenL3Embedding": (OPENL3, CLIPS, {"frontend": ["kapre", "librosa"]}),
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
        "n_mels": 2.5,
        "power": 0,
        "fmin": -1,
        "fmax": "high",
        "input_sample_rate": None,
        "channel": "left",
        "min_frames": 0,
        "n_jobs": "all",
    },
    "InterpolationAutoencoder": {**WRONG_AUTOENCODER, "n_frames": 1},
    "FrameAutoencoder": WRONG_AUTOENCODER,
    "TimeWeightedPooling": {"decay": -0.5, "std": "yes", "n_components": 0},
    "MachineIDEmbedding": {
        "channels": 8,
        "embedding_size": 0,
        "scale": 0,
        "margin": 4,
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
        "verbose": -1,
    },
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


@every_transformer
def test_clone_and_parameters(name):
    transformer, _ = case(name)
    copied = clone(transformer)
    assert copied.get_params() == transformer.get_params()
    for parameter, value in type(transformer)().get_params().items():
        copied.set_params(**{parameter: value})
        assert copied.get_params()[parameter] is value
    with pytest.raises(ValueError, match="Invalid parameter"):
        transformer.set_params(no_such_parameter=1)


@every_transformer
def test_constructor_only_stores(name):
    transformer, _ = case(name)
    assert set(vars(transformer)) == set(transformer.get_params())


@every_transformer
def test_fit_returns_self_and_keeps_parameters(name):
    transformer, X = case(name)
    before = copy.deepcopy(transformer.get_params())
    assert transformer.fit(X, machine_ids(X)) is transformer
    assert transformer.get_params() == before
    learned = set(vars(transformer)) - set(before)
    assert all(attribute.endswith("_") for attribute in learned)


@every_transformer
def test_input_is_left_alone(name):
    transformer, X = case(name)
    X.flags.writeable = False
    fit_transform(transformer, X)
    np.testing.assert_array_equal(X, TRANSFORMERS[name][1])


@every_transformer
def test_fit_transform_is_fit_then_transform(name):
    transformer, X = case(name)
    assert_equal(clone(transformer).fit_transform(X, machine_ids(X)), fit_transform(transformer, X))


@every_transformer
def test_refit_forgets(name):
    transformer, X = case(name)
    shorter = X[:3, : X.shape[1] * 3 // 4]
    transformer.fit(shorter, machine_ids(shorter))
    assert_equal(fit_transform(transformer, X), fit_transform(clone(transformer), X))


@every_transformer
def test_unfitted(name):
    transformer, X = case(name)
    if get_tags(transformer).requires_fit:
        with pytest.raises(NotFittedError):
            transformer.transform(X)
    else:
        assert_equal(transformer.transform(X), fit_transform(clone(transformer), X))


@every_transformer
def test_pickle_round_trip(name):
    transformer, X = case(name)
    transformer.fit(X, machine_ids(X))
    assert_equal(pickle.loads(pickle.dumps(transformer)).transform(X), transformer.transform(X))


@every_transformer
def test_same_seed_same_bits_in_threads(name):
    transformer, X = case(name)
    expected = fit_transform(clone(transformer), X)
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda each: fit_transform(clone(each), X), [transformer] * 4):
            assert_equal(result, expected)


@every_transformer
def test_clips_do_not_influence_each_other(name):
    transformer, X = case(name)
    transformer.fit(X, machine_ids(X))
    alone = [transformer.transform(X[i : i + 1])[0] for i in range(len(X))]
    assert_equal(transformer.transform(X), alone)


@every_transformer
def test_ragged_input(name):
    transformer, X = case(name)
    ragged = [X[0], X[1, : len(X[1]) * 3 // 4], X[2]]
    result = fit_transform(transformer, ragged)
    assert len(result) == 3
    assert_equal(transformer.transform(ragged[1:2]), result[1:2])


@every_transformer
@pytest.mark.parametrize("container", ["list", "tuple", "object array", "series", "float32"])
def test_containers_are_alike(name, container):
    transformer, X = case(name)
    objects = np.empty(len(X), dtype=object)
    objects[:] = list(X)
    containers = {
        "list": list(X),
        "tuple": tuple(X),
        "object array": objects,
        "series": pd.Series(list(X)),
        "float32": X.astype(np.float32),
    }
    expected = fit_transform(clone(transformer), X)
    assert_equal(fit_transform(transformer, containers[container]), expected)


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
@pytest.mark.parametrize("wrong", [[], 3, None, "fan.wav", [None], [["a"]]])
def test_wrong_input(name, wrong):
    transformer, _ = case(name)
    with pytest.raises((ValueError, TypeError)):
        transformer.fit(wrong, ["id_00", "id_02"])


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


@every_transformer
def test_columns_have_names(name):
    transformer, X = case(name)
    result = fit_transform(transformer, X)
    names = transformer.get_feature_names_out()
    assert len(set(names)) == len(names)
    if isinstance(result, np.ndarray):
        assert result.shape == (len(X), len(names))
        assert result.dtype == np.float64
    else:
        assert all(spectrogram.shape[1] == len(names) for spectrogram in result)
        assert all(spectrogram.dtype == np.float32 for spectrogram in result)


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
