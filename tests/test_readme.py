"""What the README and the examples print works, run in order with small networks and clips."""

import re
import runpy
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn.model_selection
import soundfile
from settings import make
from sklearn.model_selection import RandomizedSearchCV

import skasd
import skasd.datasets
from skasd.datasets import make_machine_sounds

ROOT = Path(__file__).parents[1]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
NEEDS_A_CLUSTER = "dask.distributed"
SMALL = {"epochs": 1, "n_repeats": 2, "encoder_units": (8, 4)}


@pytest.fixture
def small_settings(monkeypatch):
    """Let networks be small, synthetic clips short, and searches try two points."""

    def smaller(factory, **fixed):
        return lambda **settings: make(factory, **{**settings, **SMALL, **fixed})

    opt = smaller(skasd.make_iaeo3, openl3=False)
    monkeypatch.setattr(skasd, "make_iaeo3_opt", lambda machine: opt(machine=machine))
    for name in ("make_iaeo3", "make_iaeo3_plus", "make_baseline"):
        monkeypatch.setattr(skasd, name, smaller(getattr(skasd, name)))
    embedding = skasd.MachineIDEmbedding
    monkeypatch.setattr(
        skasd, "MachineIDEmbedding", lambda **settings: embedding((4, 8), epochs=1, **settings)
    )
    monkeypatch.setattr(
        sklearn.model_selection,
        "GridSearchCV",
        lambda detector, grid, **settings: RandomizedSearchCV(
            detector.set_params(cv=None), grid, n_iter=2, random_state=0, **settings
        ),
    )
    sounds = skasd.datasets.make_machine_sounds
    monkeypatch.setattr(
        skasd.datasets,
        "make_machine_sounds",
        lambda machine, **settings: sounds(machine, **{**settings, "duration": 1.0}),
    )


@pytest.mark.usefixtures("small_settings")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_snippets_of_the_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sounds, y = make_machine_sounds("fan", n_normal=16, n_anomalous=4, duration=1.0, random_state=0)
    Path("recordings/healthy").mkdir(parents=True)
    for i, sound in enumerate(sounds[:12]):
        soundfile.write(f"recordings/healthy/{i}.wav", sound, 16000)
    soundfile.write("new.wav", sounds[-1], 16000)
    given = {
        "clips": sounds,
        "y": y,
        "blocks": np.random.default_rng(0).normal(0, 0.03, size=(20, 48000)),
        "fleet": sounds[:12],
        "machine_ids": ["id_00", "id_02"] * 6,
        "samples": np.zeros((2, 160000), np.float32),
        "labels": ["fan_id_00", "pump_id_02"] * 10,
    }
    assert len(SNIPPETS) >= 7
    # In threads: what processes do is tested elsewhere, and each would compile the networks again.
    with joblib.parallel_config("threading"):
        for snippet in SNIPPETS:
            if NEEDS_A_CLUSTER not in snippet:  # tests/test_fleet_cluster.py starts one
                exec(compile(snippet, "README.md", "exec"), given)
    assert Path("machine.skasd").stat().st_size > 1000
    assert sorted(path.name for path in Path("plant").iterdir()) == [
        "fan_id_00.skasd",
        "fleet.json",
        "pump_id_02.skasd",
    ]
    # 20 s of sound at 48 kHz are four windows as long as the training clips, 1 s, 5 s apart.
    assert len(capsys.readouterr().out.splitlines()) == 4


EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.usefixtures("small_settings")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples(example, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out.strip()
