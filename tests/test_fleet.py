import json
import pickle
import signal

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import run_script
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.metadata_routing import MetadataRequest

import skasd
from skasd import (
    AudioError,
    FeatureDetector,
    FleetDetector,
    FusionDetector,
    GaussianMixtureDetector,
    LogMelSpectrogram,
    MahalanobisDetector,
    NearestNeighborsDetector,
    RepeatedSeedEnsemble,
    TimeWeightedPooling,
    make_iaeo3_opt,
)
from skasd.datasets import MACHINES
from skasd.ensemble._fleet_task import FleetTask
from skasd.metrics import auc
from skasd.model_selection import NormalKFold
from skasd.persistence import ModelFileError

N_CLIPS = 20
NAMES = ["fan_id_00", "fan_id_02", "pump_id_00", "pump_id_04", "valve_id_06", "slider_id_00"]
MACHINE = np.tile(NAMES, N_CLIPS)
FEATURES = np.random.default_rng(0).normal(size=(len(MACHINE), 3))
FEATURES += np.random.default_rng(1).normal(0, 20, size=(len(NAMES), 3))[
    np.tile(np.arange(len(NAMES)), N_CLIPS)
]


def mixture():
    return GaussianMixtureDetector(n_components=2, random_state=0)


@pytest.fixture(scope="module")
def fleet():
    return FleetDetector(mixture()).fit(FEATURES, machine_label=MACHINE)


def test_equal_to_detectors_fitted_one_by_one(fleet):
    detectors = {name: mixture().fit(FEATURES[name == MACHINE]) for name in NAMES}
    for method in ("score_samples", "anomaly_score", "decision_function", "predict"):
        expected = np.full(len(FEATURES), np.nan)
        for name, detector in detectors.items():
            expected[name == MACHINE] = getattr(detector, method)(FEATURES[name == MACHINE])
        found = getattr(fleet, method)(FEATURES, machine_label=MACHINE)
        np.testing.assert_array_equal(found, expected)


def test_neither_order_nor_other_machines_matter(fleet):
    shuffled = np.random.default_rng(0).permutation(len(NAMES))
    order = np.concatenate([np.flatnonzero(np.array(NAMES)[i] == MACHINE) for i in shuffled[:3]])
    random_state = np.random.RandomState(0)
    some = FleetDetector(GaussianMixtureDetector(2, random_state=random_state))
    some.fit(FEATURES[order], machine_label=MACHINE[order])
    expected = FleetDetector(GaussianMixtureDetector(2, random_state=np.random.RandomState(0)))
    expected.fit(FEATURES, machine_label=MACHINE)
    np.testing.assert_array_equal(
        some.score_samples(FEATURES[order], machine_label=MACHINE[order]),
        expected.score_samples(FEATURES[order], machine_label=MACHINE[order]),
    )


def test_mapping_of_machine_types():
    estimator = {"fan": mixture(), "pump": FeatureDetector()}
    fleet = FleetDetector(estimator).fit(
        [[0.0], [1.0], [2.0], [5.0]], machine_label=["fan_id_00", "fan_id_00", "pump", "pump"]
    )
    assert fleet.anomaly_score([[7.0]], machine_label=["pump"]) == 7.0
    assert isinstance(fleet.detectors_["fan_id_00"], GaussianMixtureDetector)
    assert not hasattr(estimator["pump"], "offset_")
    with pytest.raises(
        ValueError,
        match=r"'valve_id_06' is of type 'valve', for which estimator .* has 'fan', 'pump'",
    ):
        fleet.partial_fit([[1.0]], machine_label=["valve_id_06"])
    with pytest.raises(ValueError, match="'estimator' parameter of FleetDetector must be"):
        FleetDetector(FunctionTransformer()).fit([[1.0]], machine_label=["fan"])


DOMAIN = np.repeat(["source", "target"], [16 * len(NAMES), 4 * len(NAMES)])
"""The last four clips of each machine are of the target."""


