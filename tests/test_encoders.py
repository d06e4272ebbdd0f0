"""Encoders that others have trained: ONNX files, functions and names."""

import pickle
import zipfile

import numpy as np
import onnx
import pytest
from encoders import (
    efficientat_state,
    save_model,
    save_torch,
    spectrogram_model,
    value,
    waveform_model,
)
from onnx import TensorProto, helper
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, make_pipeline

import skasd
from skasd import (
    AudioError,
    CallableEncoder,
    FeatureDetector,
    LogMelSpectrogram,
    ONNXEncoder,
    SpectrogramStatistics,
    export_onnx,
    make_encoder,
    make_encoder_neighbors,
    make_views_detector,
)
from skasd.exceptions import WeightsError
from skasd.features import FRONT_ENDS
from skasd.features.encoders import _published
from skasd.inspection import explain
from skasd.inspection._branches import statistic_view
from skasd.inspection._view_maps import distance_maps
from skasd.utils.estimator_checks import spectrogram_transformer_checks

CLIPS = np.random.default_rng(0).uniform(-0.5, 0.5, size=(6, 4000)).astype(np.float32)

OUTPUTS = {"block8": "t88", "block10": "t106", "final384": "t182"}
"""What the golden file has → outputs of the shared ONNX file."""


@pytest.fixture
def waveform(tmp_path):
    return waveform_model(tmp_path / "waveform.onnx")


@pytest.fixture
def mel(tmp_path):
    return spectrogram_model(tmp_path / "mel.onnx")


@pytest.fixture(scope="module")
def golden(shared):
    """Return clips, and what the network gives for them: computed by others, with NumPy."""
    with np.load(shared / "encoders" / "mn04_golden.npz") as file:
        arrays = dict(file)
    clips = sorted({name.partition("|")[0] for name in arrays})
    paths = [shared / "recordings" / "dcase2020" / clip for clip in clips]
    expected = {out: np.array([arrays[f"{clip}|{out}"] for clip in clips]) for out in OUTPUTS}
    return paths, expected


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_real_network_hears_what_others_say(golden, shared, output):
    paths, expected = golden
    encoder = make_encoder(
        "efficientat-mn04",
        weights=shared / "encoders" / "mn04_bands.onnx",
        output=OUTPUTS[output],
        cache=None,
    )
    np.testing.assert_allclose(encoder.fit_transform(paths), expected[output], rtol=0, atol=1e-3)


def test_weights_of_pytorch_make_the_same_network(golden, shared, tmp_path, monkeypatch):
    monkeypatch.setattr(_published, "cache_folder", lambda: tmp_path / "made")
    state = efficientat_state(shared / "encoders" / "mn04_bands.onnx")
    path = save_torch(tmp_path / "mn04_as_mAP_432.pt", state, monkeypatch)
    paths, expected = golden
    encoder = make_encoder("efficientat-mn04", weights=path, cache=None)
    np.testing.assert_allclose(
        encoder.fit_transform(paths[:2]), expected["block8"][:2], rtol=0, atol=1e-3
    )
    assert encoder["encoder"].n_bands_ == 8
    (made,) = (tmp_path / "made").iterdir()
    again = make_encoder("efficientat-mn04", weights=path, output="last", cache=None)
    last = again.fit_transform(paths[:2]).reshape(2, 384, 4).mean(axis=2)
    np.testing.assert_allclose(last, expected["final384"][:2], rtol=0, atol=1e-3)
    assert again["encoder"].model == str(made)


def test_frames_of_clips(waveform):
    encoder = ONNXEncoder(waveform, cache=None).fit(CLIPS)
    squares = (CLIPS.astype(np.float64) ** 2).reshape(6, 1000, 4)
    expected = np.stack([squares.mean(axis=2), squares[..., 0], squares[..., 3]], axis=2)
    for frames, each in zip(encoder.embed(CLIPS), expected, strict=True):
        np.testing.assert_allclose(frames, each, rtol=1e-5)
    np.testing.assert_allclose(encoder.transform(CLIPS), expected.mean(axis=1), rtol=1e-5)
    assert encoder.get_feature_names_out().tolist() == [f"onnx_mean_{i}" for i in range(3)]

    encoder.set_params(pooling=["std", "max", 0.5]).fit(CLIPS)
    ranked = np.sort(expected, axis=1)[:, ::-1]
    weights = 0.5 ** np.arange(1000)
    pooled = np.concatenate(
        [
            expected.std(axis=1),
            expected.max(axis=1),
            np.einsum("t,ctf->cf", weights / weights.sum(), ranked),
        ],
        axis=1,
    )
    np.testing.assert_allclose(encoder.transform(CLIPS), pooled, rtol=1e-4)
    assert encoder.get_feature_names_out()[-1] == "onnx_decay0.5_2"


