import copy
import io
import json
import os
import pickle
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from networks import machine_id_embedding, spectrum_embedding
from processes import run_script
from settings import make
from sklearn.ensemble import IsolationForest, RandomTreesEmbedding
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import OneClassSVM

import skasd
from skasd import (
    FeatureDetector,
    FusionDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    MachineIDEmbedding,
    NearestNeighborsDetector,
    OpenL3Embedding,
    PowerSpectrum,
    TimeWeightedPooling,
    make_baseline,
    make_iaeo3,
    make_iaeo3_plus,
)
from skasd.features.openl3._openl3_embedding import _load_engine
from skasd.persistence import ModelFileError, ModelVersionWarning, read_info
from skasd.persistence._container import read_archive, write_archive
from skasd.persistence._model_info import version_of
from skasd.persistence._trees import check_forest

DATA = Path(__file__).parent / "data"
CLIPS = np.random.default_rng(0).uniform(-0.5, 0.5, size=(12, 8000))
SMALL = {"n_mels": 16, "encoder_units": (8, 4), "epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def detector():
    return make(make_iaeo3, openl3=False, n_repeats=2, n_components=1, **SMALL).fit(CLIPS)


@pytest.fixture
def path(tmp_path, detector):
    skasd.save(detector, tmp_path / "machine.skasd")
    return tmp_path / "machine.skasd"


def neighbors():
    embedding = MachineIDEmbedding((4, 6), embedding_size=3, epochs=1, random_state=0)
    spectrograms = LogMelSpectrogram(n_mels=16).transform(CLIPS)
    embedding.fit(spectrograms, ["fan", "pump"] * 6)
    return make_pipeline(
        LogMelSpectrogram(n_mels=16), FrozenEstimator(embedding), NearestNeighborsDetector()
    )


def levels(end):
    return make_pipeline(LogMelSpectrogram(n_mels=16), TimeWeightedPooling(n_components=2), end)


SYSTEMS = {
    "make_iaeo3": lambda: make(make_iaeo3, openl3=False, n_repeats=2, n_components=1, **SMALL),
    "OpenL3": lambda: make_pipeline(
        OpenL3Embedding(
            "mel128",
            hop_size=1.0,
            weights=str(DATA / "openl3_audio_mel128_golden.h5.gz"),
            cache=None,
        ),
        GaussianMixtureDetector(n_components=1),
    ),
    "make_iaeo3_plus": lambda: make(make_iaeo3_plus, n_repeats=2, **SMALL),
    "make_baseline": lambda: make(make_baseline, cv=None, **SMALL),
    "fusion": lambda: FusionDetector(
        [("levels", levels(GaussianMixtureDetector())), ("neighbors", neighbors())], cv=2
    ),
    "spectra of clips": lambda: make_pipeline(
        make_union(
            make_pipeline(LogMelSpectrogram(n_mels=16), FrozenEstimator(machine_id_embedding(16))),
            make_pipeline(PowerSpectrum(n_bins=256), FrozenEstimator(spectrum_embedding(256))),
        ),
        NearestNeighborsDetector(),
    ),
    "scikit-learn's detector": lambda: levels(OneClassSVM()),
    "isolation forest": lambda: levels(IsolationForest(n_estimators=5, random_state=0)),
}


@pytest.mark.filterwarnings("ignore:.* principal components")
@pytest.mark.parametrize("name", SYSTEMS)
def test_scores_are_identical(tmp_path, name):
    # OpenL3 takes its time.
    clips = CLIPS[:3] if name == "OpenL3" else CLIPS
    fitted = SYSTEMS[name]().fit(clips)
    skasd.save(fitted, tmp_path / "machine.skasd")
    loaded = skasd.load(tmp_path / "machine.skasd")
    np.testing.assert_array_equal(loaded.score_samples(clips), fitted.score_samples(clips))
    np.testing.assert_array_equal(loaded.predict(clips), fitted.predict(clips))


def test_file_says_nothing_twice(path):
    archive = zipfile.ZipFile(io.BytesIO(read_archive(path)))
    described = [
        (node["__id__"], node["__loader__"])
        for node in nodes(json.loads(archive.read("schema.json")))
        if "__id__" in node
    ]
    numbers = [number for number, loader in described if loader != "CachedNode"]
    assert len(numbers) == len(set(numbers)) == len({number for number, _ in described})
    # Lists of numbers are arrays.
    assert len([name for name in archive.namelist() if name.endswith(".npy")]) < 60
    kinds = {each.compress_type for each in archive.infolist() if each.file_size > 1000}
    assert kinds == {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def test_what_is_one_stays_one_and_what_is_two_stays_two(tmp_path):
    X, member = np.random.default_rng(0).normal(size=(20, 2)), GaussianMixtureDetector()
    detector = FusionDetector([("a", member), ("b", member)], weights=[1.0, 1.0], cv=2).fit(X)
    # As scikit-learn's fit of a mixture leaves it.
    bounds = list(np.array([1.5, 2.5]))
    for each in detector.estimators_:
        each.mixture_.lower_bounds_ = bounds
    skasd.save(detector, tmp_path / "machine.skasd")
    assert all(each.mixture_.lower_bounds_ is bounds for each in detector.estimators_)
    loaded = skasd.load(tmp_path / "machine.skasd")
    (_, a), (_, b) = loaded.detectors
    assert a is b
    first, second = loaded.estimators_
    assert loaded.named_estimators_["a"] is first
    assert first.mixture_ is not second.mixture_
    assert list(first.mixture_.lower_bounds_) == bounds
    assert loaded.weights == [1.0, 1.0]


@pytest.mark.parametrize("unfitted_input", ["spectrograms", "features"])
def test_detectors_of_what_was_computed_elsewhere(tmp_path, unfitted_input):
    spectrograms = LogMelSpectrogram(n_mels=16).transform(CLIPS)
    if unfitted_input == "spectrograms":
        fitted = make(make_baseline, input="spectrograms", encoder_units=(8, 4), epochs=1, cv=None)
        X = spectrograms
    else:
        fitted, X = GaussianMixtureDetector(), np.mean(spectrograms, axis=1)
    skasd.save(fitted.fit(X), tmp_path / "machine.skasd")
    loaded = skasd.load(tmp_path / "machine.skasd")
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))