def test_domains_as_of_detectors_fitted_one_by_one():
    neighbors = NearestNeighborsDetector(1, domain_method="smote", contamination=0.3)
    forest = IsolationForest(n_estimators=10, random_state=0)
    by_type = {
        "fan": MahalanobisDetector(contamination=0.3),
        "pump": Pipeline([("scaler", StandardScaler()), ("end", neighbors)]),
        "valve": FusionDetector([("forest", forest)], contamination=0.3),
        "slider": clone(neighbors).set_params(domain_method="selective"),
    }
    fleet = FleetDetector(by_type).fit(FEATURES, machine_label=MACHINE, domain=DOMAIN)
    for name in NAMES:
        own = name == MACHINE
        alone = clone(by_type[name.partition("_")[0]])
        alone.fit(FEATURES[own], **{"end__" * name.startswith("pump") + "domain": DOMAIN[own]})
        for method in ("score_samples", "decision_function"):
            found = getattr(fleet, method)(FEATURES[own], machine_label=MACHINE[own])
            np.testing.assert_array_equal(found, getattr(alone, method)(FEATURES[own]))


def test_domains_of_machines_that_are_added():
    detector = NearestNeighborsDetector(1, domain_method="selective", contamination=0.3)
    X, label = FEATURES[::6], np.array(["old", "new"] * 10)
    domain = np.repeat(["source", "target"], [12, 8])
    fleet = FleetDetector(detector)
    fleet.partial_fit(X[::2], machine_label=label[::2], domain=domain[::2])
    fleet.partial_fit(X[1::2], machine_label=label[1::2], domain=domain[1::2])
    for start, name in enumerate(["old", "new"]):
        alone = clone(detector).fit(X[start::2], domain=domain[start::2])
        found = fleet.p_values(X, machine_label=[name] * 20)
        np.testing.assert_array_equal(found, alone.p_values(X))
    # Two clips of the target are too few for one of them.
    X, domain, label = np.r_[X[:14], X], np.r_[domain[:14], domain], ["old"] * 14 + ["new"] * 20
    with pytest.warns(UserWarning, match=r"1 of .*\nold: .* 3 clips of each .*, got 2 of the tar"):
        fleet.partial_fit(X, machine_label=label, domain=domain)


def test_table_1_is_a_fleet():
    fleet = FleetDetector({machine: make_iaeo3_opt(machine) for machine in MACHINES})
    assert repr(fleet).startswith(
        "FleetDetector(estimator={'ToyCar': RepeatedSeedEnsemble(...), 'ToyConveyor': Repeated"
    )
    assert len(repr(fleet)) < 300
    copy = clone(fleet)
    assert copy.estimator is not fleet.estimator
    assert list(copy.estimator) == list(MACHINES)
    assert copy.estimator["fan"].n_repeats == 5
    copy.set_params(n_jobs=2, estimator={"fan": mixture()})
    assert copy.get_params() == {"n_jobs": 2, "estimator": copy.estimator}


def test_parameters_of_one_estimator():
    fleet = clone(FleetDetector(mixture()))
    assert fleet.get_params()["estimator__n_components"] == 2
    assert fleet.set_params(estimator__n_components=3).estimator.n_components == 3
    assert repr(FleetDetector(FeatureDetector())) == "FleetDetector(estimator=FeatureDetector())"


def test_partial_fit_touches_no_other_machine(fleet):
    fleet = pickle.loads(pickle.dumps(fleet))
    before = dict(fleet.detectors_)
    changed = MACHINE == "pump_id_00"
    fleet.partial_fit(FEATURES[changed][:20], machine_label=MACHINE[changed][:20])
    fleet.partial_fit(FEATURES[:20], machine_label=["new"] * 20)
    assert sorted(fleet.detectors_) == sorted([*NAMES, "new"])
    same = {name for name in NAMES if fleet.detectors_[name] is before[name]}
    assert same == set(NAMES) - {"pump_id_00"}
    expected = mixture().fit(FEATURES[changed][:20]).score_samples(FEATURES)
    scores = fleet.score_samples(FEATURES, machine_label=["pump_id_00"] * len(FEATURES))
    np.testing.assert_array_equal(scores, expected)
    first = FleetDetector(mixture()).partial_fit(FEATURES, machine_label=MACHINE)
    assert sorted(first.detectors_) == sorted(NAMES)


