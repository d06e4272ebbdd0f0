"""Model files that somebody wrote to do harm, or whose content cannot be right: an error each."""

import copy
import io
import json
import warnings
import zipfile

import numpy as np
import pytest
import skops.io
from hostile import DATA, all_nodes, make_small_detector, write_unchecked
from limited import run_limited
from processes import run_script
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import OneClassSVM

import skasd
from skasd import (
    FeatureDetector,
    FusionDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    MahalanobisDetector,
    NearestNeighborsDetector,
    OpenL3Embedding,
    PrincipalComponents,
    RepeatedSeedEnsemble,
    TimeWeightedPooling,
)
from skasd.exceptions import AudioError, ModelFileError, ModelVersionWarning, WeightsError
from skasd.persistence._archive import pack, unpack
from skasd.persistence._container import read_archive, write_archive

pytestmark = pytest.mark.filterwarnings("ignore::skasd.exceptions.CalibrationWarning")

X = np.random.default_rng(0).normal(size=(40, 3))
CLIPS = np.random.default_rng(0).uniform(-0.5, 0.5, size=(8, 4000))


def clip_detector():
    return make_pipeline(
        LogMelSpectrogram(n_mels=8), TimeWeightedPooling(n_components=2), FeatureDetector()
    ).fit(CLIPS)


DETECTORS = {
    "feature": lambda: FeatureDetector(),
    "mixture": lambda: GaussianMixtureDetector(n_components=2, random_state=0),
    "neighbors": lambda: NearestNeighborsDetector(density_neighbors=3, log=True),
    "mahalanobis": lambda: MahalanobisDetector(),
    "ensemble": lambda: RepeatedSeedEnsemble(FeatureDetector(), n_repeats=2),
    "fusion": lambda: FusionDetector(
        [("a", FeatureDetector(0)), ("b", FeatureDetector(1))], weights=[1, 2]
    ),
    "svm": lambda: OneClassSVM(),
    "forest": lambda: IsolationForest(n_estimators=3, random_state=0),
    "envelope": lambda: EllipticEnvelope(random_state=0),
    "local": lambda: LocalOutlierFactor(novelty=True, algorithm="brute"),
    "tied": lambda: GaussianMixtureDetector(
        2, covariance_type="tied", shrinkage=None, random_state=0
    ),
    "diag": lambda: GaussianMixtureDetector(
        2, covariance_type="diag", shrinkage=None, random_state=0
    ),
    "spherical": lambda: GaussianMixtureDetector(
        2, covariance_type="spherical", shrinkage=None, random_state=0
    ),
    "steps": lambda: make_pipeline(
        StandardScaler(), PrincipalComponents(2), GaussianMixtureDetector(random_state=0)
    ),
    "scalers": lambda: make_pipeline(
        FeatureUnion(
            [
                ("max", MaxAbsScaler()),
                ("range", MinMaxScaler()),
                ("norm", Normalizer()),
                ("power", PowerTransformer()),
                ("quantile", QuantileTransformer(n_quantiles=10)),
                ("robust", RobustScaler()),
                ("as it is", "passthrough"),
            ]
        ),
        NearestNeighborsDetector(),
    ),
}


@pytest.fixture(scope="module")
def fitted():
    return {name: make().fit(X) for name, make in DETECTORS.items()}


@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_honest_loads(fitted, tmp_path, name):
    skasd.save(fitted[name], tmp_path / "model.skasd")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = skasd.load(tmp_path / "model.skasd")
    np.testing.assert_array_equal(loaded.score_samples(X), fitted[name].score_samples(X))


def change(array, index, value):
    changed = np.array(array)
    changed[index] = value
    return changed