def test_file_of_format_1_loads():
    """The file was written by skasd 0.1.0.dev0, with these scores."""
    expected = json.loads((DATA / "model_format_1.json").read_text())
    loaded = skasd.load(DATA / "model_format_1.skasd")
    clips = np.random.default_rng(expected["seed"]).uniform(-0.5, 0.5, size=(4, 8000))
    np.testing.assert_allclose(loaded.score_samples(clips), expected["scores"], rtol=1e-3)
    assert loaded.offset_ == pytest.approx(expected["offset"], rel=1e-12)
    info = read_info(DATA / "model_format_1.skasd")
    assert (info.n_clips, info.versions["skasd"]) == (12, "0.1.0.dev0")


def test_info(path, detector):
    info = read_info(path)
    assert info.detector == "RepeatedSeedEnsemble"
    assert info.n_clips == 12
    assert info.threshold == -detector.offset_
    assert info.training_quantiles["0.5"] == pytest.approx(
        -np.median(detector.calibration_scores_), rel=1e-12
    )
    assert info.settings["estimator__features__iae__spectrogram__n_mels"] == 16
    assert info.versions["numpy"] == np.__version__


@pytest.fixture
def without(monkeypatch):
    """Return a function after which a package seems not to be installed."""
    version = metadata.version

    def hide(package):
        def find(name):
            if name == package:
                raise metadata.PackageNotFoundError(name)
            return version(name)

        monkeypatch.setattr(metadata, "version", find)
        monkeypatch.setitem(sys.modules, package, None)
        version_of.cache_clear()

    yield hide
    version_of.cache_clear()


