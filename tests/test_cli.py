import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from settings import make
from sklearn.pipeline import make_pipeline
from typer.testing import CliRunner

import skasd
from skasd import GaussianMixtureDetector, LogMelSpectrogram, TimeWeightedPooling
from skasd.cli import app
from skasd.datasets import make_machine_sounds

UNITS = "estimator__features__log_mel__branches__iae__encoder_units=[8,4]"
SMALL = ["--set", "n_mels=16"]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with clips of a healthy and of a screaming fan, and a model."""
    folder = tmp_path_factory.mktemp("cli")
    clips, _ = make_machine_sounds("fan", n_normal=24, n_anomalous=0, duration=1.0, random_state=0)
    scream = 0.3 * np.sin(2 * np.pi * 3000 * np.arange(16000) / 16000)
    (folder / "healthy").mkdir()
    (folder / "new").mkdir()
    for i, clip in enumerate(clips):
        place = folder / ("healthy" if i < 20 else "new")
        soundfile.write(place / f"clip {i:02}.wav", clip, 16000)
    soundfile.write(folder / "new" / "scream.wav", clips[0] + scream, 16000)
    shown = run("fit", folder / "healthy", "-o", folder / "fan.skasd", *SMALL)
    assert shown.exit_code == 0, shown.stderr
    return folder


@pytest.fixture
def broken(folder):
    path = folder / "new" / "broken.wav"
    path.write_text("no sound")
    yield path
    path.unlink()


def test_fit_is_make_views_detector(folder):
    detector = skasd.make_views_detector(n_mels=16).fit(sorted((folder / "healthy").iterdir()))
    loaded = skasd.load(folder / "fan.skasd")
    new = sorted((folder / "new").iterdir())
    np.testing.assert_array_equal(loaded.score_samples(new), detector.score_samples(new))
    assert loaded.offset_ == detector.offset_


def test_fit_takes_other_systems(folder, tmp_path):
    out = tmp_path / "fan.skasd"
    networks = ["--system=iaeo3-plus", "--set", UNITS, "--set=epochs=2", "--set=n_repeats=2"]
    shown = run("fit", folder / "healthy", "-o", out, *SMALL, *networks)
    assert shown.exit_code == 0, shown.stderr
    detector = make(
        skasd.make_iaeo3_plus,
        n_mels=16,
        encoder_units=[8, 4],
        epochs=2,
        n_repeats=2,
        random_state=0,
    ).fit(sorted((folder / "healthy").iterdir()))
    new = sorted((folder / "new").iterdir())
    np.testing.assert_array_equal(skasd.load(out).score_samples(new), detector.score_samples(new))


def test_score_lines(folder):
    shown = run("score", folder / "fan.skasd", folder / "new")
    assert shown.exit_code == 0
    assert shown.stderr == ""
    detector = skasd.load(folder / "fan.skasd")
    paths = [str(path) for path in sorted((folder / "new").glob("*.wav"))]
    scores, verdicts = detector.anomaly_score(paths), detector.predict(paths)
    expected = [
        f"{path}\t{score:.6g}\t{'normal' if verdict == 1 else 'anomalous'}\t{p_value:.3g}"
        for path, score, verdict, p_value in zip(
            paths, scores, verdicts, detector.p_values(paths), strict=True
        )
    ]
    assert shown.stdout.splitlines() == expected
    assert "anomalous" in expected[-1]


def test_broken_clip_is_listed_and_the_others_are_scored(folder, broken):
    shown = run("score", folder / "fan.skasd", folder / "new", folder / "missing.wav", "--csv")
    assert shown.exit_code == 3
    rows = list(csv.DictReader(shown.stdout.splitlines()))
    assert [row["clip"].rpartition("/")[2] for row in rows if row["error"]] == [
        "broken.wav",
        "missing.wav",
    ]
    assert len(rows) == 7
    assert f"not scored: {broken}: cannot be read" in shown.stderr
    shown = run("score", folder / "fan.skasd", folder / "new", "--fail-on-anomaly", "--json")
    assert shown.exit_code == 1
    objects = [json.loads(line) for line in shown.stdout.splitlines()]
    assert objects[0]["verdict"] == "not scored"
    assert objects[0]["anomaly_score"] is None
    assert objects[-1]["verdict"] == "anomalous"
    shown = run("score", folder / "fan.skasd", folder / "new", "--on-error", "raise")
    assert shown.exit_code == 2
    assert f"skasd score: {broken}: cannot be read" in shown.stderr


def test_fit_leaves_broken_clips_out(folder, broken, tmp_path):
    arguments = [
        "fit",
        folder / "healthy",
        broken,
        "-o",
        tmp_path / "m.skasd",
        "--set=n_mels=16",
        "--set=epochs=1",
        "--set=estimator__autoencoder__encoder_units=[8,4]",
    ]
    arguments += ["--system", "baseline"]
    shown = run(*arguments)
    assert shown.exit_code == 3
    assert f"left out {broken}: cannot be read" in shown.stderr
    assert f"{tmp_path / 'm.skasd'}: fitted on 20 clips, threshold" in shown.stdout
    (tmp_path / "m.skasd").unlink()
    assert run(*arguments, "--on-error", "raise").exit_code == 2
    assert not (tmp_path / "m.skasd").exists()


def test_report(folder):
    shown = run("score", folder / "fan.skasd", folder / "healthy", "--report")
    assert shown.exit_code == 0
    assert "of 20 in training" in shown.stderr
    assert "fit again" not in shown.stderr


def test_explain(folder, tmp_path):
    odd = folder / "new" / "scream.wav"
    shown = run("explain", folder / "fan.skasd", odd, "-o", tmp_path / "odd.png")
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.startswith(f"{odd}: anomalous (score")
    assert (tmp_path / "odd.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "short.wav").write_bytes(odd.read_bytes()[:500])
    shown = run("explain", folder / "fan.skasd", tmp_path / "short.wav")
    assert shown.exit_code == 3
    assert "short.wav: is truncated" in shown.stderr


def test_info(folder):
    shown = run("info", folder / "fan.skasd")
    assert shown.exit_code == 0
    assert "trained on     20 clips of " in shown.stdout
    info = json.loads(run("info", folder / "fan.skasd", "--json").stdout)
    assert info["threshold"] == -skasd.load(folder / "fan.skasd").offset_
    assert info["settings"]["cv"] == "members"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "{}/nothing", "-o", "{}/m.skasd"], "{}/nothing holds no recording"),
        (["fit", "{}/healthy", "-o", "{}/no/m.skasd"], "There is no folder {}/no"),
        (["fit", "{}/healthy", "-o", "{}/m.skasd", "--set", "epoch=3"], "'epoch'"),
        (
            ["fit", "{}/healthy", "-o", "{}/m.skasd", "--system", "iaeo3-opt"],
            "expected one of ToyC",
        ),
        (["score", "{}/no.skasd", "{}/new"], "No such file or directory: '{}/no.skasd'"),
        (["score", "{}/new/scream.wav", "{}/new"], "is not a model file of skasd"),
        (["score", "{}/fan.skasd", "{}/new", "--csv", "--json"], "exclude each other"),
        (["info", "{}/pickled.skasd"], "is a pickle"),
    ],
)
def test_what_cannot_be_done(folder, arguments, message):
    (folder / "nothing").mkdir(exist_ok=True)
    (folder / "pickled.skasd").write_bytes(b"\x80\x04K\x01.")
    shown = run(*(argument.format(folder) for argument in arguments))
    assert shown.exit_code == 2
    assert message.format(folder) in shown.stderr
    assert not (folder / "m.skasd").exists()


@pytest.mark.parametrize("command", ["fit", "score", "explain", "info", "evaluate", "monitor"])
def test_help_shows_an_example(command):
    _, _, example = " ".join(run(command, "--help").stdout.split()).partition("Example: ")
    assert f"skasd {command} " in example


def test_ctrl_c(tmp_path):
    detector = make_pipeline(
        LogMelSpectrogram(n_mels=8), TimeWeightedPooling(), GaussianMixtureDetector()
    )
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, size=(12, 8000))
    skasd.save(detector.fit(clips), tmp_path / "machine.skasd")
    soundfile.write(tmp_path / "clip.wav", clips[0], 16000)
    paths = [tmp_path / "clip.wav"] * 2000
    # A shell lets what it runs in the background ignore Ctrl-C, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "skasd", "score", tmp_path / "machine.skasd", *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    others, errors = process.communicate()
    assert process.returncode == 130
    assert errors == ""
    lines = [first, *others.splitlines(keepends=True)]
    assert set(lines) == {first}
    assert len(lines) < 2000


def test_false_alarm_rate_of_a_model(folder):
    """Set when it is scored, without another fit: all but the highest p-values are anomalous."""
    shown = run("score", folder / "fan.skasd", folder / "new", "--false-alarm-rate=0.5", "--json")
    objects = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(objects) == 5
    for result in objects:
        assert result["verdict"] == ("anomalous" if result["p_value"] <= 0.5 else "normal")
    shown = run("score", folder / "fan.skasd", folder / "new", "--false-alarm-rate=0.7")
    assert shown.exit_code == 2
    assert "expected one in (0, 0.5]" in shown.stderr


def test_clips_judged_together(folder):
    """By Benjamini and Hochberg: of m, the k-th smallest p-value is at most k q / m."""
    shown = run("score", folder / "fan.skasd", folder / "new", "--fdr=0.2", "--json")
    objects = [json.loads(line) for line in shown.stdout.splitlines()]
    p_values = np.array([result["p_value"] for result in objects])
    steps = 0.2 * np.arange(1, 6) / 5
    n_called = max(np.flatnonzero(np.sort(p_values) <= steps), default=-1) + 1
    called = [result["verdict"] == "anomalous" for result in objects]
    assert called == (np.argsort(np.argsort(p_values)) < n_called).tolist()
    assert called[-1]
    shown = run(
        "score", folder / "fan.skasd", folder / "new", "--fdr=0.2", "--false-alarm-rate=0.1"
    )
    assert shown.exit_code == 2
    assert "exclude each other" in shown.stderr


def test_calibrate(folder, tmp_path):
    """On the 20 clips themselves, and then on one that was a false alarm."""
    model, out = folder / "fan.skasd", tmp_path / "on_site.skasd"
    shown = run("calibrate", model, folder / "healthy", "-o", out, "--false-alarm-rate=0.05")
    assert shown.exit_code == 0, shown.stderr
    assert "calibrated on 20 clips" in shown.stdout
    healthy = sorted((folder / "healthy").iterdir())
    before, after = skasd.load(model), skasd.load(out)
    np.testing.assert_array_equal(after.score_samples(healthy), before.score_samples(healthy))
    # One of 20 + 1 clips is less than 5 %: the highest score of all.
    assert -after.offset_ == pytest.approx(before.anomaly_score(healthy).max())
    scream = folder / "new" / "scream.wav"
    assert after.predict([scream]) == -1
    shown = run("calibrate", out, scream, "-o", out, "--add")
    assert shown.exit_code == 0, shown.stderr
    assert "calibrated on 21 clips" in shown.stdout
    assert skasd.load(out).predict([scream]) == 1
    shown = run("calibrate", model, scream, "-o", out)
    assert shown.exit_code == 2
    assert "needs 20 healthy clips or more, got 1" in shown.stderr


def test_calibrate_counts_the_alarms_of_hours(folder, tmp_path):
    """Of 40 windows of 1 s in two recordings; at a rate of one in two, alarms are raised."""
    clips, _ = make_machine_sounds("fan", n_normal=2, n_anomalous=0, duration=20.5, random_state=1)
    healthy = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for path, clip in zip(healthy, clips, strict=True):
        soundfile.write(path, clip, 16000)
    broken = tmp_path / "broken.wav"
    broken.write_text("no sound")
    line = ("calibrate", folder / "fan.skasd", *healthy, "-o", tmp_path / "out.skasd")
    cut = ("--clip-seconds=1", "--alarm=2 of 2", "--false-alarm-rate=0.5")
    shown = run(*line, *cut, broken)
    assert shown.exit_code == 3, shown.stderr
    assert "calibrated on 40 clips" in shown.stdout
    assert f"left out {broken}" in shown.stderr
    (counted,) = [text for text in shown.stdout.splitlines() if text.startswith("2 of 2 windows: ")]
    assert "in 0.0111 hours of healthy sound" in counted
    detector = skasd.load(tmp_path / "out.skasd")
    alarms = 0
    for path in healthy:
        sound, _ = soundfile.read(path, dtype="float32")
        events = skasd.Monitor(detector, clip_seconds=1, alarm="2 of 2").stream([sound])
        alarms += sum(event.alarm_change == "raised" for event in events)
    assert counted.startswith(f"2 of 2 windows: {alarms} alarm")
    assert alarms > 0
    assert run(*line, "--clip-seconds=1", "--alarm=3 in 5").exit_code == 2
    assert run(*line, "--clip-seconds=0").exit_code == 2
    # Two recordings that are not cut are two clips.
    assert "needs 20 healthy clips or more, got 2" in run(*line).stderr


def test_calibrate_says_what_has_no_score(folder, tmp_path):
    """A recording of less than a window, and one whose third second cannot be scored."""
    clips, _ = make_machine_sounds("fan", n_normal=2, n_anomalous=0, duration=30, random_state=1)
    clips[1, 40_000] = np.nan
    names = ("whole.wav", "odd.wav", "short.wav")
    whole, odd, short = (tmp_path / name for name in names)
    for path, clip in zip((whole, odd, short), (*clips, clips[0, :8000]), strict=True):
        soundfile.write(path, clip, 16000, subtype="FLOAT")
    line = ("calibrate", folder / "fan.skasd", "-o", tmp_path / "out.skasd", "--clip-seconds=1")
    shown = run(*line, whole, odd, short)
    assert shown.exit_code == 3
    assert "calibrated on 59 clips" in shown.stdout
    assert f"left out {short}: is shorter than a window, 1 s" in shown.stderr
    assert f"left out {odd} from 2 s: holds 1 NaN" in shown.stderr
    for each in (odd, short):
        shown = run(*line, "--on-error=raise", each, whole)
        assert shown.exit_code == 2
        assert f"skasd calibrate: {each}" in shown.stderr


def test_calibrate_takes_clips_of_another_length(folder, tmp_path):
    """What score refuses for its length sets the threshold for that length."""
    clips, _ = make_machine_sounds("fan", n_normal=22, n_anomalous=0, duration=0.7, random_state=1)
    for i, clip in enumerate(clips):
        soundfile.write(tmp_path / f"{i:02}.wav", clip, 16000)
    refused = run("score", folder / "fan.skasd", tmp_path / "00.wav")
    assert refused.exit_code == 3
    assert "is 0.7 s long" in refused.stderr
    out = tmp_path / "out.skasd"
    assert run("calibrate", folder / "fan.skasd", tmp_path, "-o", out).exit_code == 0
    assert run("score", out, tmp_path / "00.wav").exit_code == 0


def test_calibrate_makes_alarms_as_rare_as_asked(folder, tmp_path):
    """Of 150 windows of 1 s, of which so many may raise an alarm as there are minutes."""
    clips, _ = make_machine_sounds("fan", n_normal=1, n_anomalous=0, duration=150, random_state=1)
    soundfile.write(tmp_path / "hours.wav", clips[0], 16000)
    soundfile.write(tmp_path / "less.wav", clips[0, : 90 * 16000], 16000)
    line = ("calibrate", folder / "fan.skasd", tmp_path / "hours.wav", "-o", tmp_path / "out.skasd")
    cut = (*line, "--clip-seconds=1", "--alarm=1 of 1")
    shown = run(*cut, "--false-alarms=120 per hour")
    assert shown.exit_code == 0, shown.stderr
    (counted,) = [text for text in shown.stdout.splitlines() if text.startswith("1 of 1 windows: ")]
    # Five in 150 s are asked for; the quantile of the peaks errs toward fewer.
    assert 2 <= int(counted.removeprefix("1 of 1 windows: ").split()[0]) <= 5
    less = (*line[:2], tmp_path / "less.wav", *cut[3:], "--false-alarms=1 per day")
    assert "is extrapolated" in run(*less).stderr
    few = (*line[:2], folder / "healthy", *line[3:], *cut[-2:], "--false-alarms=1 per day")
    assert "Record for longer" in run(*few).stderr
    assert "needs --clip-seconds" in run(*line, "--false-alarms=1 per day").stderr


def test_warnings_are_lines(folder, tmp_path):
    out = tmp_path / "fan.skasd"
    few = sorted((folder / "healthy").iterdir())[:6]
    shown = run("fit", *few, "-o", out, *SMALL)
    (warning,) = [line for line in shown.stderr.splitlines() if "cannot resolve" in line]
    assert warning.startswith("warning: 6 healthy clips")
    assert warning.endswith("9 would do.")


def test_fit_names_a_clip_that_is_unlike_the_others(folder, tmp_path):
    out = tmp_path / "fan.skasd"
    odd = folder / "new" / "scream.wav"
    shown = run("fit", folder / "healthy", odd, "-o", out, *SMALL, "--false-alarm-rate=0.2")
    assert shown.exit_code == 0, shown.stderr
    assert f"unlike the others: {odd}" in shown.stderr
    assert "1 healthy clip in 5 sounds this odd" in shown.stdout