WRONG = {
    "short dual_coef_": ("svm", "_dual_coef_", lambda a: a[:, :1]),
    "short public dual_coef_": ("svm", "dual_coef_", lambda a: a[:, :1]),
    "no support vectors": ("svm", "support_vectors_", lambda a: a[:0]),
    "support vectors of width 0": ("svm", "support_vectors_", lambda a: a[:, :0]),
    "float32 support vectors": ("svm", "support_vectors_", lambda a: a.astype(np.float32)),
    "many vectors": ("svm", "_n_support", lambda a: np.array([10**8, 0], np.int32)),
    "one number of vectors": ("svm", "_n_support", lambda a: a[:1]),
    "probabilities": ("svm", "_probA", lambda a: np.zeros(1)),
    "sparse": ("svm", "_sparse", lambda a: True),
    "NaN intercept": ("svm", "_intercept_", lambda a: a * np.nan),
    "precomputed kernel": ("svm", "kernel", lambda a: "precomputed"),
    "NaN offset": ("feature", "offset_", lambda a: np.nan),
    "infinite offset": ("mixture", "offset_", lambda a: np.inf),
    "text offset": ("mixture", "offset_", lambda a: "0"),
    "array offset": ("mixture", "offset_", lambda a: np.zeros(40)),
    "feature outside": ("feature", "feature_index_", lambda a: 3),
    "negative feature": ("feature", "feature_index_", lambda a: -1),
    "no calibration": ("feature", "calibration_scores_", lambda a: a[:0]),
    "NaN calibration": ("feature", "calibration_scores_", lambda a: a * np.nan),
    "unknown calibration": ("feature", "calibrated_on_", lambda a: "nothing"),
    "zero spread": ("fusion", "score_stds_", np.zeros_like),
    "negative spread": ("fusion", "score_stds_", lambda a: -a),
    "spread that broadcasts": ("fusion", "score_stds_", lambda a: a[:1]),
    "means that broadcast": ("ensemble", "score_means_", lambda a: a[:1]),
    "no members": ("ensemble", "estimators_", lambda a: []),
    "member that is none": ("ensemble", "estimators_", lambda a: [StandardScaler(), a[0]]),
    "members changed": ("fusion", "estimators_", lambda a: a[::-1]),
    "NaN weights": ("fusion", "weights", lambda a: [np.nan, 1.0]),
    "no density": ("neighbors", "density_", lambda a: a[:5]),
    "zero density": ("neighbors", "density_", lambda a: change(a, 0, 0)),
    "narrow whitening": ("neighbors", "whitening_", lambda a: a[:, :1]),
    "location that broadcasts": ("neighbors", "location_", lambda a: a[:1]),
    "infinite clip": ("neighbors", "X_fit_", lambda a: change(a, 0, np.inf)),
    "fewer clips": ("neighbors", "X_fit_", lambda a: a[:5]),
    "big-endian": ("neighbors", "location_", lambda a: a.astype(">f8")),
    "objects": ("neighbors", "location_", lambda a: a.astype(object)),
    "complex": ("neighbors", "location_", lambda a: a.astype(complex)),
    "too many features": ("mixture", "n_features_in_", lambda a: 10**9),
    "no features": ("mixture", "n_features_in_", lambda a: 0),
    "more components": ("mixture", "n_components_", lambda a: 5),
    "search without its clips": ("local", "n_samples_fit_", lambda a: 10**6),
    "neighbors beyond": ("local", "n_neighbors_", lambda a: 40),
    "metric of arrays": ("local", "effective_metric_", lambda a: "seuclidean"),
    "precomputed metric": ("local", "metric", lambda a: "precomputed"),
    "tree of neighbors": ("local", "_fit_method", lambda a: "kd_tree"),
    "infinite precision": ("envelope", "precision_", lambda a: a * np.inf),
    "small precision": ("envelope", "precision_", lambda a: a[:1, :1]),
    "weights of 2": ("diag", "mixture_.weights_", lambda a: a * 2),
    "tied as diag": ("tied", "mixture_.covariance_type", lambda a: "diag"),
    "no means": ("tied", "mixture_.means_", lambda a: None),
    "negative factors": ("spherical", "mixture_.precisions_cholesky_", lambda a: -a),
    "float16": ("diag", "mixture_.means_", lambda a: a.astype(np.float16)),
    "indices of a forest": ("forest", "estimators_features_", lambda a: [b + 7 for b in a]),
    "members of a forest": ("forest", "estimators_", lambda a: [StandardScaler()] * 3),
    "offset of a forest": ("forest", "offset_", lambda a: np.nan),
    "contamination": ("feature", "contamination", lambda a: 7.0),
}
"""Detector, attribute, and what becomes of it."""


