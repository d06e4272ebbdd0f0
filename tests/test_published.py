"""The tables of the report, held as data, against the report itself."""

import re

import numpy as np
import pytest
from settings import make

from skasd import FeatureDetector, GaussianMixtureDetector, make_iaeo3, make_iaeo3_opt
from skasd.challenge._published import SYSTEMS, TABLE_2
from skasd.datasets import MACHINES
from skasd.systems._iaeo3 import TABLE_1

NAMES = {"Car": "ToyCar", "Conveyor": "ToyConveyor"}


def machine_of(name):
    return NAMES.get(name, name if name == "IAEO3" else name.lower())


@pytest.fixture(scope="module")
def report(shared):
    (text,) = (shared / "paper").glob("*.txt")
    return text.read_text()


@pytest.fixture(scope="module")
def table_1(report):
    """Read Table 1 into the words of make_iaeo3."""
    rows = re.findall(r"^(\w+)\t(\d+)\t(\d+)\t(\d+)\t(\d+)\t\[(.+)\]\t(\w+)$", report, re.MULTILINE)
    return {
        machine_of(name): {
            "n_fft": int(n_fft),
            "hop_length": int(hop_length),
            "n_mels": int(n_mels),
            "sample_rate": 1000 * int(khz),
            "encoder_units": tuple(map(int, units.split(","))),
            "openl3": openl3 == "yes",
        }
        for name, n_fft, hop_length, n_mels, khz, units, openl3 in rows
    }


def test_table_1(table_1):
    assert set(table_1) == {"IAEO3", *MACHINES}
    assert {name: dict(row) for name, row in TABLE_1.items()} == table_1


def test_table_2(report):
    number = r"(?:<b>)?([\d.]+), ([\d.]+)(?:</b>)?"
    rows = re.findall(rf"^([\w .]+)\t(\d?)\t{number}\t{number}\t{number}$", report, re.MULTILINE)
    expected, machine = {system: {} for system in SYSTEMS}, None
    for name, machine_id, *numbers in rows:
        if name == "Avg.":
            key = (machine, "Avg")
        elif name == "Total avg.":
            key = ("Total", "Avg")
        else:
            machine = machine_of(name)
            key = (machine, f"0{machine_id}")
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        for system, (auc, pauc) in zip(SYSTEMS, pairs, strict=True):
            expected[system][key] = (float(auc), float(pauc))
    assert len(expected["IAEO3"]) == 23 + 6 + 1
    assert {system: dict(column) for system, column in TABLE_2.items()} == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_iaeo3_opt_is_table_1(table_1, machine):
    detector = make_iaeo3_opt(machine)
    iae = detector.get_params()["estimator__features__iae"]
    settings = {**iae["spectrogram"].get_params(), **iae["autoencoder"].get_params()}
    expected = table_1[machine]
    openl3 = detector.get_params()["estimator__features__openl3"]
    assert {"openl3": openl3 != "drop", **settings}.items() >= expected.items()
    assert detector.n_repeats == 5
    assert detector.aggregation == "min"
    if machine == "valve":
        assert settings["statistics"] == ("max",)
        assert isinstance(detector.estimator["detector"], FeatureDetector)
    else:
        assert len(settings["statistics"]) == 5
        assert isinstance(detector.estimator["detector"], GaussianMixtureDetector)
        assert detector.estimator["detector"].n_components == 3


def test_settings_override_the_reports():
    parameters = make_iaeo3_opt(
        "valve", openl3=True, score="mixture", n_fft=2048, n_repeats=3, random_state=1
    ).get_params()
    assert parameters["estimator__features__openl3"] != "drop"
    assert isinstance(parameters["estimator__detector"], GaussianMixtureDetector)
    assert parameters["estimator__features__iae__spectrogram__n_fft"] == 2048
    assert parameters["n_repeats"] == 3
    with pytest.raises(ValueError, match="machine='gearbox': expected one of ToyCar"):
        make_iaeo3_opt("gearbox")
    with pytest.raises(
        TypeError,
        match=r"make_iaeo3 has no setting 'n_ffts'. It takes machine, openl3, .*, n_fft, ",
    ):
        make_iaeo3_opt("fan", n_ffts=512)


def test_largest_error_is_the_score():
    """For valves: no mixture between the error and the score."""
    rng = np.random.default_rng(0)
    clips = rng.normal(0, 0.1, size=(4, 8000))
    detector = make(
        make_iaeo3, machine="valve", n_mels=16, encoder_units=(8,), epochs=1, n_repeats=2
    )
    detector.set_params(random_state=0).fit(clips)
    largest = [
        [errors.max() for errors in iae["autoencoder"].reconstruction_error(spectrograms)]
        for member in detector.estimators_
        for iae in [dict(member["features"].transformer_list)["iae"]]
        for spectrograms in [iae["spectrogram"].transform(clips)]
    ]
    np.testing.assert_allclose(detector.anomaly_score(clips), np.min(largest, axis=0))
