import json

import numpy as np
import pytest
import soundfile
from processes import run_script
from results import assert_same_results, read_csv
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import skasd.challenge._evaluation
from skasd.challenge import EvaluationError, evaluate_dcase2020
from skasd.cli import app
from skasd.datasets import load_dcase2020, make_machine_sounds
from skasd.features import WeightsError
from skasd.systems import make_system

SMALL = {"n_fft": 512, "hop_length": 256, "n_mels": 16}
"""Settings that fit in no time."""

MACHINES = [("fan", "00"), ("fan", "02"), ("valve", "04")]


@pytest.fixture
def root(tmp_path):
    """Return a folder of three machines in the challenge's layout, eight clips to train on."""
    root = tmp_path / "dev_data"
    for seed, (machine, machine_id) in enumerate(MACHINES):
        sounds, y = make_machine_sounds(
            machine, n_normal=11, n_anomalous=3, duration=0.5, random_state=seed
        )
        for i, (sound, label) in enumerate(zip(sounds, y, strict=True)):
            name = f"{'normal' if label == 1 else 'anomaly'}_id_{machine_id}_{i:08}.wav"
            path = root / machine / ("train" if i < 8 else "test") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound, 16000)
    return root


@pytest.fixture
def fitted_keys(monkeypatch):
    """Return the machines that are fitted, as they are."""
    keys, run = [], skasd.challenge._evaluation.run_machine

    def recorded(task):
        keys.extend(task.keys)
        return run(task)

    monkeypatch.setattr(skasd.challenge._evaluation, "run_machine", recorded)
    return keys


def run(root, out, **parameters):
    return evaluate_dcase2020(root, out, "views", **{"settings": SMALL, **parameters})


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_are_the_challenges(root, tmp_path):
    evaluation = run(root, tmp_path / "out")
    assert evaluation.complete
    assert list(evaluation.results) == MACHINES
    result = ""
    for machine, machine_ids in (("fan", ["00", "02"]), ("valve", ["04"])):
        result += f"{machine}\nid,AUC,pAUC\n"
        figures = []
        for machine_id in machine_ids:
            train, test = (load_dcase2020(root, machine, machine_id, s) for s in ("train", "test"))
            detector = make_system("views", machine, **SMALL)
            detector.fit(train.paths)
            scores, decisions = detector.anomaly_score(test.paths), detector.predict(test.paths)
            written = read_csv(tmp_path / "out" / f"anomaly_score_{machine}_id_{machine_id}.csv")
            assert [name for name, _ in written] == list(test.names)
            # Clips that are scored one by one may differ in last bits.
            assert [float(score) for _, score in written] == pytest.approx(scores, rel=1e-12)
            file = tmp_path / "out" / f"decision_result_{machine}_id_{machine_id}.csv"
            assert file.read_text() == "".join(
                f"{n},{0 if d == 1 else 1}\n" for n, d in zip(test.names, decisions, strict=True)
            )
            auc = roc_auc_score(test.y == -1, scores)
            pauc = roc_auc_score(test.y == -1, scores, max_fpr=0.1)
            figures.append((float(auc), float(pauc)))
            result += f"{machine_id},{figures[-1][0]!r},{figures[-1][1]!r}\n"
            assert evaluation.results[machine, machine_id].scores["auc"] == auc
        average = np.mean(figures, axis=0).tolist()
        result += f"Average,{average[0]!r},{average[1]!r}\n\n"
    assert (tmp_path / "out" / "result.csv").read_text() == result


KILLED_AT_WRITE = """
import os, signal, sys
import skasd.challenge._machine_task as machine_task
from skasd.challenge import evaluate_dcase2020

write, writes = machine_task.write_text, iter(range({write}))

def write_or_die(path, text):
    if next(writes, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, text)

machine_task.write_text = write_or_die
evaluate_dcase2020({root!r}, {out!r}, "views", settings={settings!r})
"""


@pytest.mark.parametrize(("write", "finished"), [(2, 0), (4, 1)])
@pytest.mark.posix
def test_killed_and_started_again(root, tmp_path, fitted_keys, write, finished):
    """Killed before the record of the first machine, and amid the files of the second."""
    out = tmp_path / "out"
    script = KILLED_AT_WRITE.format(write=write, root=str(root), out=str(out), settings=SMALL)
    process = run_script(script)
    assert process.returncode == -9, process.stderr
    assert len(list((out / "finished").iterdir())) == finished
    run(root, out)
    assert fitted_keys == MACHINES[finished:]
    run(root, tmp_path / "uninterrupted")
    assert contents(out).keys() == contents(tmp_path / "uninterrupted").keys()
    assert len(contents(out)) == 3 * len(MACHINES) + 2
    # The first machine may have been fitted in the process that was killed.
    assert_same_results(out, tmp_path / "uninterrupted")


def test_nothing_is_computed_twice_or_reused_wrongly(root, tmp_path, fitted_keys):
    out = tmp_path / "out"
    run(root, out, machines=["fan"])
    assert fitted_keys == MACHINES[:2]
    before = contents(out)

    with pytest.raises(
        EvaluationError, match=r"settings was .*'n_mels': 16.*, but is now .*'n_mels': 8"
    ):
        run(root, out, settings={**SMALL, "n_mels": 8})
    with pytest.raises(EvaluationError, match="random_state was 0, but is now 1"):
        run(root, out, random_state=1)
    assert contents(out) == before

    fitted_keys.clear()
    new_clip = root / "fan" / "train" / "normal_id_02_00000099.wav"
    soundfile.write(new_clip, np.random.default_rng(0).normal(0, 0.1, 8000), 16000)
    run(root, out)
    assert fitted_keys == MACHINES[1:]

    fitted_keys.clear()
    run(root, out, random_state=1, machines=["valve"], overwrite=True)
    assert fitted_keys == MACHINES[2:]
    assert not list(out.glob("*fan*"))