@pytest.mark.parametrize("name", WRONG)
def test_state_that_cannot_be_right(fitted, tmp_path, name):
    detector, attribute, wrong = WRONG[name]
    broken = copy.deepcopy(fitted[detector])
    *path, attribute = attribute.split(".")
    holder = getattr(broken, *path) if path else broken
    setattr(holder, attribute, wrong(getattr(holder, attribute)))
    with pytest.raises((ValueError, TypeError), match=r"."):
        skasd.save(broken, tmp_path / "saved.skasd")
    assert not (tmp_path / "saved.skasd").exists()
    write_unchecked(broken, tmp_path / "model.skasd")
    with pytest.raises(ModelFileError, match=r"cannot be loaded: \w+Error: .+Do not use it"):
        skasd.load(tmp_path / "model.skasd")


@pytest.mark.parametrize(
    ("step", "attribute", "wrong"),
    [
        (0, "scale_", np.zeros(3)),
        (0, "mean_", np.zeros(1)),
        (0, "var_", np.full(3, np.nan)),
        (1, "pca_", StandardScaler()),
        (1, "n_features_in_", 4),
        (2, "mixture_", OneClassSVM()),
        (2, "mixture_", None),
    ],
)
def test_state_of_steps(fitted, tmp_path, step, attribute, wrong):
    broken = copy.deepcopy(fitted["steps"])
    setattr(broken[step], attribute, wrong)
    write_unchecked(broken, tmp_path / "model.skasd")
    with pytest.raises(ModelFileError, match=r"cannot be loaded"):
        skasd.load(tmp_path / "model.skasd")


@pytest.mark.parametrize(
    ("attribute", "wrong"),
    [
        ("coefs_", lambda a: a[:-1]),
        ("coefs_", lambda a: [each[:, :1] for each in a]),
        ("intercepts_", lambda a: [each[:1] for each in a]),
        ("intercepts_", lambda a: [each * np.nan for each in a]),
        ("scale_", lambda a: a[:1]),
        ("scale_", np.zeros_like),
        ("n_frames", lambda a: 10**9),
        ("n_frames", lambda a: 7),
        ("statistics", lambda a: ["eval"]),
        ("n_features_in_", lambda a: 10**12),
    ],
)
def test_state_of_an_autoencoder(tmp_path, attribute, wrong):
    detector = make_small_detector()
    autoencoder = detector.named_steps["autoencoder"]
    setattr(autoencoder, attribute, wrong(getattr(autoencoder, attribute)))
    write_unchecked(detector, tmp_path / "model.skasd")
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        skasd.load(tmp_path / "model.skasd")


def test_nothing_compiled_runs_before_the_checks(fitted, tmp_path, monkeypatch):
    """libsvm reads past `_dual_coef_` if it is short, which ended the interpreter."""
    broken = copy.deepcopy(fitted["svm"])
    broken._dual_coef_ = broken._dual_coef_[:, :1]
    write_unchecked(broken, tmp_path / "model.skasd")
    monkeypatch.setattr(OneClassSVM, "score_samples", pytest.fail)
    with pytest.raises(ModelFileError, match=r"_dual_coef_ of OneClassSVM has the shape \(1, 1\)"):
        skasd.load(tmp_path / "model.skasd")


ABSURD = {
    "n_mels": 10**7,
    "n_fft": 2**30,
    "hop_length": 2**40,
    "sample_rate": 10**9,
    "input_sample_rate": 10**9,
    "n_jobs": 100_000,
    "min_frames": 10**9,
    "power": 1e300,
    "fmax": np.nan,
    "win_length": -1,
    "channel": "left",
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_parameters(tmp_path, name):
    detector = clip_detector()
    setattr(detector[0], name, ABSURD[name])
    write_unchecked(detector, tmp_path / "model.skasd")
    with pytest.raises(ModelFileError, match=f"{name}"):
        skasd.load(tmp_path / "model.skasd")


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_mels": 4096, "n_fft": 2**20},
        {"n_fft": 2**20, "hop_length": 1},
        {"sample_rate": 1, "input_sample_rate": 1_000_000, "fmax": 0.5},
        {"min_frames": 2**20},
    ],
)
def test_parameters_that_are_absurd_together(tmp_path, parameters):
    detector = clip_detector()
    detector[0].set_params(**parameters)
    write_unchecked(detector, tmp_path / "model.skasd")
    with pytest.raises(ModelFileError, match="cannot be loaded: ValueError"):
        skasd.load(tmp_path / "model.skasd")