@pytest.mark.parametrize("output", [1, -1, "peak"])
def test_an_output_by_number_or_name(waveform, output):
    encoder = ONNXEncoder(waveform, output=output, cache=None)
    expected = CLIPS.max(axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.fit_transform(CLIPS), expected, rtol=1e-6)


def test_a_far_microphone_counts_half(waveform):
    """Means of the squares of four samples: 1 near the machine, and 4 far from it."""
    record = (16000, np.repeat([[1.0, 2.0]], 64, axis=0) * np.tile([1.0, -1.0], 32)[:, np.newaxis])
    for channel, expected in (("near-far", 1 - 4 / 2), ("far-near", 4 - 1 / 2)):
        encoder = ONNXEncoder(waveform, output="frames", cache=None, channel=channel)
        features = encoder.fit_transform([record])
        np.testing.assert_allclose(features, expected, rtol=1e-6)
        np.testing.assert_allclose(encoder.embed([record])[0], expected, rtol=1e-6)


@pytest.mark.parametrize(("n_windows", "batch_size"), [("n", 2), (1, 2), ("n", 100)])
def test_windows_of_a_fixed_length(tmp_path, n_windows, batch_size):
    path = waveform_model(tmp_path / "fixed.onnx", n_windows=n_windows, n_samples=1600)
    encoder = ONNXEncoder(path, output="peak", batch_size=batch_size, hop_length=1000, cache=None)
    starts = [0, 1000, 2000, 2400]  # the last one ends with the clip
    peaks = np.array([[clip[i : i + 1600].max() for i in starts] for clip in CLIPS])
    np.testing.assert_allclose(encoder.fit_transform(CLIPS)[:, 0], peaks.mean(axis=1), rtol=1e-6)
    assert [frames.shape for frames in encoder.embed(CLIPS)] == [(4, 1)] * 6
    # A clip that is shorter is repeated.
    frames = clone(encoder).set_params(output="frames").fit(CLIPS).embed([CLIPS[0, :1000]])[0]
    squares = (np.tile(CLIPS[0, :1000], 2)[:1600] ** 2).reshape(400, 4)
    np.testing.assert_allclose(frames[:, 0], squares.mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("shape", [("n", 1, 8, "t"), (1, 1, 8, 20)])
def test_bands_of_spectrograms_stay_apart(tmp_path, shape):
    path = spectrogram_model(tmp_path / "mel.onnx", shape=shape)
    X = np.random.default_rng(1).normal(size=(3, 20, 8)).astype(np.float32)
    encoder = ONNXEncoder(path, input="spectrograms", cache=None)
    pairs = X.reshape(3, 20, 4, 2).sum(axis=3).mean(axis=1)
    expected = np.concatenate([pairs / 2, pairs], axis=1)
    np.testing.assert_allclose(encoder.fit_transform(X), expected, rtol=1e-4, atol=1e-6)
    assert encoder.n_bands_ == 4
    assert encoder.get_feature_names_out()[5] == "onnx_mean_1_band_1"
    # What the layer itself has averaged has no bands.
    last = clone(encoder).set_params(output="last").fit(X)
    np.testing.assert_allclose(last.transform(X)[:, 1], pairs.mean(axis=1), rtol=1e-4, atol=1e-6)
    assert last.n_bands_ == 1
    assert clone(last).set_params(n_bands=2).fit(X).get_feature_names_out()[1].endswith("_band_1")


def test_frames_before_bands(tmp_path):
    nodes = [helper.make_node("Identity", ["mel"], ["same"])]
    shapes = [value("mel", ["n", "t", "b"])], [value("same", ["n", "t", "b"])]
    path = save_model(tmp_path / "free.onnx", nodes, *shapes)
    X = np.random.default_rng(1).normal(size=(3, 20, 8)).astype(np.float32)
    encoder = ONNXEncoder(path, input="spectrograms", cache=None)
    with pytest.raises(ValueError, match=r"leaves open whether .* Pass layout='tb' or"):
        encoder.fit(X)
    expected = X.mean(axis=1)
    for layout, axis in (("tb", 1), ("bt", 2)):
        encoder.set_params(layout=layout, time_axis=axis)
        np.testing.assert_allclose(encoder.fit_transform(X), expected, rtol=1e-4, atol=1e-6)


def test_no_axis_for_windows(tmp_path):
    nodes = [helper.make_node("Reshape", ["clip", "shape"], ["frames"])]
    inputs, outputs = [value("clip", ["t"])], [value("frames", ["frames", 8])]
    constants = {"shape": np.array([-1, 8])}
    path = save_model(tmp_path / "one.onnx", nodes, inputs, outputs, constants)
    encoder = ONNXEncoder(path, cache=None)
    expected = CLIPS.reshape(6, 500, 8).mean(axis=1)
    np.testing.assert_allclose(encoder.fit_transform(CLIPS), expected, rtol=1e-4, atol=1e-6)
    encoder.set_params(window_length=2000).fit(CLIPS)
    np.testing.assert_allclose(encoder.transform(CLIPS), expected, rtol=1e-4, atol=1e-6)


def with_weights_in(path, location):
    """Let the kernels of a model of clips be in another file."""
    waveform_model(path)
    model = onnx.load(path)
    kernels = {each.name: each for each in model.graph.initializer}["kernels"]
    content = kernels.raw_data
    onnx.external_data_helper.set_external_data(kernels, location)
    kernels.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return content


def simple(path, node, *, inputs=None, **settings):
    inputs = inputs or [value("clip", ["n", "t"])]
    return save_model(path, [node], inputs, [value("out", ["n", "t"])], **settings)


def truncated(path):
    content = waveform_model(path).read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


STRANGE = {
    "missing": (lambda path: None, "there is no such file. Pass its path, or put it into"),
    "truncated": (truncated, "is truncated, or not an ONNX file"),
    "empty": (lambda path: path.write_bytes(b""), "is not an ONNX file, or computes nothing"),
    "text": (lambda path: path.write_text("no model\n" * 99), "is truncated, or not an ONNX file"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1] * 99)), "not an ONNX file"),
    "foreign operator": (
        lambda path: simple(
            path, helper.make_node("Hear", ["clip"], ["out"], domain="vendor"), opsets=["vendor"]
        ),
        "has the operator Hear of vendor, whose code is neither in the file",
    ),
    "unknown operator": (
        lambda path: simple(path, helper.make_node("Hear", ["clip"], ["out"])),
        "cannot be run by onnxruntime .*Hear",
    ),
    "weights above": (
        lambda path: with_weights_in(path, "../weights.bin"),
        r"has weights outside its folder, in \.\./weights\.bin",
    ),
    "weights anywhere": (
        lambda path: with_weights_in(path, "/etc/hostname"),
        "has weights outside its folder, in /etc/hostname",
    ),
    "weights in memory": (
        lambda path: with_weights_in(path, "*/_ORT_MEM_ADDR_/*"),
        "has weights in the file .*, which is missing",
    ),
    "whole numbers": (
        lambda path: simple(
            path,
            helper.make_node("Cast", ["clip"], ["out"], to=1),
            inputs=[value("clip", ["n", "t"], TensorProto.INT64)],
        ),
        r"takes clip of tensor\(int64\) \(n, t\), but one tensor of floats is expected",
    ),
    "two inputs": (
        lambda path: simple(
            path,
            helper.make_node("Add", ["clip", "state"], ["out"]),
            inputs=[value("clip", ["n", "t"]), value("state", ["n", "t"])],
        ),
        "takes clip of .* state of .* as the only input",
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_file_that_cannot_be_run_is_refused(tmp_path, name):
    make, message = STRANGE[name]
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(48))
    make(folder / "strange.onnx")
    with pytest.raises(WeightsError, match=message) as caught:
        ONNXEncoder(folder / "strange.onnx", cache=None).fit(CLIPS)
    assert "strange.onnx" in caught.value.what