def test_machine_that_cannot_be_fitted(fleet):
    X = FEATURES.copy()
    X[MACHINE == "pump_id_00"] = np.nan
    broken = FleetDetector(mixture())
    with pytest.warns(
        UserWarning, match=r"1 of the machines could .*\npump_id_00: Input X contains NaN.$"
    ):
        broken.fit(X, machine_label=MACHINE)
    assert list(broken.failures_) == ["pump_id_00"]
    others = MACHINE != "pump_id_00"
    np.testing.assert_array_equal(
        broken.score_samples(X[others], machine_label=MACHINE[others]),
        fleet.score_samples(X[others], machine_label=MACHINE[others]),
    )
    with pytest.raises(ValueError, match=r"'pump_id_00' could not be fitted: Input X contains NaN"):
        broken.score_samples(X[:3], machine_label=MACHINE[:3])
    with pytest.warns(UserWarning, match=r"\nfan_id_00: Input X contains NaN.\n.* keep it: 1"):
        broken.partial_fit(
            np.r_[X[:1] * np.nan, X[others][:9]], machine_label=["fan_id_00"] + ["new"] * 9
        )
    assert list(broken.failures_) == ["pump_id_00", "fan_id_00"]
    assert broken.score_samples(X[:1], machine_label=["fan_id_00"]) == fleet.score_samples(
        X[:1], machine_label=["fan_id_00"]
    )
    broken.partial_fit(FEATURES, machine_label=MACHINE)
    assert broken.failures_ == {}


def test_no_machine_can_be_fitted(fleet):
    X = np.full((6, 3), np.nan)
    broken = pickle.loads(pickle.dumps(fleet))
    with pytest.raises(ValueError, match=r"None of 6 machines can be fitted. fan_id_00: Input X"):
        broken.partial_fit(X, machine_label=NAMES)
    assert broken.failures_ == {}
    with pytest.warns(UserWarning, match=r"6 of the machines (.*\n){6}1 more are in failures_"):
        broken.partial_fit(np.r_[X, FEATURES[:9]], machine_label=[*NAMES, *["new"] * 9])


def clips_detector():
    return make_pipeline(
        LogMelSpectrogram(n_fft=512, n_mels=8), TimeWeightedPooling(), FeatureDetector(0)
    )


def test_errors_name_the_clip_by_its_place(noise):
    clips = [noise, noise[:100], noise, noise]
    fleet = FleetDetector(clips_detector())
    with pytest.warns(UserWarning, match="pump: clip 1: is too short"):
        fleet.fit(clips, machine_label=["fan", "pump", "fan", "fan"])
    with pytest.raises(AudioError, match="clip 2: is too short"):
        fleet.score_samples([noise, noise, noise[:100]], machine_label=["fan"] * 3)


def test_anomalous_clips_are_not_learned():
    y = np.where(np.arange(len(MACHINE)) % 7 == 0, -1, 1)
    X = FEATURES + 50 * (y == -1)[:, np.newaxis]
    ensemble = RepeatedSeedEnsemble(mixture(), n_repeats=2, random_state=0)
    labelled = FleetDetector(ensemble).fit(X, y, machine_label=MACHINE)
    normal = FleetDetector(ensemble).fit(X[y == 1], machine_label=MACHINE[y == 1])
    np.testing.assert_array_equal(
        labelled.score_samples(X, machine_label=MACHINE),
        normal.score_samples(X, machine_label=MACHINE),
    )