@pytest.mark.parametrize(
    "name", ["predict", "score_samples", "_parts", "_impl", "decision_function"]
)
def test_attributes_in_the_place_of_methods(fitted, tmp_path, name):
    broken = copy.deepcopy(fitted["svm" if name == "_impl" else "ensemble"])
    vars(broken)[name] = "nu_svr"
    write_unchecked(broken, tmp_path / "model.skasd")
    with pytest.raises(ModelFileError, match=f"has {name} as an attribute"):
        skasd.load(tmp_path / "model.skasd")


@pytest.fixture
def members(fitted, tmp_path):
    """Return the members of an honest file, and what writes changed ones."""
    path = tmp_path / "model.skasd"
    skasd.save(fitted["neighbors"], path)

    def write(members, **kwargs):
        write_archive(path, pack(members, **kwargs))
        return path

    return unpack(read_archive(path)), write


@pytest.mark.parametrize("compression", ["ZIP_DEFLATED", "ZIP_BZIP2", "ZIP_LZMA"])
def test_bombs(members, compression):
    content, write = members
    content["bomb.npy"] = bytes(2**27)
    path = write(content, compression=getattr(zipfile, compression))
    assert path.stat().st_size < 2**19
    with pytest.raises(ModelFileError, match="a file of its size may hold"):
        skasd.load(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions(members, compression):
    content, write = members
    with pytest.raises(ModelFileError, match=r"is compressed as skasd.save does not"):
        skasd.load(write(content, compression=compression))


def test_members_that_lie_about_their_size(members):
    """Unpacking reads as many bytes as are said, whatever the member would give."""
    content, write = members
    path = write({**content, "bomb.npy": bytes(2**22)}, compression=zipfile.ZIP_DEFLATED)
    archive = bytearray(read_archive(path))
    size = (2**22).to_bytes(4, "little")
    for _ in range(archive.count(size)):
        place = archive.find(size)
        archive[place : place + 4] = (10).to_bytes(4, "little")
    write_archive(path, bytes(archive))
    with pytest.raises(ModelFileError, match=r"of another size than it says|CRC"):
        skasd.load(path)


def test_small_file_is_read_in_little_memory(fitted, tmp_path):
    """Not in the 2 GiB that a file may have."""
    path = tmp_path / "model.skasd"
    skasd.save(fitted["feature"], path)
    # What is imported late is loaded before the limit.
    imports = "import sys, skasd\nskasd.load(sys.argv[1])\n"
    assert run_limited(imports, "print(skasd.load(sys.argv[1]))", path) == "FeatureDetector()\n"


def header(shape, dtype="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"shape": shape, "fortran_order": False, "descr": dtype}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        header((10**12,)) + bytes(8),
        header((10**6, 10**6)),
        header((-1,)) + bytes(8),
        header((2, 0, 10**18)) + bytes(8),
        header((1,), "|S1000000000"),
        header((1,), "|V64") + bytes(64),
        header((1,), "<M8[s]") + bytes(8),
        header((1,), "|O") + bytes(8),
        b"\x93NUMPY\x01\x00\x02\x00((",
        b"",
    ],
    ids=range(10),
)
def test_arrays_that_lie(members, array):
    content, write = members
    changed = {name: array if name.endswith(".npy") else each for name, each in content.items()}
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        skasd.load(write(changed))


def with_schema(members, edit):
    content, write = members
    schema = json.loads(content["schema.json"])
    schema = edit(schema) or schema
    return write({**content, "schema.json": json.dumps(schema).encode()})