def test_unreadable_clips_are_listed_and_never_scored(root, tmp_path):
    broken = root / "fan" / "test" / "anomaly_id_00_00000099.wav"
    broken.write_bytes(b"no sound" * 100)
    short = root / "fan" / "train" / "normal_id_00_00000098.wav"
    soundfile.write(short, np.zeros(100), 16000)
    out = tmp_path / "out"
    arguments = ["evaluate", str(root), "--out", str(out), "--system", "views", "--ids", "0,4"]
    arguments += [f"--set={name}={json.dumps(value)}" for name, value in SMALL.items()]
    for _ in range(2):
        shown = CliRunner().invoke(app, arguments)
        assert shown.exit_code == 3
        assert f"fan id_00: left out {broken}: cannot be read" in shown.stderr
        assert f"fan id_00: left out {short}: is too short: 100 samples" in shown.stderr
        assert broken.name not in (out / "anomaly_score_fan_id_00.csv").read_text()
        assert "65.5 / 53.9" in shown.stdout
        assert "all ids" in shown.stdout


def test_what_cannot_be_evaluated_is_said(root, tmp_path):
    for path in (root / "valve" / "train").iterdir():
        path.unlink()
    (root / "valve" / "train").rmdir()
    for path in (root / "fan" / "test").glob("anomaly_id_02*"):
        path.unlink()
    for path in (root / "fan" / "test").glob("*_id_00*"):
        path.write_bytes(b"")
    evaluation = run(root, tmp_path / "out")
    assert not evaluation.results
    assert not evaluation.complete
    reasons = evaluation.not_evaluated
    assert "there is no folder train" in reasons["valve", "04"]
    assert "fan_id_00: none of its test clips can be read" in reasons["fan", "00"]
    assert "Its clips are scored, but" in reasons["fan", "02"]
    assert "no anomalous" in reasons["fan", "02"]


def test_too_few_clips_for_the_system_is_said(root, tmp_path):
    settings = {
        "n_mels": 16,
        "epochs": 2,
        "openl3": False,
        "n_repeats": 1,
        "estimator__detector__n_components": 9,
    }
    evaluation = evaluate_dcase2020(root, tmp_path / "out", settings=settings, machines=["valve"])
    assert "n_components=9" in evaluation.not_evaluated["valve", "04"]
    assert not list((tmp_path / "out").glob("*.csv"))


def test_evaluation_set_has_no_labels(root, tmp_path):
    for path in (root / "fan" / "test").iterdir():
        path.rename(path.with_name(path.name.split("_", 1)[1]))
    evaluation = run(root, tmp_path / "out", machines=["fan"], machine_ids=["02"])
    assert evaluation.results["fan", "02"].scores is None
    assert evaluation.complete
    names = [
        line.split(",")[0] for line in (tmp_path / "out" / "anomaly_score_fan_id_02.csv").open()
    ]
    assert names == [f"id_02_{i:08}.wav" for i in range(8, 14)]
    assert not (tmp_path / "out" / "result.csv").exists()


def test_machines_in_parallel(root, tmp_path):
    alone, together = (run(root, tmp_path / str(n_jobs), n_jobs=n_jobs) for n_jobs in (None, 2))
    assert together.complete
    for key, result in alone.results.items():
        assert together.results[key].scores["auc"] == pytest.approx(result.scores["auc"])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        (
            {"system": "iaeo4"},
            ValueError,
            "system='iaeo4': expected one of views, iaeo3, iaeo3-opt",
        ),
        ({"settings": {"epoch": 3}}, ValueError, "do not fit system='iaeo3'.*'epoch'"),
        ({"machines": ["gearbox"]}, EvaluationError, r"machines=\['gearbox'\]: DCASE 2020 has"),
        ({"machine_ids": ["00", "7"]}, EvaluationError, r"machine_ids=\['07'\]: fan, valve in"),
        ({"settings": {"n_fft": 1}}, ValueError, "n_fft"),
        ({"settings": {"weights": "nowhere.h5"}}, WeightsError, "there is no such file"),
    ],
)
def test_wrong_arguments(root, tmp_path, parameters, error, message):
    with pytest.raises(error, match=message):
        evaluate_dcase2020(root, tmp_path / "out", **parameters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--system", "iaeo4"], "system='iaeo4'"),
        (["--set", "epochs"], "--set epochs: expected NAME=VALUE"),
        (["--machines", "fan,gearbox"], "gearbox"),
    ],
)
def test_wrong_usage(root, tmp_path, arguments, message):
    shown = CliRunner().invoke(app, ["evaluate", str(root), "--out", str(tmp_path), *arguments])
    assert shown.exit_code == 2
    assert message in shown.stderr


def test_folder_that_cannot_hold_results(root, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EvaluationError, match="cannot hold the results"):
        run(root, tmp_path / "file" / "out")


def test_version():
    assert CliRunner().invoke(app, ["--version"]).stdout.strip() == skasd.__version__