@pytest.mark.parametrize(
    "labels",
    [
        MACHINE.tolist(),
        pd.Series(MACHINE, index=range(7, 7 + len(MACHINE))),
        pd.Categorical(MACHINE),
    ],
    ids=["list", "Series", "Categorical"],
)
def test_kinds_of_labels(fleet, labels):
    X = pd.DataFrame(FEATURES)
    scores = (
        FleetDetector(mixture()).fit(X, machine_label=labels).score_samples(X, machine_label=labels)
    )
    expected = fleet.score_samples(FEATURES, machine_label=MACHINE)
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("machine", "error", "message"),
    [
        ("fan", TypeError, r"single label 'fan'.*\['fan'\] \* 2"),
        (["fan"], ValueError, r"shape \(1,\), and there are 2 clips"),
        ([["fan"], ["fan"]], ValueError, r"shape \(2, 1\)"),
        (["fan", None], TypeError, "machine_label is None for clip 1"),
        ([0, 1], TypeError, "machine_label is 0 for clip 0"),
        (["fan", ""], ValueError, "machine_label is empty for clip 1"),
    ],
)
def test_labels_that_are_none(fleet, machine, error, message):
    with pytest.raises(error, match=message):
        fleet.score_samples(FEATURES[:2], machine_label=machine)
    with pytest.raises(error, match=message):
        FleetDetector(mixture()).fit(FEATURES[:2], machine_label=machine)


def test_other_mistakes(fleet):
    with pytest.raises(ValueError, match=r"'crane' is unknown; known are 'fan_id_00', .* 1 more"):
        fleet.predict(FEATURES[:2], machine_label=["fan_id_00", "crane"])
    with pytest.raises(NotFittedError):
        FleetDetector(mixture()).predict(FEATURES[:1], machine_label=["fan"])
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[2, 1\]"):
        FleetDetector(mixture()).fit(FEATURES[:2], [1], machine_label=["fan", "fan"])
    with pytest.raises(TypeError, match="Wrap one clip in a list"):
        FleetDetector(clips_detector()).fit("clip.wav", machine_label=["fan"])


@pytest.mark.parametrize(
    ("estimator", "domain", "message"),
    [
        (mixture(), DOMAIN[:-1], r"inconsistent numbers of samples: \[120, 119\]"),
        (mixture(), "target", "domain='target': expected 'source' or 'target' for each clip"),
        (mixture(), [*DOMAIN[:-1], "goal"], "domain is 'goal' at index 119: expected 'source'"),
        (
            {**dict.fromkeys(["fan", "valve", "slider"], mixture()), "pump": IsolationForest()},
            DOMAIN,
            r"IsolationForest, the detector of machine 'pump_id_0.', takes no domain\. Wrap it in",
        ),
        (make_pipeline(StandardScaler(), IsolationForest()), DOMAIN, "IsolationForest, .* no dom"),
    ],
)
def test_wrong_domains_stop_before_any_fit(estimator, domain, message, monkeypatch):
    monkeypatch.setattr(FleetTask, "fit", None)
    with pytest.raises(ValueError, match=message):
        FleetDetector(estimator).fit(FEATURES, machine_label=MACHINE, domain=domain)


class FleetAUC:
    """A scorer that asks for the labels, as scikit-learn's documentation has it."""

    def get_metadata_routing(self):
        request = MetadataRequest(owner="FleetAUC")
        request.score.add_request(param="machine_label", alias=True)
        return request

    def __call__(self, estimator, X, y, machine_label):
        return auc(y, -estimator.decision_function(X, machine_label=machine_label))


