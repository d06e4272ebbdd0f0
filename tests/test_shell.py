"""What a shell sees: exit codes, lines, files that are kept."""

import csv
import io
import json
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import typer
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM
from typer.testing import CliRunner

import skasd
from skasd import FeatureDetector, LogMelSpectrogram, TimeWeightedPooling
from skasd.cli import app
from skasd.cli._app import NOBODY_READS, SUMMARIES
from skasd.cli._options import parse_settings
from skasd.exceptions import ModelFileError
from skasd.systems import make_system

CLIPS = np.random.default_rng(0).uniform(-0.5, 0.5, size=(13, 12000))
ODD_NAMES = [
    b"new\nline.wav",
    b"tab\there.wav",
    b"escape\x1b[31mred.wav",
    b"no utf-8 \xff\xfe.wav",
    "right to \u202eleft.wav".encode(),
    b"-dash.wav",
    b"[bold]markup[red].wav",
    b'quote"comma,.wav',
    "Lüfter \u98a8.wav".encode(),
]


def run(*arguments, **more):
    return CliRunner().invoke(app, [os.fspath(argument) for argument in arguments], **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with 12 clips, a loud one, and a model of the 12."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "healthy").mkdir()
    for i, clip in enumerate(CLIPS[:12]):
        soundfile.write(folder / "healthy" / f"{i:02}.wav", clip / 4, 16000)
    soundfile.write(folder / "odd.wav", CLIPS[12], 16000)
    clips = sorted((folder / "healthy").iterdir())
    detector = skasd.make_views_detector(n_mels=16, contamination=0.2)
    skasd.save(detector.fit(clips), folder / "fan.skasd")
    return folder


@pytest.fixture
def model(folder):
    return folder / "fan.skasd"


@pytest.fixture
def odd_names(folder, tmp_path):
    """Return paths with names that a system allows and a terminal does not like."""
    sound = (folder / "odd.wav").read_bytes()
    paths = [tmp_path / os.fsdecode(name) for name in ODD_NAMES]
    try:
        for path in paths:
            path.write_bytes(sound)
    except OSError as error:
        pytest.skip(f"this file system does not allow them: {error}")
    return sorted(paths, key=str)


@pytest.mark.posix
def test_any_name_is_scored_and_printed(model, odd_names, tmp_path):
    (tmp_path / "unread\n\udcfa.wav").write_bytes(b"no sound")
    shown = run("score", model, tmp_path)
    assert shown.exit_code == 3
    lines = shown.stdout.splitlines()
    assert len(lines) == len(odd_names) + 1
    assert all(len(line.split("\t")) == 4 for line in lines)
    assert all(line.isprintable() for line in "".join(lines).split("\t"))
    assert f"{tmp_path}/no utf-8 \\xff\\xfe.wav\t" in shown.stdout
    assert f"{tmp_path}/right to \\u202eleft.wav\t" in shown.stdout
    assert f"{tmp_path}/Lüfter \u98a8.wav\t" in shown.stdout
    assert shown.stderr.startswith(f"not scored: {tmp_path}/unread\\n\\xfa.wav: cannot be read")
    objects = map(json.loads, run("score", model, tmp_path, "--json").stdout.splitlines())
    names = [each["clip"] for each in objects if each["error"] is None]
    assert names == [str(path) for path in odd_names]
    table = run("score", model, *odd_names, "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    exact = [str(path).replace("\udcff\udcfe", "\\xff\\xfe") for path in odd_names]
    assert [row["clip"] for row in rows] == exact


@pytest.mark.posix
def test_any_name_in_other_commands(folder, model, odd_names, tmp_path):
    out = tmp_path / os.fsdecode(b"out\n\xff.skasd")
    shown = run("fit", folder / "healthy", *odd_names, "-o", out, "--set=n_mels=16")
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.startswith(f"{tmp_path}/out\\n\\xff.skasd: fitted on 21 clips")
    assert len(shown.stdout.splitlines()) == 1
    bad = next(path for path in odd_names if "utf-8" in path.name)
    shown = run("explain", model, bad, "-o", tmp_path / "odd.png")
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.startswith(f"{tmp_path}/no utf-8 \\xff\\xfe.wav: anomalous")
    shown = run("monitor", model, tmp_path, "--once", "--poll=0.01")
    assert shown.exit_code == 0, shown.stderr
    names = {json.loads(line)["clip"]["name"] for line in shown.stdout.splitlines()}
    assert names == {path.name for path in odd_names}
    assert run("calibrate", model, *odd_names, "-o", out, "--add").exit_code == 0


@pytest.mark.posix
def test_terminal_of_few_characters(model, odd_names, monkeypatch):
    """An encoding that lacks a character is no error."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    clip = odd_names[0].with_name("Lüfter \u98a8.wav")
    app(["score", str(model), str(clip)], standalone_mode=False)
    sys.stdout.flush()
    assert b"L\xfcfter \\u98a8.wav\t" in sys.stdout.buffer.getvalue()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("False", False),
        ("false", False),
        ("True", True),
        ("None", None),
        ("null", None),
        ("5", 5),
        ("0.5", 0.5),
        ("[8, 4]", [8, 4]),
        ("(8, 4)", (8, 4)),
        ("'mean'", "mean"),
        ("mean", "mean"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_values_as_python_writes_them(text, value):
    assert parse_settings([f"name={text}"]) == {"name": value}


@pytest.mark.parametrize("name", SUMMARIES)
def test_summary_is_the_first_line_of_help(name):
    command = typer.main.get_command(app).get_command(None, name)
    assert " ".join(command.help.partition("\n\n")[0].split()) == SUMMARIES[name]


def test_help_imports_no_command():
    script = "import sys; from skasd.cli import app; app(['--help'], standalone_mode=False); "
    script += "assert not sys.modules.keys() & {'numpy', 'sklearn', 'skasd.cli._score'}"
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_openl3_is_switched_off():
    for text in ("openl3=false", "openl3=False"):
        detector = make_system("iaeo3", None, **parse_settings([text]))
        assert detector.get_params()["estimator__features__openl3"] == "drop"


@pytest.mark.parametrize(
    ("system", "setting", "message"),
    [
        ("iaeo3", "openl3=maybe", "openl3='maybe': expected true or false, or null."),
        ("baseline", "epochs=five", "epochs='five': expected a whole number."),
        ("baseline", "epochs=true", "epochs=True: expected a whole number."),
        ("baseline", "epochs=2.5", "epochs=2.5: expected a whole number."),
        ("baseline", "epochs=0", "'epochs' parameter of FrameAutoencoder must be an int in the ra"),
        ("baseline", "contamination=0.9", "'contamination' parameter of RepeatedSeedEnsemble"),
        ("baseline", "estimator__autoencoder__epochs=x", "'epochs' parameter of FrameAutoencoder"),
        ("baseline", "estimator__autoencoder=off", "a step can only become 'drop' or 'passthr"),
        ("baseline", "estimator__steps=[]", "a step can only become"),
        ("baseline", "estimator__epoch=5", "no parameter 'estimator__epoch'"),
        ("views", "n_fft=None", "n_fft=None: expected a whole number."),
        ("views", "channel=left", "'channel' parameter of LogMelSpectrogram"),
        ("views", "input=spectrograms", "takes no recordings"),
        ("views", "epochs=3", "has no setting 'epochs'"),
        ("views", "epochs", "--set epochs: expected NAME=VALUE."),
        ("views", "=3", "--set =3: expected NAME=VALUE."),
        ("views", "machine=fan", "pass --machine fan."),
        ("views", "name=fan", "multiple values for argument 'name'"),
        ("none", "a=b", "expected one of views, iaeo3"),
    ],
)
def test_settings_are_checked_before_anything_is_read(tmp_path, system, setting, message):
    shown = run(
        "fit", tmp_path / "no.wav", "-o", tmp_path / "m", f"--system={system}", "--set", setting
    )
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_settings_are_listed(tmp_path):
    """Each line is what --set takes."""
    for system in ("views", "iaeo3", "iaeo3-opt", "iaeo3-plus", "iae", "baseline"):
        shown = run("fit", "--settings", "--system", system, "--machine=fan")
        assert shown.exit_code == 0, shown.stderr
        lines = shown.stdout.splitlines()
        names = [line.partition("=")[0] for line in lines]
        assert "n_fft" in names
        assert any("__n_mels" in name for name in names)
        settings = parse_settings(line for line in lines if not line.startswith("machine="))
        make_system(system, "fan", **settings)
    assert run("fit", "--settings", "--system", "none").exit_code == 2
    assert "ToyCar" in run("fit", "--settings", "--system", "iaeo3-opt").stderr


@pytest.mark.parametrize("missing", ["HEALTHY", "--out"])
def test_fit_needs_clips_and_a_place(folder, missing):
    shown = run("fit", *([folder] if missing == "--out" else ["-o", folder / "m.skasd"]))
    assert shown.exit_code == 2
    assert missing in shown.stderr


@pytest.mark.parametrize("command", ["fit", "calibrate"])
def test_nothing_but_a_model_is_overwritten(folder, model, tmp_path, command):
    keep, new = tmp_path / "keep.txt", tmp_path / "new.wav"
    keep.write_text("Do not lose this.")
    line = [command, *([model] if command == "calibrate" else []), folder / "healthy"]
    more = ["--add"] if command == "calibrate" else ["--set=n_mels=16"]
    named = "has the name of a recording, and is not a model"
    for out, message in ((keep, "exists, and is not a model"), (new, named)):
        shown = run(*line, "-o", out, *more)
        assert shown.exit_code == 2
        assert message in shown.stderr
        assert "--force" in shown.stderr
    assert keep.read_text() == "Do not lose this."
    assert not new.exists()
    empty = tmp_path / "empty"
    empty.touch()
    for place in ([keep, "--force"], [new, "--force"], [empty], [empty]):
        assert run(*line, *more, "-o", *place).exit_code == 0
    assert skasd.load(keep)


WITH_MODELS = {
    "calibrate": ["fan.skasd", "healthy", "--add", "-o", "new.skasd"],
    "explain": ["fan.skasd", "odd.wav"],
    "fit": ["healthy", "-o", "new.skasd", "--set=n_mels=16"],
    "info": ["fan.skasd"],
    "monitor": ["fan.skasd", "healthy", "--once", "--poll=0.01"],
    "report": ["fan.skasd", "odd.wav", "-o", "page.html", "--explain=0"],
    "score": ["fan.skasd", "odd.wav", "--html=page.html"],
}


@pytest.fixture
def plant(folder, tmp_path, monkeypatch):
    """Return a folder with clips, two keys, and a model that was saved with one of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("healthy", "odd.wav"):
        os.symlink(folder / name, name)
    for name in ("plant.key", "other.key"):
        (tmp_path / name).write_bytes(name.encode() + b"\0\n")
    detector = skasd.load(folder / "fan.skasd")
    skasd.save(detector, "fan.skasd", key=b"plant.key\0\n")
    return tmp_path


def test_commands_that_take_a_model_take_a_key():
    commands = typer.main.get_command(app).commands.items()
    options = {name: {each.name for each in command.params} for name, command in commands}
    assert {name for name in options if "model" in options[name]} == {*WITH_MODELS} - {"fit"}
    assert {name for name in options if "key" in options[name]} == {*WITH_MODELS}


@pytest.mark.posix
@pytest.mark.parametrize("command", WITH_MODELS)
def test_key_of_models(plant, command):
    line = [command, *WITH_MODELS[command]]
    for more, variables in (
        (["--key", "plant.key"], {}),
        ([], {"SKASD_MODEL_KEY_FILE": "plant.key"}),
        (["--key", "plant.key"], {"SKASD_MODEL_KEY_FILE": "other.key"}),
    ):
        shown = run(*line, *more, env=variables)
        assert shown.exit_code == 0, shown.stderr
        if "new.skasd" in line:
            assert skasd.load("new.skasd", key=(plant / "plant.key").read_bytes())
            with pytest.raises(ModelFileError, match="was saved with a key, and none is given"):
                skasd.load("new.skasd")
            os.remove("new.skasd")
    if command != "fit":
        shown = run(*line, "--key", "other.key")
        assert shown.exit_code == 2
        assert "fan.skasd: was saved with another key" in shown.stderr
        shown = run(*line)
        assert shown.exit_code == (0 if command == "info" else 2)
    assert not (plant / "new.skasd").exists()


def test_model_without_a_key_is_refused_with_one(folder, model, tmp_path):
    (tmp_path / "plant.key").write_text("secret")
    shown = run("score", model, folder / "odd.wav", "--key", tmp_path / "plant.key")
    assert shown.exit_code == 2
    assert "was saved without a key" in shown.stderr
    assert not shown.stdout


@pytest.mark.parametrize(("content", "problem"), [(None, "No such file"), (b"", "key is empty")])
def test_key_that_is_none(model, folder, tmp_path, content, problem):
    if content is not None:
        (tmp_path / "k").write_bytes(content)
    shown = run("score", model, folder / "odd.wav", "--key", tmp_path / "k", env={"COLUMNS": "500"})
    assert shown.exit_code == 2
    assert problem in shown.stderr
    assert "--key" in shown.stderr


@pytest.mark.posix
def test_places_are_tried_before_anything_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for out, message in {
        tmp_path: "is a folder",
        tmp_path / "none" / "m": "There is no folder",
        tmp_path / "file" / "m": "There is no folder",
        tmp_path / "pipe": "is not a regular file",
        tmp_path / ("m" * 300): "File name too long",
    }.items():
        for force in ([], ["--force"]):
            shown = run("fit", tmp_path / "no.wav", "-o", out, *force)
            assert shown.exit_code == 2
            assert message in shown.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pipe"]


def test_pictures_have_a_place_of_their_own(folder, model, tmp_path):
    odd = folder / "odd.wav"
    (tmp_path / "notes").write_text("Do not lose this.")
    for out, message in {
        odd: "expected .png, .pdf or .svg",
        tmp_path / "notes": "exists, and is not a picture",
        tmp_path / "none" / "odd.png": "There is no folder",
    }.items():
        shown = run("explain", model, odd, "-o", out)
        assert shown.exit_code == 2
        assert message in shown.stderr
        assert shown.stdout == ""
    for place in (["odd.PNG"], ["odd.PNG"], ["notes", "--force"]):
        assert run("explain", model, odd, "-o", tmp_path / place[0], *place[1:]).exit_code == 0


def test_anomaly_goes_before_a_report_that_cannot_be(folder, model):
    odd = folder / "odd.wav"
    shown = run("score", model, odd, "--fail-on-anomaly", "--report")
    assert shown.exit_code == 1
    assert "A report needs 5 clips" in shown.stderr
    assert "\tanomalous\t" in shown.stdout
    assert run("score", model, odd, "--report").exit_code == 2
    healthy = sorted((folder / "healthy").iterdir())
    assert run("score", model, healthy[-1], "--fail-on-anomaly", "--report").exit_code == 2
    assert run("score", model, *healthy, odd, "--fail-on-anomaly", "--report").exit_code == 1
    assert run("score", model, folder / "none.wav", odd, "--fail-on-anomaly").exit_code == 1
    assert run("score", model, folder / "none.wav", odd).exit_code == 3


@pytest.mark.parametrize("command", ["fit", "score", "evaluate"])
@pytest.mark.parametrize(("jobs", "exit_code"), [("0", 2), ("many", 2)])
def test_jobs(folder, model, command, jobs, exit_code):
    line = {"fit": ["-o", folder / "m"], "score": [model], "evaluate": ["--out", folder / "out"]}
    shown = run(command, *line[command], folder, "--jobs", jobs)
    assert shown.exit_code == exit_code
    assert "--jobs" in shown.stderr
    assert run("score", model, folder / "odd.wav", "--jobs=-1").exit_code == 0


def test_info_fits_a_screen(folder, tmp_path):
    detector = make_system("iaeo3-plus", None, epochs=1, n_repeats=1, cv=None, n_mels=16)
    names = [name for name in detector.get_params() if name.endswith("encoder_units")]
    detector.set_params(**dict.fromkeys(names, (4,)))
    skasd.save(detector.fit(CLIPS), tmp_path / "plus.skasd")
    lines = run("info", tmp_path / "plus.skasd").stdout.splitlines()
    assert len(lines) < 24
    rows = dict(line.split("  ", 1) for line in lines)
    assert rows["trained on"].strip().startswith("13 clips of")
    assert rows["saved"].strip().startswith("20")
    assert rows["threshold"].endswith(": 1 healthy clip in 10 sounds this odd")
    shown = run("info", tmp_path / "plus.skasd", "--all").stdout
    assert "…" not in shown
    settings = json.loads(run("info", tmp_path / "plus.skasd", "--json").stdout)["settings"]
    shown_names = {line.split("  ", 1)[0] for line in shown.splitlines()}
    assert settings.keys() <= shown_names
    assert "1 healthy clip in 5" in run("info", folder / "fan.skasd").stdout


def test_anomalies_beside_healthy_clips(folder, model, tmp_path):
    for i, path in enumerate(sorted((folder / "healthy").iterdir())):
        place = tmp_path / ("test/anomaly_id_00" if i == 11 else "train/normal_id_00")
        place.parent.mkdir(exist_ok=True)
        place.with_name(f"{place.name}_{i}.wav").write_bytes(path.read_bytes())
    fit = ["fit", tmp_path, "-o", tmp_path / "m.skasd", "--set=n_mels=16"]
    for line in (fit, ["calibrate", model, tmp_path, "-o", tmp_path / "m.skasd", "--add"]):
        shown = run(*line)
        assert shown.exit_code == 2
        assert "1 of 12 clips" in shown.stderr
        assert "anomaly_id_00_11.wav" in shown.stderr
        assert not (tmp_path / "m.skasd").exists()
    shown = run(*fit, "--all")
    assert shown.exit_code == 0, shown.stderr
    assert "fitted on 12 clips" in shown.stdout


@pytest.mark.posix
def test_links_and_pipes(folder, model, tmp_path):
    (tmp_path / "annexed.wav").symlink_to("/nowhere/annexed.wav")
    (tmp_path / "linked").symlink_to(folder / "healthy")
    (tmp_path / "._00.wav").write_bytes(b"\0\5\x16\7" + bytes(200))
    shown = run("score", model, tmp_path)
    assert shown.exit_code == 3
    assert shown.stdout.count("/linked/") == 12
    assert shown.stderr.startswith(f"not scored: {tmp_path}/annexed.wav: does not exist")
    assert len(shown.stderr.splitlines()) == 1
    shown = run("monitor", model, tmp_path, "--once", "--poll=0.01")
    assert shown.exit_code == 3
    assert len(shown.stdout.splitlines()) == 1
    assert "annexed.wav: does not exist" in shown.stderr
    os.mkfifo(tmp_path / "pipe.wav")
    shown = run("score", model, tmp_path / "pipe.wav")
    assert shown.exit_code == 3
    assert "is not a regular file" in shown.stderr


def wav(samples, rate):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def test_monitor_says_what_rate_it_assumes(folder, tmp_path):
    """Raw PCM says nothing of its rate, and the model was trained on another than 16 kHz."""
    for i, clip in enumerate(CLIPS[:9]):
        (tmp_path / f"{i}.wav").write_bytes(wav(np.tile(clip, 4)[:, np.newaxis], 48000))
    model = tmp_path / "fast.skasd"
    assert run("fit", tmp_path, "-o", model, "--set=n_mels=16").exit_code == 0
    content = wav(np.tile(CLIPS[0], 12)[:, np.newaxis], 48000)[44:]
    line = ("monitor", model, "-")
    said = "taken to be at 16000 Hz, and the model was trained at 48000 Hz"
    assert said in run(*line, input=content).stderr
    assert said not in run(*line, "--rate=48000", input=content).stderr


def test_monitor_reads_a_header(folder, model, tmp_path):
    """The same events as of the same file, and of its samples as raw PCM."""
    sound = np.repeat(CLIPS[:6].ravel()[:, np.newaxis], 2, axis=1)
    content = wav(sound, 44100)
    said = "standard input is WAV, by its RIFF header: 44100 Hz, channels: 2, s16le"
    (tmp_path / "night.wav").write_bytes(content)
    line = ("monitor", model, "--clip-seconds=0.75")
    expected = run(*line, tmp_path / "night.wav").stdout
    assert expected.count("\n") == 2
    shown = run(*line, "-", input=content)
    assert shown.stdout == expected
    assert shown.stderr.splitlines() == [said]
    raw = ("--rate=44100", "--channels=2", "--format=S16_LE")
    assert run(*line, "-", *raw, input=content[44:]).stdout == expected
    assert "taken to be at 16000 Hz" not in run(*line, "-", *raw, input=content[44:]).stderr
    shown = run(*line, "-", input=content[:-1000])
    assert shown.exit_code == 3
    assert "is truncated" in shown.stderr
    for arguments, stdin, message in (
        (["--rate=48000"], content, "the sample rate 44100, and 48000 was asked for"),
        ([], b"fLaC" + bytes(100), "is FLAC, and only WAV and raw PCM"),
        ([], content[:30], "WAV header of standard input"),
    ):
        shown = run(*line, "-", *arguments, input=stdin)
        assert shown.exit_code == 2
        assert message in shown.stderr


@pytest.mark.posix
def test_nobody_reads(folder, model):
    """As `head` does: it closes its input. The exit code is the one of SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "skasd", "score", model, *[folder / "odd.wav"] * 50],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert process.returncode == NOBODY_READS == 128 + signal.SIGPIPE
    assert process.stderr == b""


def closed(*arguments, **more):
    raise BrokenPipeError


def test_nobody_reads_in_any_command(folder, model, tmp_path, monkeypatch):
    lines = (
        ("fit", folder / "healthy", "-o", tmp_path / "m.skasd", "--set=n_mels=16"),
        ("calibrate", model, folder / "healthy", "-o", tmp_path / "m.skasd", "--add"),
        ("explain", model, folder / "odd.wav"),
        ("score", model, folder / "odd.wav", "--csv"),
        ("info", model, "--json"),
        ("monitor", model, folder / "odd.wav", "--clip-seconds=0.75"),
    )
    monkeypatch.setattr("typer.echo", closed)
    monkeypatch.setattr("skasd.cli._app._drop_output", lambda: None)
    for line in lines:
        assert run(*line).exit_code == NOBODY_READS, line


def test_defect_is_no_anomaly(model, folder, monkeypatch):
    monkeypatch.setattr("skasd.cli._score.find_clips", lambda paths: 1 / 0)
    shown = run("score", model, folder)
    assert shown.exit_code == 2
    assert "ZeroDivisionError" in shown.stderr
    assert "this is a defect of skasd" in shown.stderr


@pytest.mark.parametrize(
    "line",
    [
        ("calibrate", "{model}", "{folder}/healthy", "-o", "{folder}/none/m.skasd"),
        ("calibrate", "{folder}/none.skasd", "{folder}/healthy", "-o", "{folder}/m.skasd"),
        ("calibrate", "{model}", "{folder}/none", "-o", "{folder}/m.skasd"),
        ("calibrate", "{svm}", "{folder}/healthy", "-o", "{folder}/m.skasd"),
        ("explain", "{model}", "{folder}/none/odd.wav", "-o", "{folder}/none/odd.png"),
        ("explain", "{features}", "{folder}/odd.wav"),
        ("evaluate", "{folder}/none", "--out", "{folder}/out"),
        ("evaluate", "{folder}", "--out", "{folder}/out", "--set", "epochs"),
        ("fit", "{folder}/none.wav", "-o", "{folder}/m.skasd"),
        ("info", "{folder}"),
        ("info", "{folder}/none.skasd"),
        ("monitor", "{model}", "-", "--format", "mp3"),
        ("monitor", "{features}", "-"),
        ("score", "{features}", "{folder}/odd.wav"),
        ("score", "{pickle}", "{folder}/odd.wav"),
        ("score", "{model}"),
        ("score", "{model}", "{folder}/odd.wav", "--fdr=2"),
        ("score", "{model}", "{folder}/odd.wav", "--nonsense"),
        ("score", "{svm}", "{folder}/odd.wav", "--fdr=0.1"),
        ("nonsense",),
    ],
)
def test_what_cannot_be_done(folder, model, tmp_path, line):
    """A sentence, no traceback, and the exit code that says so."""
    places = {"folder": folder, "model": model}
    for name in ("svm", "features", "pickle"):
        places[name] = tmp_path / f"{name}.skasd"
    clips = sorted((folder / "healthy").iterdir())
    svm = make_pipeline(LogMelSpectrogram(n_mels=8), TimeWeightedPooling(), OneClassSVM())
    skasd.save(svm.fit(clips), places["svm"])
    skasd.save(FeatureDetector().fit([[1.0], [2.0]]), places["features"])
    places["pickle"].write_bytes(pickle.dumps("no model"))
    shown = run(*(each.format(**places) for each in line), input=b"")
    assert shown.exit_code == 2
    assert shown.stderr
    assert "Traceback" not in shown.stderr


def test_clip_that_cannot_be_explained(folder, model):
    shown = run("explain", model, folder / "none.wav")
    assert shown.exit_code == 3
    assert shown.stderr.startswith("not explained: ")