def test_absent_package_that_is_not_needed(path, detector, tmp_path, without, recwarn):
    without("ncnn")
    loaded = skasd.load(path)
    np.testing.assert_array_equal(loaded.score_samples(CLIPS), detector.score_samples(CLIPS))
    skasd.save(loaded, tmp_path / "again.skasd")
    assert "ncnn" not in read_info(tmp_path / "again.skasd").versions
    assert "ncnn" in read_info(path).versions
    skasd.load(tmp_path / "again.skasd")
    assert not recwarn


@pytest.mark.parametrize("engine", ["ncnn", "keras"])
def test_absent_engine_of_openl3(without, engine):
    without(engine)
    weights = str(DATA / "openl3_audio_mel128_golden.h5.gz")
    _load_engine.cache_clear()
    with pytest.raises(ImportError, match=f"needs {engine}: pip install {engine}"):
        OpenL3Embedding("mel128", weights=weights, engine=engine, cache=None).fit(CLIPS)


def test_other_versions_are_said_where_they_matter(path, monkeypatch, recwarn):
    monkeypatch.setattr("skasd.persistence._model_info.__version__", "99.0")
    skasd.load(path)
    assert not recwarn.list
    archive = read_archive(path)
    info = json.loads(zipfile.ZipFile(io.BytesIO(archive)).read("skasd.json"))
    info["check_scores"][0] *= 1 + 1e-5
    rewrite(path, {"skasd.json": json.dumps(info).encode()})
    with pytest.warns(
        ModelVersionWarning, match=r"saved with skasd 0\S+ \(here 99.0\), and scores"
    ):
        skasd.load(path)


def test_what_is_not_saved(tmp_path):
    path = tmp_path / "machine.skasd"
    with pytest.raises(NotFittedError):
        skasd.save(make_baseline(), path)
    with pytest.raises(TypeError, match=r"LogMelSpectrogram\(\) has no score_samples"):
        skasd.save(LogMelSpectrogram(), path)
    neighbors = LocalOutlierFactor(n_neighbors=2, novelty=True, algorithm="kd_tree")
    with pytest.raises(TypeError, match=r"holds .*sklearn.neighbors._kd_tree.KDTree, which"):
        skasd.save(levels(neighbors).fit(CLIPS), path)
    trees = make_pipeline(
        RandomTreesEmbedding(n_estimators=2, sparse_output=False), FeatureDetector()
    )
    with pytest.raises(TypeError, match=r"holds .*RandomTreesEmbedding, which"):
        skasd.save(levels(trees).fit(CLIPS), path)
    assert not list(tmp_path.iterdir())


def test_pickles_are_refused(tmp_path, detector):
    path = tmp_path / "machine.joblib"
    for compress in (0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3)):
        joblib.dump(detector, path, compress=compress)
        with pytest.raises(ModelFileError, match=r"is a .*pickle.*can run any code"):
            skasd.load(path)
    path.write_bytes(pickle.dumps(detector))
    with pytest.raises(ModelFileError, match="is a pickle"):
        read_info(path)


def test_pickle_is_small_and_scores_alike(tmp_path, detector):
    joblib.dump(detector, tmp_path / "machine.joblib")
    loaded = joblib.load(tmp_path / "machine.joblib")
    np.testing.assert_array_equal(loaded.score_samples(CLIPS), detector.score_samples(CLIPS))
    weights = sum(
        array.nbytes
        for member in detector.estimators_
        for array in (*autoencoder_of(member).coefs_, *autoencoder_of(member).intercepts_)
    )
    assert (tmp_path / "machine.joblib").stat().st_size < weights + 20_000


def autoencoder_of(member):
    return member.get_params()["features__iae__autoencoder"]