def test_metadata_routing(fleet):
    y = np.where(np.arange(len(MACHINE)) % 13 == 0, -1, 1)
    X = FEATURES + 50 * (y == -1)[:, np.newaxis]
    routed = FleetDetector(mixture())
    with sklearn.config_context(enable_metadata_routing=True):
        routed.set_fit_request(machine_label=True).set_predict_request(machine_label=True)
        routed.set_decision_function_request(machine_label=True).set_partial_fit_request(
            machine_label=True
        )
        pipeline = make_pipeline("passthrough", FunctionTransformer(), routed)
        pipeline.fit(FEATURES, machine_label=MACHINE)
        for method in ("predict", "decision_function"):
            np.testing.assert_array_equal(
                getattr(pipeline, method)(FEATURES, machine_label=MACHINE),
                getattr(fleet, method)(FEATURES, machine_label=MACHINE),
            )
        result = cross_validate(
            pipeline, X, y, params={"machine_label": MACHINE}, scoring=FleetAUC(), cv=NormalKFold(2)
        )
        domain = np.where(MACHINE[0] == MACHINE, "target", "source")
        routed.set_fit_request(domain=True)
        pipeline.fit(FEATURES, machine_label=MACHINE, domain=domain)
    assert routed.detectors_[MACHINE[0]].calibration_is_target_.all()
    np.testing.assert_array_equal(result["test_score"], [1.0, 1.0])
    np.testing.assert_array_equal(
        clone(routed).fit_predict(FEATURES, machine_label=MACHINE),
        fleet.predict(FEATURES, machine_label=MACHINE),
    )


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_backends_give_the_same_scores(fleet, backend):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        parallel = FleetDetector(mixture()).fit(FEATURES, machine_label=MACHINE)
        scores = parallel.score_samples(FEATURES, machine_label=MACHINE)
    np.testing.assert_array_equal(scores, fleet.score_samples(FEATURES, machine_label=MACHINE))
    assert list(parallel.detectors_) == sorted(NAMES)


@pytest.fixture
def folder(tmp_path, fleet):
    skasd.save(fleet, tmp_path / "plant")
    return tmp_path / "plant"


def test_saved_and_loaded(folder, fleet):
    assert sorted(path.name for path in folder.iterdir()) == [
        *sorted(["fleet.json", *(f"{name}.skasd" for name in NAMES)])
    ]
    loaded = skasd.load(folder)
    assert list(loaded.detectors_) == sorted(NAMES)
    assert (len(loaded.detectors_), "crane" in loaded.detectors_) == (6, False)
    for each in (loaded, pickle.loads(pickle.dumps(loaded))):
        np.testing.assert_array_equal(
            each.score_samples(FEATURES, machine_label=MACHINE),
            fleet.score_samples(FEATURES, machine_label=MACHINE),
        )
    with pytest.raises(ValueError, match=r"estimator is None, as in a fleet that skasd.load"):
        loaded.partial_fit(FEATURES, machine_label=MACHINE)


def test_detectors_are_loaded_when_they_are_needed(folder, monkeypatch):
    other = (folder / "fan_id_02.skasd").read_bytes()
    for name in NAMES[1:]:
        (folder / f"{name}.skasd").unlink()
    monkeypatch.setattr("skasd.ensemble._saved_detectors.N_LOADED", 1)
    loaded = skasd.load(folder)
    first = loaded.detectors_["fan_id_00"]
    assert loaded.detectors_["fan_id_00"] is first
    loaded.score_samples(FEATURES[:2], machine_label=["fan_id_00"] * 2)
    assert loaded.detectors_["fan_id_00"] is first
    (folder / "fan_id_02.skasd").write_bytes(other)
    loaded.score_samples(FEATURES[:2], machine_label=["fan_id_02"] * 2)
    assert loaded.detectors_["fan_id_00"] is not first
    with pytest.raises(FileNotFoundError, match=r"pump_id_00.skasd"):
        loaded.score_samples(FEATURES[:2], machine_label=["pump_id_00"] * 2)


def test_damaged_file_stops_its_own_machine_alone(folder, fleet):
    path = folder / "pump_id_00.skasd"
    path.write_bytes(path.read_bytes()[:-1])
    loaded = skasd.load(folder)
    others = MACHINE != "pump_id_00"
    np.testing.assert_array_equal(
        loaded.score_samples(FEATURES[others], machine_label=MACHINE[others]),
        fleet.score_samples(FEATURES[others], machine_label=MACHINE[others]),
    )
    with pytest.raises(ModelFileError, match=r"pump_id_00.skasd: is damaged"):
        loaded.score_samples(FEATURES, machine_label=MACHINE)