@pytest.mark.posix
def test_a_link_does_not_lead_out_of_the_folder(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(48))
    (tmp_path / "models" / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with_weights_in(tmp_path / "models" / "model.onnx", "weights.bin")
    with pytest.raises(WeightsError, match="has weights outside its folder"):
        ONNXEncoder(tmp_path / "models" / "model.onnx", cache=None).fit(CLIPS)


def test_weights_beside_the_file_count(waveform, tmp_path):
    expected = ONNXEncoder(waveform, cache=None).fit_transform(CLIPS)
    path = tmp_path / "split.onnx"
    content = with_weights_in(path, "weights.bin")
    (tmp_path / "weights.bin").write_bytes(content)
    encoder = ONNXEncoder(path, cache=None)
    np.testing.assert_array_equal(encoder.fit_transform(CLIPS), expected)
    digest = encoder.weights_digest_
    (tmp_path / "weights.bin").write_bytes(bytes(len(content)))
    path.write_bytes(path.read_bytes())
    with pytest.raises(WeightsError, match=f"weights of the digest {digest[:12]}…"):
        encoder.transform(CLIPS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "embedding"}, "output='embedding': .* has the outputs frames, peak"),
        ({"output": 2}, "output=2: .* has the outputs frames, peak"),
        ({"time_axis": 3}, r"time_axis=3: frames of .* has the shape \(n, frames, 3\)"),
        ({"n_bands": 2}, "n_bands=2: frames of .* gives 3 numbers"),
        ({"pooling": "median"}, "pooling='median': expected 'mean', 'std', 'max', a number"),
        ({"pooling": ["mean", "mean"]}, "each once"),
        ({"device": "cuda"}, "onnxruntime cannot use a GPU here. Install onnxruntime-gpu"),
        ({"input": "spectrograms"}, r"takes clip of shape \(n, t\), .* layout='tb' or"),
    ],
)
def test_settings_that_do_not_fit_the_file(waveform, settings, message):
    X = CLIPS.reshape(6, 500, 8) if "input" in settings else CLIPS
    with pytest.raises(ValueError, match=message):
        ONNXEncoder(waveform, cache=None, **settings).fit(X)