def test_truncated_file(path):
    content = path.read_bytes()
    for percent in range(100):
        path.write_bytes(content[: len(content) * percent // 100])
        with pytest.raises(ModelFileError, match=r"is empty|is cut off|is damaged"):
            skasd.load(path)


def test_flipped_bytes(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    positions = [*range(90), *rng.integers(90, len(content), 200), len(content) - 1]
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        with pytest.raises(
            ModelFileError, match=r"is damaged|not a model file|has the format|cut off"
        ):
            skasd.load(path)


def test_other_files(tmp_path):
    path = tmp_path / "machine.skasd"
    path.write_bytes(b"RIFF....WAVE")
    with pytest.raises(ModelFileError, match="is not a model file of skasd"):
        skasd.load(path)
    path.write_bytes(b"skasd-model 2 " + b"0" * 64 + b"\n")
    with pytest.raises(ModelFileError, match="has the format 2, and this skasd reads 1"):
        skasd.load(path)
    with pytest.raises(FileNotFoundError):
        skasd.load(tmp_path / "missing.skasd")
    write_archive(path, skops.io.dumps({"no": "detector"}))
    with pytest.raises(ModelFileError, match=r"KeyError.*skasd.json"):
        skasd.load(path)


def rewrite(path, replaced):
    """Replace members of the archive, as someone would who can compute the digest as well."""
    archive, changed = zipfile.ZipFile(io.BytesIO(read_archive(path))), io.BytesIO()
    with zipfile.ZipFile(changed, "w") as members:
        for name in archive.namelist():
            members.writestr(name, replaced.get(name, archive.read(name)))
    write_archive(path, changed.getvalue())


class Runs:
    """Leaves a file where it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (self.marker, "w"))


def hostile(marker, path):
    """Return members of archives that want to run something."""
    schema = json.loads(zipfile.ZipFile(io.BytesIO(read_archive(path))).read("schema.json"))
    frame = {key: schema[key] for key in ("protocol", "_skops_version")}
    system = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}
    evil = pickle.dumps(Runs(marker))
    array = io.BytesIO()
    np.save(array, np.array([Runs(marker)], dtype=object), allow_pickle=True)
    names = zipfile.ZipFile(io.BytesIO(read_archive(path))).namelist()
    arrays = [name for name in names if name.endswith(".npy")]
    scaler = json.loads(
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(FunctionTransformer(np.log)))).read("schema.json")
    )
    method = {
        **system,
        "__loader__": "MethodNode",
        "content": {"func": "transform", "obj": schema},
    }
    scaler_state = json.loads(json.dumps(scaler))
    scaler_state["content"]["content"]["func"] = method
    return {
        "function": {"schema.json": json.dumps({**system, **frame}).encode()},
        "object": {
            "schema.json": json.dumps(
                {**schema, "__class__": "Popen", "__module__": "subprocess"}
            ).encode()
        },
        "method": {"schema.json": json.dumps({**scaler_state, **frame}).encode()},
        "pickle for schema": {"schema.json": evil},
        "pickle for array": dict.fromkeys(arrays, evil),
        "array of objects": dict.fromkeys(arrays, array.getvalue()),
        "no detector": {"schema.json": json.dumps(scaler).encode()},
    }


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("function", "os.system"),
        ("object", "subprocess.Popen"),
        ("method", "MethodNode, which could be called"),
        ("pickle for schema", "cannot be loaded"),
        ("pickle for array", "contain(s|ing) pickled"),
        ("array of objects", "allow_pickle=False"),
        ("no detector", "FunctionTransformer, which is not a detector"),
    ],
)
def test_nothing_foreign_runs(path, tmp_path, kind, message):
    marker = str(tmp_path / "ran")
    rewrite(path, hostile(marker, path)[kind])
    with pytest.raises(ModelFileError, match=message):
        skasd.load(path)
    assert not os.path.exists(marker)


@pytest.fixture(scope="module")
def small_archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "machine.skasd"
    skasd.save(FeatureDetector().fit([[1.0], [2.0], [3.0]]), path)
    return path, read_archive(path)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=4)), min_size=1, max_size=3)
)
@example(edits=[(0, b"")])
def test_any_bytes_give_a_detector_or_our_error(small_archive, edits):
    path, archive = small_archive
    content = bytearray(archive)
    for position, replacement in edits:
        start = position % len(content)
        content[start : start + len(replacement)] = replacement
    write_archive(path, bytes(content))
    try:
        loaded = skasd.load(path)
    except ModelFileError:
        pass
    else:
        assert hasattr(loaded, "score_samples")


TREE_FAULTS = {
    "a child beyond the end": (("left_child", 0, 10**6), "the children of a node"),
    "a child before its parent": (("right_child", 0, 0), "the children of a node"),
    "one child alone": (("left_child", 0, -1), "the children of a node"),
    "a feature beyond the end": (("feature", 0, 99), "the feature of a node"),
    "a negative feature": (("feature", 0, -7), "the feature of a node"),
    "no threshold": (("threshold", 0, np.nan), "the threshold of a node"),
}


@pytest.mark.parametrize("fault", TREE_FAULTS)
def test_trees_are_checked_before_they_are_followed(fault):
    """A tree that leaves its arrays ends the interpreter, or reads what is not its own."""
    (field, index, value), problem = TREE_FAULTS[fault]
    X = np.random.default_rng(0).normal(size=(40, 2))
    forest = IsolationForest(n_estimators=2, random_state=0).fit(X)
    state = forest.estimators_[1].tree_.__getstate__()
    nodes = state["nodes"].copy()
    nodes[field][index] = value
    forest.estimators_[1].tree_.__setstate__({**state, "nodes": nodes})
    with pytest.raises(ValueError, match=problem):
        check_forest(forest)


def test_arrays_of_a_forest_fit_its_trees():
    forest = IsolationForest(n_estimators=2, random_state=0).fit([[0.0], [1.0], [3.0]])
    check_forest(forest)
    for attribute, wrong in {
        "estimators_features_": [np.array([3]), np.array([0])],
        "_decision_path_lengths": (np.ones(1), np.ones(1)),
        "offset_": np.nan,
    }.items():
        broken = copy.deepcopy(forest)
        setattr(broken, attribute, wrong)
        with pytest.raises(ValueError, match="of an isolation forest cannot be right"):
            check_forest(broken)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(place=st.integers(0, 10**6), value=JSON)
def test_any_description_gives_a_detector_or_our_error(small_archive, place, value):
    path, archive = small_archive
    write_archive(path, archive)
    schema = json.loads(zipfile.ZipFile(io.BytesIO(archive)).read("schema.json"))
    holders = [each for each in nodes(schema) if each]
    holder = holders[place % len(holders)]
    holder[sorted(holder)[place % len(holder)]] = value
    rewrite(path, {"schema.json": json.dumps(schema).encode()})
    try:
        loaded = skasd.load(path)
    except ModelFileError:
        pass
    else:
        assert hasattr(loaded, "score_samples")


def nodes(state):
    if isinstance(state, dict):
        yield state
        for value in state.values():
            yield from nodes(value)
    elif isinstance(state, list):
        for value in state:
            yield from nodes(value)


def test_disk_full_leaves_the_old_file(path, detector, full_disk):
    before = path.read_bytes()
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        skasd.save(detector, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


SCORE = """
import sys
import numpy as np
import skasd

detector = skasd.load(sys.argv[1])
clips = np.random.default_rng(0).uniform(-0.5, 0.5, size=(12, 8000))
print(detector.score_samples(clips).tolist())
# Not PyTorch: skops imports all of scikit-learn, which looks for it.
heavy = {"keras", "jax", "tensorflow", "matplotlib", "scipy.signal"}
print(sorted(heavy & set(sys.modules)))
"""


def test_another_process_scores_alike_without_keras(path, detector):
    process = run_script(SCORE, path)
    scores, heavy = map(json.loads, process.stdout.splitlines())
    # Another process may share its threads out otherwise: equal but for last bits.
    np.testing.assert_allclose(scores, detector.score_samples(CLIPS), rtol=1e-4, atol=1e-3)
    assert heavy == []