def test_saving_writes_what_has_changed(folder, fleet, tmp_path):
    def inodes():
        return {path.name: path.stat().st_ino for path in folder.glob("*.skasd")}

    before = inodes()
    loaded = skasd.load(folder).set_params(estimator=FeatureDetector(0))
    X, machine = FEATURES[:6], ["pump_id_00"] * 3 + ["crane"] * 3
    loaded.partial_fit(X, machine_label=machine)
    skasd.save(loaded, folder)
    changed = {name for name, inode in inodes().items() if before.get(name) != inode}
    assert changed == {"pump_id_00.skasd", "crane.skasd"}
    skasd.save(loaded, tmp_path / "copy")
    for path in (folder, tmp_path / "copy"):
        again = skasd.load(path)
        assert again.anomaly_score(X, machine_label=machine).tolist() == X[:, 0].tolist()
        assert again.score_samples(X[:1], machine_label=["fan_id_00"]) == fleet.score_samples(
            X[:1], machine_label=["fan_id_00"]
        )
    skasd.save(FleetDetector(FeatureDetector(0)).fit(X, machine_label=machine), folder)
    assert set(inodes()) == {"pump_id_00.skasd", "crane.skasd"}


def test_failures_and_labels_of_any_kind_are_saved(tmp_path):
    machine = ["../up", "a/b", "halle 2_id_00", "Ü", "."] * 2 + ["no"]
    X = [[float(i)] for i in range(10)] + [[np.nan]]
    with pytest.warns(UserWarning, match="no: Input X"):
        fleet = FleetDetector(FeatureDetector()).fit(X, machine_label=machine)
    skasd.save(fleet, tmp_path / "plant")
    assert [path.name for path in tmp_path.iterdir()] == ["plant"]
    loaded = skasd.load(tmp_path / "plant")
    assert loaded.failures_ == fleet.failures_
    assert loaded.anomaly_score(X[:10], machine_label=machine[:10]).tolist() == list(range(10))
    fleet.partial_fit([[1.0], [2.0]] * 2, machine_label=["fan", "fan", "Fan", "Fan"])
    with pytest.raises(ValueError, match=r"'Fan' and 'fan' would share a file"):
        skasd.save(fleet, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_is_no_fleet(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"fleet.json"):
        skasd.load(tmp_path)
    with pytest.raises(NotFittedError):
        skasd.save(FleetDetector(mixture()), tmp_path / "other")
    content = json.loads((folder / "fleet.json").read_text())
    (folder / "fleet.json").write_text(json.dumps({**content, "format": 2}))
    with pytest.raises(ModelFileError, match="has the format 2, and this skasd reads 1"):
        skasd.load(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(machines=JSON, failures=JSON, end=st.integers(30, 100))
def test_any_list_gives_a_fleet_or_our_error(tmp_path, machines, failures, end):
    content = json.dumps({"format": 1, "machines": machines, "failures": failures})
    (tmp_path / "fleet.json").write_text(content[:end])
    try:
        loaded = skasd.load(tmp_path)
    except ModelFileError:
        pass
    else:
        assert list(loaded.detectors_) == sorted(set(machines))


KILLED_WHILE_SAVING = """
import os, signal, sys
import skasd

fleet = skasd.FleetDetector(skasd.FeatureDetector(0))
fleet.fit([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]] * 2, machine_label=["fan_id_00", "new"] * 2)

def save_and_die(folder, name, count):
    move, calls = getattr(os, name), []
    def die(*paths):
        calls.append(paths)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        move(*paths)
    setattr(os, name, die)
    skasd.save(fleet, folder)

for folder, name, count in zip(sys.argv[1:], ("replace", "replace", "rename"), (1, 2, 1)):
    child = os.fork()
    if not child:
        save_and_die(folder, name, count)
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""


@pytest.mark.posix
def test_killed_while_saving_leaves_the_former_fleet(tmp_path, fleet):
    folders = [tmp_path / f"plant {i}" for i in range(3)]
    for folder in folders:
        skasd.save(fleet, folder)
    process = run_script(KILLED_WHILE_SAVING, *folders)
    assert [int(status) for status in process.stdout.split()] == [signal.SIGKILL] * 3
    for folder in folders:
        np.testing.assert_array_equal(
            skasd.load(folder).score_samples(FEATURES, machine_label=MACHINE),
            fleet.score_samples(FEATURES, machine_label=MACHINE),
        )


def test_full_disk_leaves_the_former_fleet(folder, fleet, full_disk):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with full_disk(4000), pytest.raises(OSError, match="File too large"):
        skasd.save(fleet, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(folder.parent.iterdir()) == [folder]


def test_what_else_is_in_the_folder_stays(folder, fleet):
    (folder / "notes.txt").write_text("of the plant")
    skasd.save(fleet, folder)
    assert (folder / "notes.txt").read_text() == "of the plant"


def test_files_that_were_swapped_are_noticed(folder):
    one, other = folder / "fan_id_00.skasd", folder / "fan_id_02.skasd"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    loaded = skasd.load(folder)
    for machine in ("fan_id_00", "fan_id_02"):
        with pytest.raises(ModelFileError, match="is not the file that the fleet was saved with"):
            loaded.score_samples(FEATURES[:1], machine_label=[machine])


def test_list_without_digests_is_read(folder, fleet):
    """As skasd wrote it before there were any."""
    content = json.loads((folder / "fleet.json").read_text())
    del content["digests"]
    (folder / "fleet.json").write_text(json.dumps(content))
    np.testing.assert_array_equal(
        skasd.load(folder).score_samples(FEATURES, machine_label=MACHINE),
        fleet.score_samples(FEATURES, machine_label=MACHINE),
    )


def test_fleet_with_a_key(tmp_path, fleet):
    skasd.save(fleet, tmp_path / "fleet", key=b"of the plant")
    loaded = skasd.load(tmp_path / "fleet", key=b"of the plant")
    np.testing.assert_array_equal(
        loaded.score_samples(FEATURES, machine_label=MACHINE),
        fleet.score_samples(FEATURES, machine_label=MACHINE),
    )
    with pytest.raises(ModelFileError, match=r"fleet.json: was saved with another key"):
        skasd.load(tmp_path / "fleet", key="another")
    with pytest.raises(ModelFileError, match=r"fleet.json: was saved with a key, and none"):
        skasd.load(tmp_path / "fleet")
    skasd.save(loaded, tmp_path / "copy")
    assert list(skasd.load(tmp_path / "copy").detectors_) == list(fleet.detectors_)
    with pytest.raises(ModelFileError, match=r"fleet.json: was saved without a key"):
        skasd.load(tmp_path / "copy", key=b"of the plant")
    listed = json.loads((tmp_path / "fleet" / "fleet.json").read_text())
    listed["machines"].remove("fan_id_00")
    del listed["digests"]["fan_id_00"]
    (tmp_path / "fleet" / "fleet.json").write_text(json.dumps(listed))
    with pytest.raises(ModelFileError, match="or changed since"):
        skasd.load(tmp_path / "fleet", key=b"of the plant")


@pytest.mark.parametrize("label", ["fan\ud800", "f" * 300, "ä" * 100])
def test_labels_that_are_no_file_names(tmp_path, label):
    fleet = FleetDetector(FeatureDetector()).fit([[1.0], [2.0]], machine_label=[label] * 2)
    with pytest.raises(ValueError, match="can have no file: its label"):
        skasd.save(fleet, tmp_path / "fleet")
    assert not list(tmp_path.iterdir())
