import io
import json
import os
import re
import runpy
import shlex
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from typer.testing import CliRunner

from skasd.cli import app
from skasd.monitoring import MonitorEvent, _alarm_command
from skasd.monitoring._alarm_command import AlarmCommand
from skasd.monitoring._monitor_event import ClipFile

WRITE = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.open("a").write(repr(sys.argv[2:]) + sys.stdin.read())
print("this is no event")
"""


def event(window, change=None):
    alarm = change == "raised"
    return MonitorEvent(window, 0.0, 1.0, 3.5, 2.0, alarm, alarm, change, None)


def line_of(event):
    return event.to_json(time="2026-05-04T12:00:00.000+00:00")


def python(code, *arguments):
    return shlex.join([sys.executable, "-c", code, *map(str, arguments)])


@pytest.fixture
def said():
    return []


def run(command, events, said, **settings):
    with AlarmCommand(command, said.append, **settings) as outlet:
        for each in events:
            outlet.add(each, line_of(each))


def test_runs_for_changes_in_their_order(tmp_path, said):
    events = [event(0), event(1, "raised"), event(2), event(3, "cleared"), event(4, "raised")]
    run(python(WRITE, tmp_path / "out"), events, said)
    lines = (tmp_path / "out").read_text().splitlines()
    assert lines == ["[]" + line_of(each) for each in events if each.alarm_change]
    assert said == []


def test_arguments_are_a_list(tmp_path, said):
    """No shell sees them, and no clip's name is among them."""
    hostile = ["a b", "$(touch x)", "; touch x", "`touch x`", "*", "", "'\"", "\\", "é"]
    run(python(WRITE, tmp_path / "out", *hostile), [event(1, "raised")], said)
    assert (tmp_path / "out").read_text().startswith(repr(hostile))
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import sys; sys.exit('no\\nnet')", "failed with exit code 1: no\nnet"),
        ("import sys; sys.exit(7)", "failed with exit code 7"),
        ("import sys; sys.exit('x' * 10**6)", "failed with exit code 1: " + "x" * 498),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "failed with exit code -9"),
    ],
)
@pytest.mark.posix
def test_failures_are_told_and_stop_nothing(code, problem, said):
    run(python(code), [event(1, "raised"), event(2, "cleared")], said)
    assert len(said) == 2
    for window, text in enumerate(said, 1):
        assert text.startswith(f"on alarm, window {window}: {sys.executable} {problem}")
        assert len(text) < 700


def test_commands_that_vanish(tmp_path, said):
    command = tmp_path / "tell"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    with AlarmCommand(str(command), said.append) as outlet:
        command.unlink()
        outlet.add(event(1, "raised"), "{}")
    assert said == [f"on alarm, window 1: {command} cannot be run: No such file or directory"]


@pytest.mark.posix
def test_time_out_ends_what_the_command_has_started(tmp_path, said):
    """The child holds a lock until it is killed, and the next command does run."""
    os.mkfifo(tmp_path / "fifo")
    child = f"open({str(tmp_path / 'fifo')!r}, 'w').write('x')\nimport signal; signal.pause()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with AlarmCommand(python(code), said.append, seconds=2, last_seconds=60) as outlet:
        outlet.add(event(1, "raised"), "{}")
        with open(tmp_path / "fifo") as fifo:
            # Ends once nobody can write any more.
            assert fifo.read() in ("", "x")
    assert said == [f"on alarm, window 1: {sys.executable} stopped after 2 s"]


@pytest.mark.posix
def test_waiting_is_bounded(monkeypatch, tmp_path, said):
    """Nothing waits for the command, neither the monitor nor, for ever, its end."""
    monkeypatch.setattr(_alarm_command, "MOST_WAITING", 2)
    os.mkfifo(tmp_path / "started")
    code = f"open({str(tmp_path / 'started')!r}, 'w').close(); import signal; signal.pause()"
    with AlarmCommand(python(code), said.append, last_seconds=0.1) as outlet:
        outlet.add(event(0, "raised"), "{}")
        open(tmp_path / "started").close()
        for window in range(1, 6):
            outlet.add(event(window, "raised"), "{}")
        assert said == [f"on alarm, window {i}: not run, as 2 others wait" for i in (3, 4, 5)]
    assert said[3:] == ["on alarm: stopped 0.1 s after the monitor's end, with 2 more to run"]