def test_what_the_file_says_of_its_input_is_believed(tmp_path):
    path = waveform_model(tmp_path / "m.onnx", n_samples=1600, metadata={"sample_rate": "16000"})
    with pytest.raises(ValueError, match=r"sample_rate=32000: .* says it takes 16000"):
        ONNXEncoder(path, sample_rate=32000, input_sample_rate=16000).fit(CLIPS)
    with pytest.raises(ValueError, match=r"window_length=800: .* only takes windows of 1600"):
        ONNXEncoder(path, window_length=800).fit(CLIPS)
    mel = spectrogram_model(tmp_path / "mel.onnx")
    with pytest.raises(
        ValueError, match=r"takes mel of shape \(n, 1, 8, t\), which does not fit spectrograms of"
    ):
        ONNXEncoder(mel, input="spectrograms").fit(np.zeros((2, 20, 16)))
    with pytest.raises(
        ValueError, match=r"takes mel of shape \(n, 1, 8, t\), which does not fit clips"
    ):
        ONNXEncoder(mel).fit(CLIPS)
    encoder = ONNXEncoder(mel, input="spectrograms", cache=None).fit(np.zeros((2, 20, 8)))
    with pytest.raises(ValueError, match="clip 1: has 9 bands, but 8 are expected"):
        encoder.transform([np.zeros((20, 8)), np.zeros((20, 9))])


def test_an_output_that_is_one_number(tmp_path):
    node = helper.make_node("ReduceMax", ["clip"], ["out"], keepdims=0)
    inputs, outputs = [value("clip", ["n", "t"])], [value("out", [])]
    path = save_model(tmp_path / "one.onnx", [node], inputs, outputs)
    with pytest.raises(ValueError, match=r"output='out': .* gives one number for all windows"):
        ONNXEncoder(path).fit(CLIPS)


def test_a_clip_that_fails_is_named(waveform, tmp_path):
    encoder = ONNXEncoder(waveform, cache=None).fit(CLIPS)
    with pytest.raises(AudioError, match=r"clip 1: cannot be encoded by .* pass window_length"):
        encoder.transform([CLIPS[0], CLIPS[1, :3]])
    encoder.set_params(window_length=400)
    assert np.isfinite(encoder.transform([CLIPS[0], CLIPS[1, :3]])).all()
    node = helper.make_node("Log", ["clip"], ["out"])
    log = ONNXEncoder(simple(tmp_path / "log.onnx", node), cache=None)
    with pytest.raises(AudioError, match=r"clip 0: gives NaN or infinity in .*log\.onnx"):
        log.fit(CLIPS)


