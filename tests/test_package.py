import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import skasd
from skasd import _keras, datasets

ROOT = Path(__file__).parents[1]
PUBLIC = [getattr(module, name) for module in (skasd, datasets) for name in module.__all__]


def run(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", **environment},
    ).stdout.strip()


def test_import_is_light():
    heavy = ("keras", "jax", "tensorflow", "torch", "ncnn", "matplotlib", "librosa")
    assert run(f"import sys, skasd, skasd.datasets; print({{*{heavy}}} & set(sys.modules))") == (
        "set()"
    )


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_docstrings_have_an_example(public):
    documentation = inspect.getdoc(public)
    assert "\nExamples\n--------\n>>> " in documentation
    assert "\nParameters\n----------\n" in documentation


def test_keras_runs_on_jax_unless_told_otherwise(tmp_path):
    script = "from skasd._keras import import_keras as k; import os; print(k().backend.backend())"
    assert run(script, KERAS_HOME=str(tmp_path)) == "jax"
    assert (tmp_path / "keras.json").exists()
    assert run(script, KERAS_HOME=str(tmp_path)) == "jax"
    (tmp_path / "keras.json").write_text('{"backend": "numpy"}')
    assert _keras._configured_backend.__doc__
    with pytest.raises(subprocess.CalledProcessError):
        run(script, KERAS_HOME=str(tmp_path), KERAS_BACKEND="no such backend")


def test_ci_runs_the_command_of_the_readme():
    command = 'pip install -e ".[tests]" && pytest'
    assert command in (ROOT / "README.md").read_text()
    assert command in (ROOT / ".ci" / "run").read_text()


def test_typed_marker_is_installed():
    assert (Path(skasd.__file__).parent / "py.typed").exists()
    assert np.lib.NumpyVersion(skasd.__version__.replace("dev0", "0")) is not None