def test_nobody_reads_the_complaints(tmp_path):
    def complain(text):
        raise BrokenPipeError

    code = WRITE + "\nsys.exit(3)"
    run(python(code, tmp_path / "out"), [event(1, "raised"), event(2, "cleared")], Said(complain))
    assert len((tmp_path / "out").read_text().splitlines()) == 2


class Said:
    def __init__(self, append):
        self.append = append


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "there is no command"),
        ("   ", "there is no command"),
        ("no-such-command-here --at all", "there is no command"),
        ("echo 'a", "cannot be split"),
        (".", "there is no command"),
    ],
)
def test_wrong_commands(command, message):
    with pytest.raises(ValueError, match=message):
        AlarmCommand(command, print)


# The guide's scripts.

GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "monitoring.md"


def script_of_guide(name, folder):
    blocks = re.findall(r"```{code-block} python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    (block,) = [each for each in blocks if f":caption: {name}\n" in each]
    path = folder / name
    path.write_text(block.partition("\n\n")[2])
    return path


def test_webhook_of_the_guide(tmp_path, said):
    posted = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            """Say nothing."""

    script = script_of_guide("post_alarm.py", tmp_path)
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/hooks/fan"
        run(shlex.join([sys.executable, str(script), url]), [event(1, "raised")], said)
        server.shutdown()
    assert said == []
    assert [each["alarm_change"] for each in posted] == ["raised"]


@pytest.mark.parametrize("clip", [None, ClipFile("a\nBcc: x@example.org\n.wav", 1, 1)])
def test_mail_of_the_guide(tmp_path, monkeypatch, clip):
    sent = []

    class Server:
        def __init__(self, host, timeout):
            assert host == "mail.example.org"

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            """Leave."""

        def send_message(self, message):
            sent.append(message)

    script = script_of_guide("mail_alarm.py", tmp_path)
    monkeypatch.setattr("smtplib.SMTP", Server)
    monkeypatch.setattr(sys, "argv", ["", "mail.example.org", "fan@example.org", "me@example.org"])
    told = replace(event(1, "raised"), clip=clip)
    monkeypatch.setattr(sys, "stdin", io.StringIO(line_of(told)))
    runpy.run_path(str(script))
    (message,) = sent
    assert message["Subject"] == "skasd: alarm raised"
    assert message["To"] == "me@example.org"
    assert message["Bcc"] is None
    assert "anomaly score 3.5" in message.get_content()


# From the command line.


def monitor(model, sound, *arguments):
    settings = ["--format", "f32le", "--clip-seconds", "0.25", "--alarm", "1 of 1"]
    command = ["monitor", str(model), "-", *settings, *map(str, arguments)]
    return CliRunner().invoke(app, command, input=sound)


@pytest.fixture
def sound():
    noise = np.random.default_rng(1).normal(0, 0.05, (4, 4000))
    noise[1] *= 10
    return noise.clip(-1, 1).astype("<f4").tobytes()


def test_command_line(model, sound, tmp_path):
    """A command gets the monitor's own lines, and leaves its output alone."""
    plain = monitor(model, sound)
    shown = monitor(model, sound, "--on-alarm", python(WRITE, tmp_path / "out", "a b"))
    assert (shown.exit_code, shown.stdout) == (0, plain.stdout)
    changes = [each for each in map(json.loads, plain.stdout.splitlines()) if each["alarm_change"]]
    assert [change["alarm_change"] for change in changes] == ["raised", "cleared"]
    lines = [line.removeprefix("['a b']") for line in (tmp_path / "out").read_text().splitlines()]
    for line, change in zip(lines, changes, strict=True):
        told = json.loads(line)
        assert told.pop("time").startswith("20")
        assert told == change


def test_command_line_goes_on_after_a_failure(model, sound):
    shown = monitor(model, sound, "--on-alarm", python("import sys; sys.exit('no net')"))
    assert shown.exit_code == 0
    assert len(shown.stdout.splitlines()) == 4
    assert shown.stderr.count("failed with exit code 1: no net") == 2


def test_command_line_of_no_command(model):
    shown = monitor(model, b"", "--on-alarm", "no-such-command-here")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "there is no command 'no-such-command-here'" in shown.stderr