def test_the_suite_for_spectrograms(tmp_path):
    path = spectrogram_model(tmp_path / "mel.onnx", shape=("n", 1, 16, "t"))
    encoder = ONNXEncoder(path, input="spectrograms", cache=None)
    for _, check in spectrogram_transformer_checks(encoder):
        check()


def test_grid_search_over_layers_and_pooling(waveform):
    pipeline = make_pipeline(ONNXEncoder(waveform, cache=None), FeatureDetector())
    grid = {"onnxencoder__output": ["frames", "peak"], "onnxencoder__pooling": ["mean", "max"]}
    search = GridSearchCV(
        pipeline, grid, cv=KFold(2), scoring=lambda d, X, y=None: d.score_samples(X).mean()
    )
    scores = search.fit(list(CLIPS)).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 3  # the peak of a whole clip is one frame


def test_a_pickle_holds_no_network(waveform, mel):
    union = FeatureUnion(
        [
            ("clips", ONNXEncoder(waveform, cache=None)),
            (
                "mel",
                make_pipeline(
                    LogMelSpectrogram(n_mels=8),
                    ONNXEncoder(mel, input="spectrograms", cache=None),
                ),
            ),
        ]
    ).fit(CLIPS)
    content = pickle.dumps(union)
    assert len(content) < 3000
    expected = union.transform(CLIPS)
    np.testing.assert_array_equal(pickle.loads(content).transform(CLIPS), expected)
    assert union.get_feature_names_out()[3] == "mel__onnx_mean_0_band_0"


@pytest.mark.parametrize("kind", ["clips", "spectrograms"])
def test_features_are_remembered_by_content(waveform, mel, tmp_path, monkeypatch, kind):
    path, X = (waveform, CLIPS) if kind == "clips" else (mel, CLIPS.reshape(6, 500, 8))
    encoder = ONNXEncoder(path, input=kind, cache=tmp_path / "cache")
    expected = encoder.fit_transform(X)

    def read(*arguments):
        pytest.fail("computed anew")

    monkeypatch.setattr("skasd.features.encoders._reader.Reader.read", read)
    np.testing.assert_array_equal(encoder.transform(X[::-1]), expected[::-1])
    for changed in ({"output": 1}, {"pooling": "max"}, {"hop_length": 9}, {"window_length": 99}):
        with pytest.raises(pytest.fail.Exception):
            clone_fitted(encoder, **changed).transform(X)


def clone_fitted(encoder, **changed):
    return pickle.loads(pickle.dumps(encoder)).set_params(**changed)


def test_saved_and_loaded(mel, tmp_path, monkeypatch):
    encoder = ONNXEncoder(mel, input="spectrograms", cache=None)
    detector = make_encoder_neighbors(make_pipeline(LogMelSpectrogram(n_mels=8), encoder))
    clips = np.random.default_rng(0).normal(0, 0.1, (24, 4000))
    expected = detector.fit(clips).score_samples(clips)
    skasd.save(detector, tmp_path / "fan.skasd")
    loaded = skasd.load(tmp_path / "fan.skasd")
    assert loaded["encoder"][-1].model == "mel.onnx"
    np.testing.assert_array_equal(loaded.score_samples(clips), expected)
    monkeypatch.setattr("skasd.features._pretrained._read_from", {})
    with pytest.raises(WeightsError, match=r"mel\.onnx: there is no such file"):
        loaded.score_samples(clips)
    monkeypatch.setenv("SKASD_ENCODERS", str(tmp_path))
    np.testing.assert_array_equal(loaded.score_samples(clips), expected)
    spectrogram_model(mel, maps="others")
    with pytest.raises(WeightsError, match="so its scores would mean nothing"):
        loaded.score_samples(clips)


def mean_and_peak(samples):
    return np.array([samples.mean(), abs(samples).max()])


def test_a_function_is_an_encoder(tmp_path):
    encoder = CallableEncoder(mean_and_peak).fit(CLIPS)
    expected = np.column_stack([CLIPS.mean(axis=1), abs(CLIPS).max(axis=1)])
    np.testing.assert_allclose(encoder.transform(CLIPS), expected, rtol=1e-4, atol=1e-7)
    assert encoder.get_feature_names_out().tolist() == ["callable_0", "callable_1"]
    np.testing.assert_array_equal(clone_fitted(encoder).transform(CLIPS), encoder.transform(CLIPS))
    frames = CallableEncoder(lambda samples: samples.reshape(-1, 2, 4), pooling=["mean", "max"])
    expected = CLIPS.reshape(6, 500, 8)
    expected = np.concatenate([expected.mean(axis=1), expected.max(axis=1)], axis=1)
    np.testing.assert_allclose(frames.fit_transform(CLIPS), expected, rtol=1e-3, atol=1e-6)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(frames)
    detector = make_encoder_neighbors(encoder).fit(CLIPS)
    with pytest.raises(TypeError, match=r"CallableEncoder.* which skasd\.load would refuse"):
        skasd.save(detector, tmp_path / "fan.skasd")