def test_one_array_many_times(members):
    content, write = members
    content["large.npy"] = header((2**20,)) + bytes(2**23)
    schema = json.loads(content["schema.json"])
    node = {"__loader__": "NdArrayNode", "__module__": "numpy", "__class__": "ndarray"}
    many = [{**node, "type": "numpy", "file": "large.npy"}] * 40
    schema["content"]["content"]["extra"] = {
        "__loader__": "ListNode",
        "__module__": "builtins",
        "__class__": "list",
        "content": many,
    }
    content["schema.json"] = json.dumps(schema).encode()
    with pytest.raises(ModelFileError, match="a file of its size may hold"):
        skasd.load(write(content, compression=zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize("depth", [13, 20, 60])
def test_nested_estimators(tmp_path, depth):
    detector = FeatureDetector().fit(X)
    for _ in range(depth):
        detector = Pipeline([("step", detector)])
    schema = skops.io.dumps(detector)
    members = {**unpack(schema), "skasd.json": write_unchecked(None, None)}
    write_archive(tmp_path / "model.skasd", pack(members))
    with pytest.raises(ModelFileError, match="inside of each other"):
        skasd.load(tmp_path / "model.skasd")


def list_of(nodes, number=None):
    node = {"__loader__": "ListNode", "__module__": "builtins", "__class__": "list"}
    return {**node, "content": nodes, **({"__id__": number} if number else {})}


def test_references(members):
    """40 lists, each of which holds the one before twice."""

    def edit(schema):
        inner = list_of([], 10**6)
        lists = [inner]
        for number in range(40):
            lists.append(list_of([list_of([], 10**6 + number)] * 2, 10**6 + number + 1))
        schema["content"]["content"]["extra"] = list_of(lists)

    with pytest.raises(ModelFileError, match=r"more than 200000 objects|inside of each other"):
        skasd.load(with_schema(members, edit))


def test_object_in_itself(members):
    def edit(schema):
        schema["content"]["content"]["extra"] = list_of([list_of([], 77)], 77)

    with pytest.raises(ModelFileError, match="that holds itself"):
        skasd.load(with_schema(members, edit))


def test_too_many_objects(members):
    def edit(schema):
        schema["content"]["content"]["extra"] = list_of([list_of([])] * 200_001)

    with pytest.raises(ModelFileError, match="more than 200000 objects"):
        skasd.load(with_schema(members, edit))


def test_second_description_does_not_count(members):
    """What skops takes for an object is what has been checked: the first one of its number."""

    def edit(schema):
        foreign = {"__loader__": "ObjectNode", "__module__": "subprocess", "__class__": "Popen"}
        schema["content"]["content"]["extra"] = list_of(
            [list_of([], 77), {**foreign, "__id__": 77}, {**foreign, "__id__": 0}]
        )

    with pytest.raises(ModelFileError, match=r"subprocess\.Popen"):
        skasd.load(with_schema(members, edit))


@pytest.mark.parametrize(("field", "value"), [("node_count", 10**6), ("n_outputs", 10**9)])
def test_tree_that_says_it_is_larger(fitted, tmp_path, field, value):
    path = tmp_path / "model.skasd"
    skasd.save(fitted["forest"], path)
    members = unpack(read_archive(path))
    schema = json.loads(members["schema.json"])
    for number, node in enumerate(all_nodes(schema)):
        if node.get("__loader__") == "TreeNode":
            number_of = {"__loader__": "JsonNode", "__module__": "builtins", "__class__": "str"}
            changed = {**number_of, "content": str(value), "__id__": 10**9 + number}
            if field == "node_count":
                node["content"]["content"]["node_count"] = changed
            else:
                node["__reduce__"]["args"]["content"][2] = changed
    write_archive(path, pack({**members, "schema.json": json.dumps(schema).encode()}))
    with pytest.raises(ModelFileError, match="of an isolation forest cannot be right"):
        skasd.load(path)


def embedding():
    weights = str(DATA / "openl3_audio_mel128_golden.h5.gz")
    steps = OpenL3Embedding("mel128", hop_size=1.0, weights=weights, cache=None)
    return make_pipeline(steps, GaussianMixtureDetector(n_components=1)).fit(CLIPS[:3])


def test_places_are_the_loaders(tmp_path, monkeypatch):
    detector = embedding()
    detector[0].set_params(cache=str(tmp_path / "anywhere"))
    skasd.save(detector.set_params(openl3embedding__cache=None), tmp_path / "model.skasd")
    detector[0].cache = str(tmp_path / "anywhere")
    write_unchecked(detector, tmp_path / "hostile.skasd")
    honest, hostile = (skasd.load(tmp_path / f"{n}.skasd") for n in ("model", "hostile"))
    assert honest[0].cache is None
    assert hostile[0].cache == "auto"
    assert honest[0].weights == hostile[0].weights == "openl3_audio_mel128_golden.h5.gz"
    assert not (tmp_path / "anywhere").exists()
    # Where this process has read them before, or in one of the loader's folders.
    expected = detector.set_params(openl3embedding__cache=None).score_samples(CLIPS[:2])
    np.testing.assert_array_equal(honest.score_samples(CLIPS[:2]), expected)
    monkeypatch.setattr("skasd.features._pretrained._read_from", {})
    with pytest.raises(WeightsError, match="there is no such file"):
        honest.score_samples(CLIPS[:2])
    monkeypatch.setenv("SKASD_OPENL3_WEIGHTS", str(DATA))
    np.testing.assert_array_equal(honest.score_samples(CLIPS[:2]), expected)


def test_loading_prints_nothing(fitted, tmp_path, capfd):
    forest = copy.deepcopy(fitted["forest"]).set_params(verbose=1000)
    skasd.save(forest, tmp_path / "model.skasd")
    capfd.readouterr()
    skasd.load(tmp_path / "model.skasd")
    assert capfd.readouterr() == ("", "")


def test_loading_downloads_nothing(tmp_path, monkeypatch):
    detector = embedding()
    detector[0].weights = "auto"
    write_unchecked(detector, tmp_path / "model.skasd", versions={"skasd": "99.0"})
    monkeypatch.setattr("skasd.features._pretrained._read_from", {})
    monkeypatch.setattr("skasd.features.openl3._weights._download", pytest.fail)
    monkeypatch.setattr("skasd.features.openl3._weights.cache_folder", lambda: tmp_path / "none")
    with pytest.warns(ModelVersionWarning, match="weights are not on this machine"):
        skasd.load(tmp_path / "model.skasd")
    assert not (tmp_path / "none").exists()


def test_types_that_cannot_be_checked(fitted, tmp_path):
    search = GridSearchCV(FeatureDetector(), {"feature": [0, 1]}, scoring=lambda e, X, y=None: 0.0)
    ensemble = RepeatedSeedEnsemble(make_pipeline(FeatureDetector()), n_repeats=1).fit(X)
    ensemble.estimators_[0].steps.append(("search", search.fit(X)))
    with pytest.raises(TypeError, match=r"holds .*which skasd.load would refuse.*joblib.dump"):
        skasd.save(ensemble, tmp_path / "model.skasd")


@pytest.mark.parametrize("name", ["feature", "neighbors", "svm"])
def test_check_scores_count_whatever_the_versions(fitted, tmp_path, name):
    write_unchecked(fitted[name], tmp_path / "model.skasd", check_scores=[3.0, 4.0])
    with pytest.warns(ModelVersionWarning, match="differ from those that it was saved with"):
        skasd.load(tmp_path / "model.skasd")


@pytest.mark.parametrize(
    "wrong",
    [
        {"check_scores": [1.0]},
        {"check_scores": [np.nan, 1.0]},
        {"check_scores": "scores"},
        {"threshold": np.nan},
        {"versions": ["skasd"]},
        {"n_clips": "many"},
        {"settings": None},
        {"training_quantiles": {"0.5": None}},
        {"unknown": 1},
    ],
)
def test_description_that_is_none(fitted, tmp_path, wrong):
    write_unchecked(fitted["feature"], tmp_path / "model.skasd", **wrong)
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        skasd.load(tmp_path / "model.skasd")


def test_key(fitted, tmp_path):
    path = tmp_path / "model.skasd"
    skasd.save(fitted["feature"], path, key=b"of the plant")
    loaded = skasd.load(path, key="of the plant")
    np.testing.assert_array_equal(loaded.score_samples(X), fitted["feature"].score_samples(X))
    assert skasd.persistence.read_info(path).detector == "FeatureDetector"
    with pytest.raises(ModelFileError, match="was saved with another key"):
        skasd.load(path, key=b"another")
    with pytest.raises(ModelFileError, match="was saved with a key, and none is given"):
        skasd.load(path)
    # Whoever changes the file can compute its digest, and not that under the key.
    signature = path.read_bytes().split(b"\n")[0][-65:]
    write_archive(path, read_archive(path, b"of the plant") + b" ")
    changed = path.read_bytes()
    path.write_bytes(changed.replace(b"\n", signature + b"\n", 1))
    with pytest.raises(ModelFileError, match=r"was saved with another key .* or changed"):
        skasd.load(path, key=b"of the plant")
    path.write_bytes(changed)
    with pytest.raises(ModelFileError, match="was saved without a key"):
        skasd.load(path, key=b"of the plant")
    with pytest.raises(ValueError, match="key is empty"):
        skasd.save(fitted["feature"], path, key="")
    with pytest.raises(TypeError, match="key is int"):
        skasd.load(path, key=5)


@pytest.mark.parametrize("make", [lambda: FeatureDetector(), lambda: DETECTORS["ensemble"]()])
def test_score_that_is_no_number(monkeypatch, make):
    detector = make().fit(X)
    scores = np.array([1.0, np.nan, 2.0])
    monkeypatch.setattr(type(detector), "score_samples", lambda self, X: scores)
    for method in (detector.predict, detector.p_values):
        with pytest.raises(AudioError, match=r"clip 1: has a score that is no number"):
            method(X[:3])


def test_clip_whose_score_is_no_number(monkeypatch):
    detector = clip_detector()
    monkeypatch.setattr(FeatureDetector, "score_samples", lambda self, X: np.full(len(X), np.nan))
    with pytest.raises(AudioError, match=r"clip 0: has a score that is no number"):
        list(skasd.score_clips(detector, CLIPS[:1]))
    (score,) = skasd.score_clips(detector, CLIPS[:1], on_error="skip")
    assert score.prediction == 0
    assert "no number" in score.error


@pytest.mark.parametrize("name", ["feature", "mixture", "neighbors", "ensemble", "fusion"])
def test_refit_that_fails_changes_nothing(fitted, monkeypatch, name):
    detector = copy.deepcopy(fitted[name])
    before, scores = dict(vars(detector)), detector.score_samples(X)

    def fail(self, *args, **kwargs):
        raise KeyboardInterrupt

    # At the very end of the fit, when all else has been set.
    monkeypatch.setattr("skasd.detection._base.AnomalyDetectorMixin._warn_of_few_clips", fail)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(np.random.default_rng(1).normal(size=(30, 5)))
    assert vars(detector).keys() == before.keys()
    assert all(vars(detector)[attribute] is value for attribute, value in before.items())
    np.testing.assert_array_equal(detector.score_samples(X), scores)


def test_transformer_whose_refit_fails_is_as_before(monkeypatch):
    spectrograms = LogMelSpectrogram(n_mels=8).transform(CLIPS)
    pooling = TimeWeightedPooling(n_components=2).fit(spectrograms)
    expected = pooling.transform(spectrograms)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        pooling.fit([spectrograms[0][:, :4]])
    np.testing.assert_array_equal(pooling.transform(spectrograms), expected)


def test_large_honest_ensemble_is_within_the_bounds(tmp_path):
    forest = IsolationForest(n_estimators=100, max_samples=16, random_state=0)
    detector = RepeatedSeedEnsemble(forest, n_repeats=2, cv=None).fit(X)
    skasd.save(detector, tmp_path / "model.skasd")
    skasd.load(tmp_path / "model.skasd")


def test_interpreter_survives_short_coefficients(fitted, tmp_path):
    """In a process of its own: without the checks, it ends by a signal."""
    broken = copy.deepcopy(fitted["svm"])
    broken._dual_coef_ = broken._dual_coef_[:, :1]
    write_unchecked(broken, tmp_path / "model.skasd", versions={"skasd": "99.0"})
    script = "import sys, skasd\ntry: skasd.load(sys.argv[1])\nexcept ValueError: sys.exit(7)"
    assert run_script(script, tmp_path / "model.skasd").returncode == 7
