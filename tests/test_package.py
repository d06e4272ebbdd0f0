import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skasd
from skasd import challenge, datasets, inspection, metrics, model_selection, monitoring, systems
from skasd.features._training.backend import configured_backend

ROOT = Path(__file__).parents[1]
# Python does not start without it on Windows.
WINDOWS = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
MODULES = (skasd, datasets, inspection, metrics, model_selection, monitoring, systems)
PUBLIC = [getattr(module, name) for module in MODULES for name in module.__all__]
PUBLIC = [public for public in PUBLIC if callable(public)] + [challenge.evaluate_dcase2020]


def run(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**WINDOWS, "PATH": "", **environment},
    ).stdout.strip()


def test_import_is_light():
    heavy = (
        "keras",
        "jax",
        "tensorflow",
        "torch",
        "ncnn",
        "matplotlib",
        "librosa",
        "pooch",
        "onnx",
        "onnxruntime",
    )
    all_of_it = "import sys, skasd; [getattr(skasd, name) for name in skasd.__all__]"
    assert run(f"{all_of_it}; print({{*{heavy}}} & set(sys.modules))") == "set()"


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_docstrings_have_an_example(public):
    documentation = inspect.getdoc(public)
    assert "\nExamples\n--------\n>>> " in documentation
    if inspect.signature(public).parameters:
        assert "\nParameters\n----------\n" in documentation


def test_keras_runs_on_jax_unless_told_otherwise(tmp_path, monkeypatch):
    """Keras itself writes a keras.json that names TensorFlow; only another name is a choice."""
    script = (
        "from skasd.features._training.backend import import_keras\n"
        "print(import_keras().backend.backend())"
    )
    assert run(script, KERAS_HOME=str(tmp_path)) == "jax"
    assert '"tensorflow"' in (tmp_path / "keras.json").read_text()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert configured_backend() is None
    (tmp_path / "keras.json").write_text('{"backend": "numpy"}')
    assert configured_backend() == "numpy"
    assert run(script, KERAS_HOME=str(tmp_path), KERAS_BACKEND="numpy") == "numpy"


def test_ci_runs_the_command_of_the_readme():
    ci = (ROOT / ".ci" / "run").read_text()
    (command,) = [line for line in ci.splitlines() if "-m pytest" in line]
    assert command.removesuffix(" || exit 1") in (ROOT / "README.md").read_text().splitlines()


def test_typed_marker_is_installed():
    assert (Path(skasd.__file__).parent / "py.typed").exists()