@pytest.mark.parametrize("result", [None, "sound", 1.0, [], [[]], ["a"]])
def test_a_function_of_no_numbers(result):
    with pytest.raises(ValueError, match=r"function=.* returned an array of shape"):
        CallableEncoder(lambda samples: result).fit(CLIPS)


def test_a_function_of_as_many_numbers_as_samples():
    encoder = CallableEncoder(lambda samples: samples).fit(CLIPS)
    with pytest.raises(AudioError, match="gives 99 features, but the first clip of fit gave 4000"):
        encoder.transform([CLIPS[0], CLIPS[0, :99]])


def test_neighbors_find_the_odd_clip(waveform):
    rng = np.random.default_rng(0)
    X = rng.normal(0, 0.1, (40, 4000)) * rng.uniform(0.9, 1.1, (40, 1))
    for settings in ({}, {"whiten": False}):
        detector = make_encoder_neighbors(ONNXEncoder(waveform, cache=None), **settings).fit(X)
        assert detector.predict([2 * X[0]]).tolist() == [-1]
        assert detector[-1].calibrated_on_ == "left out"


def test_an_encoder_is_a_view_of_the_default_system(waveform):
    rng = np.random.default_rng(0)
    X = rng.normal(0, 0.1, (20, 16000)) * rng.uniform(0.9, 1.1, (20, 1))
    encoder = ONNXEncoder(waveform, cache=None)
    detector = make_views_detector(encoder=encoder)
    assert detector.weights == [*make_views_detector().weights, 4]
    assert detector.fit(X).member_scores(X[:2]).shape == (2, 10)
    with pytest.raises(ValueError, match="encoder= needs recordings"):
        make_views_detector(encoder=encoder, input="spectrograms")


def test_a_name_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setenv("SKASD_ENCODERS", str(tmp_path))
    monkeypatch.setattr(
        "skasd.features.encoders._onnx_file.cache_folder", lambda: tmp_path / "none"
    )
    monkeypatch.setattr(_published, "download", pytest.fail)
    with pytest.raises(WeightsError, match=r"MIT licence, 4\.1 MB, at https://github\.com/fschmid"):
        make_encoder("efficientat-mn04")
    with pytest.raises(ValueError, match="expected one of efficientat-mn04, openl3"):
        make_encoder("beats")
    for make in (make_encoder_neighbors, lambda name: make_views_detector(encoder=name)):
        with pytest.raises(WeightsError, match="Pass download=True if that suits you"):
            make("efficientat-mn04")
    assert make_encoder("openl3", hop_size=1.0, cache=None).hop_size == 1.0
    views = make_views_detector(encoder="openl3", channel=1).get_params()
    assert views["encoder__encoder__channel"] == 1
    assert views["encoder__encoder__input_sample_rate"] == 16000


def test_a_download_is_asked_for_and_verified(tmp_path, monkeypatch):
    calls = []
    for module in ("_published", "_onnx_file"):
        monkeypatch.setattr(f"skasd.features.encoders.{module}.cache_folder", lambda: tmp_path)

    def download(url, path, **settings):
        calls.append((url, path.name, settings["expected"], settings["most_bytes"]))
        raise OSError("no network")

    monkeypatch.setattr(_published, "download", download)
    with pytest.raises(WeightsError, match=r"cannot be downloaded to .*mn04_as_mAP_432\.pt"):
        make_encoder("efficientat-mn04", download=True)
    weights = _published.EFFICIENTAT_MN04
    assert calls == [(weights.url, weights.file, weights.sha256, 4066513)]


class Evil:
    def __reduce__(self):
        return print, ("run",)


