"""A user's script keeps its types, under mypy's strictest settings."""

import re

import pytest

SCRIPT = """
from pathlib import Path

import numpy as np

import skasd
from skasd import FleetDetector, GaussianMixtureDetector, Monitor, fit_clips, score_clips
from skasd.inspection import explain
from skasd.metrics import auc

healthy = sorted(Path("healthy").glob("*.wav"))
detector = skasd.make_iaeo3(openl3=False, random_state=0).fit(healthy)
reveal_type(detector)
reveal_type(detector.score_samples(healthy))
reveal_type(detector.predict(healthy))
reveal_type(GaussianMixtureDetector().fit(np.zeros((3, 2))))
skasd.save(detector, "fan.skasd")
loaded = skasd.load("fan.skasd")
reveal_type(loaded)
reveal_type(loaded.score_samples(healthy))
reveal_type(fit_clips(detector, healthy, on_error="skip"))
for result in score_clips(detector, healthy):
    reveal_type(result.anomaly_score)
for event in Monitor(detector).stream([np.zeros(16000)]):
    reveal_type(event.is_anomalous)
fleet = FleetDetector(detector).fit(healthy, machine_label=["fan_id_00"] * len(healthy))
reveal_type(fleet.predict(healthy, machine_label=["fan_id_00"] * len(healthy)))
reveal_type(str(explain(detector, healthy[0])))
reveal_type(auc([1, -1], detector.anomaly_score(healthy)))
"""

REVEALED = [
    "skasd.ensemble._repeated_seed_ensemble.RepeatedSeedEnsemble",
    "ndarray",
    "ndarray",
    "skasd.detection._gaussian_mixture_detector.GaussianMixtureDetector",
    "skasd._steps.Detector",
    "ndarray",
    "dict[str, str]",
    "float",
    "bool",
    "ndarray",
    "str",
    "float",
]


def test_script_of_a_user(tmp_path):
    mypy = pytest.importorskip("mypy.api", reason="mypy is in the extra 'tests'")
    (tmp_path / "script.py").write_text(SCRIPT)
    # scikit-learn, which the bases are of, has no types.
    options = ["--strict", "--allow-subclassing-any", "--cache-dir", str(tmp_path / "cache")]
    (tmp_path / "mypy.ini").write_text("[mypy]\n[mypy-skasd.*]\nfollow_imports = silent\n")
    said, complaints, _ = mypy.run(
        [*options, "--config-file", str(tmp_path / "mypy.ini"), str(tmp_path / "script.py")]
    )
    assert not complaints
    revealed = re.findall(r'Revealed type is "(?:builtins\.)?([^"]*)"', said)
    errors = [line for line in said.splitlines() if ": error:" in line]
    assert not errors
    for type_, expected in zip(revealed, REVEALED, strict=True):
        assert type_.removeprefix("numpy.").startswith(expected)
