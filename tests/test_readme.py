"""What the README, the guide and the examples print works, with small networks and clips."""

import json
import re
import runpy
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn.model_selection
import soundfile
from networks import spectrum_embedding
from settings import make
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import RandomizedSearchCV

import skasd
import skasd.datasets
from skasd.datasets import make_machine_sounds
from skasd.model_selection import NormalKFold

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "docs" / "get_started.md"]
PAGES += sorted((ROOT / "docs" / "guide").glob("*.md"))
SNIPPETS = {
    page.stem: re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    for page in PAGES
}
NEEDS_A_CLUSTER = "dask.distributed"
SMALL = {"epochs": 1, "n_repeats": 1, "encoder_units": (8,)}


@pytest.fixture
def small_settings(monkeypatch):
    """Let networks be small, synthetic clips short, and searches try two points in two folds."""

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
    fitted = FrozenEstimator(spectrum_embedding(8192))
    monkeypatch.setattr(skasd, "SpectrumEmbedding", lambda **_: fitted)

    def search(detector, grid, cv, **settings):
        (grid, *_) = grid if isinstance(grid, list) else [grid]
        grid = {
            name: [SMALL["encoder_units"]] if name.endswith("encoder_units") else values
            for name, values in grid.items()
        }
        cv = NormalKFold(2, random_state=0)
        detector.set_params(cv=None)
        return RandomizedSearchCV(detector, grid, n_iter=2, random_state=0, cv=cv, **settings)

    monkeypatch.setattr(sklearn.model_selection, "GridSearchCV", search)
    sounds = skasd.datasets.make_machine_sounds
    monkeypatch.setattr(
        skasd.datasets,
        "make_machine_sounds",
        lambda machine, **settings: sounds(machine, **{**settings, "duration": 1.0}),
    )


@pytest.mark.usefixtures("small_settings")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("page", [name for name, snippets in SNIPPETS.items() if snippets])
def test_snippets(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sounds, y = make_machine_sounds("fan", n_normal=24, n_anomalous=4, duration=1.0, random_state=0)
    Path("recordings/healthy").mkdir(parents=True)
    for i, sound in enumerate(sounds[:12]):
        soundfile.write(f"recordings/healthy/{i}.wav", sound, 16000)
    soundfile.write("new.wav", sounds[-1], 16000)
    given = {
        "healthy": sounds[:12],
        "clips": sounds,
        "y": y,
        "blocks": np.random.default_rng(0).normal(0, 0.03, size=(20, 48000)),
        "fleet": sounds[:12],
        "machine_ids": ["id_00", "id_02"] * 6,
        "samples": np.zeros((2, 160000), np.float32),
        "labels": ["fan_id_00", "pump_id_02"] * 14,
    }
    # In threads: what processes do is tested elsewhere, and each would compile the networks again.
    with joblib.parallel_config("threading"):
        for snippet in SNIPPETS[page]:
            if NEEDS_A_CLUSTER not in snippet:  # tests/test_fleet_cluster.py starts one
                exec(compile(snippet, page, "exec"), given)
    if page == "README":
        assert Path("machine.skasd").stat().st_size > 1000
        assert "anomalous (score" in capsys.readouterr().out
    if page == "fleets":
        files = sorted(path.name for path in Path("plant").iterdir())
        assert files == ["fan_id_00.skasd", "fleet.json", "pump_id_02.skasd"]
    if page == "monitoring":
        # 20 s of sound at 48 kHz are four windows as long as the training clips, 1 s, 5 s apart.
        assert len(capsys.readouterr().out.splitlines()) == 4


def test_most_pages_have_snippets():
    assert sum(bool(snippets) for snippets in SNIPPETS.values()) >= 8


EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.usefixtures("small_settings")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples(example, monkeypatch, capsys):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    monkeypatch.setattr("sys.argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    pyplot.close("all")
    assert capsys.readouterr().out.strip()


def test_the_readme_is_one_page():
    assert len(README.splitlines()) <= 150


def benchmark(name):
    return json.loads((ROOT / "benchmarks" / f"{name}.json").read_text("utf-8"))


def quality(system, machine):
    """Return "AUC / pAUC" of a system, means over the splits."""
    auc, pauc = np.mean(list(benchmark("quality")[system][f"car {machine}"].values()), axis=0)
    return f"{auc:.3f} / {pauc:.3f}"


def percent(system, figure):
    """Return "a and b %": means over the splits of both cars."""
    cars = benchmark("verdicts")[system]
    digits = 1 if figure.startswith("false") else 0
    means = [
        100 * np.mean([split[figure] for split in cars[car].values()]) for car in ("id_01", "id_02")
    ]
    return " and ".join(f"{mean:.{digits}f}" for mean in means) + " %"


@pytest.mark.parametrize(("system", "column"), [("views", 2), ("knn", 3)])
def test_accuracy_in_the_readme(system, column):
    (line,) = [line for line in README.splitlines() if line.startswith("| **Accuracy**")]
    assert f"{quality(system, 'id_01')} and {quality(system, 'id_02')}" in line.split("|")[column]


@pytest.mark.parametrize(("system", "column"), [("views", 2), ("knn", 3)])
def test_false_alarms_in_the_readme(system, column):
    (line,) = [line for line in README.splitlines() if line.startswith("| **False alarms**")]
    figures = f"{percent(system, 'false 0.1')}; {percent(system, 'found 0.1')}"
    assert figures in line.split("|")[column]


@pytest.mark.parametrize(("system", "column"), [("make_views_detector", 2), ("PyOD's AudioAE", 3)])
def test_speed_in_the_readme(system, column):
    (line,) = [line for line in README.splitlines() if line.startswith("| **Speed**")]
    values = {row["what"]: row["value"] for row in benchmark("peers")["rows"]}
    # Scoring is in seconds of sound a second, and the clips have ten of them.
    milliseconds = 10_000 / values[f"scoring, {system}"]
    figures = f"{values[f'fit, {system}']:.1f} s, and {milliseconds:.0f} ms"
    assert figures in line.split("|")[column]