def test_weights_of_pytorch_run_no_code(tmp_path, monkeypatch, capsys):
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": Evil()}))
    with pytest.raises(WeightsError, match=r"it names builtins\.print, which is not an array"):
        make_encoder("efficientat-mn04", weights=path)
    assert capsys.readouterr().out == ""
    state = {"features.0.0.weight": np.zeros((8, 1, 3, 3), np.float32)}
    save_torch(path, state, monkeypatch)
    with pytest.raises(WeightsError, match="does not hold the weights of a MobileNet of Efficient"):
        make_encoder("efficientat-mn04", weights=path)
    save_torch(path, {"a": np.full(3, np.nan, np.float32)}, monkeypatch)
    with pytest.raises(WeightsError, match="holds NaN or infinity"):
        make_encoder("efficientat-mn04", weights=path)
    for content in (b"", path.read_bytes()[:200], pickle.dumps([1])):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="cannot be read as PyTorch weights"):
            make_encoder("efficientat-mn04", weights=path)


def test_a_tensor_is_within_its_storage(tmp_path, monkeypatch):
    array = np.lib.stride_tricks.as_strided(np.zeros(2, np.float32), (4, 4), (4, 4))
    path = save_torch(tmp_path / "weights.pt", {"a": array}, monkeypatch)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["archive/data/0"] = bytes(8)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(WeightsError, match="cannot be read as PyTorch weights: "):
        make_encoder("efficientat-mn04", weights=path)


def test_front_ends_are_not_exported(tmp_path):
    log_mel = LogMelSpectrogram(framing="reflect", offset=1e-5)
    detector = make_pipeline(log_mel, SpectrogramStatistics(), FeatureDetector()).fit(CLIPS)
    with pytest.raises(ValueError, match="has framing='reflect', offset=1e-05, which cannot be"):
        export_onnx(detector, tmp_path / "detector.onnx")
    export_onnx(detector, tmp_path / "detector.onnx", input="spectrograms", n_frames=8)


def test_front_ends_are_of_log_mel_spectrogram():
    for settings in FRONT_ENDS.values():
        rate = settings["sample_rate"]
        log_mel = LogMelSpectrogram(**settings, input_sample_rate=rate)
        (silence,) = log_mel.fit(np.zeros((1, rate))).transform(np.zeros((1, rate)))
        assert silence.shape[1] == settings["n_mels"]
        assert np.ptp(silence) == 0


@pytest.fixture
def explained(tmp_path):
    """Return a detector of noise, and noise with a tone from 0.4 to 0.6 s at 1 kHz."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (31, 16000))
    time = np.arange(16000) / 16000
    odd = noise[30] + np.where(abs(time - 0.5) < 0.1, np.sin(2 * np.pi * 1000 * time), 0)
    path = spectrogram_model(tmp_path / "mel.onnx", shape=("n", 1, 32, "t"))
    encoder = make_pipeline(
        LogMelSpectrogram(n_mels=32, hop_length=160),
        ONNXEncoder(path, input="spectrograms", cache=None),
    )
    return make_encoder_neighbors(encoder).fit(noise[:30]), odd


def test_bands_of_an_encoder_are_explained(explained):
    detector, odd = explained
    explanation = explain(detector, odd)
    ((start, end),) = explanation.spans
    assert abs(start - 0.4) < 0.05
    assert abs(end - 0.6) < 0.05
    ((low, high),) = explanation.bands
    assert 600 < low < 1000 < high < 1600
    assert explanation.contributions == {"pretrained encoder": 1.0}
    assert explanation.is_anomalous


def test_what_an_encoder_hears_sums_to_the_distance(explained):
    detector, odd = explained
    (view,) = [statistic_view(detector, odd)]
    distance, _ = distance_maps(view)
    features = detector[:-1].transform([odd])
    neighbors = detector[-1]
    relative = np.exp(-detector.score_samples([odd])[0])
    all_clips = np.arange(len(neighbors.X_fit_))
    _, nearest = neighbors._nearest(neighbors._whiten(features), 1, all_clips)
    expected = (relative * neighbors.density_[nearest[0, 0]]) ** 2
    np.testing.assert_allclose(distance.sum(), expected, rtol=1e-4)
    assert distance.shape == view.spectrogram.shape


def test_an_encoder_without_bands_is_not_explained(explained):
    detector, odd = explained
    detector.set_params(encoder__onnxencoder__output="last")
    with pytest.raises(ValueError, match="or an encoder that keeps their bands"):
        explain(detector.fit(np.random.default_rng(0).normal(0, 0.1, (20, 16000))), odd)
