import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile
from test_report_page import HOSTILE, read_html, rows_of, shape, wait_until
from typer.testing import CliRunner

import skasd
from skasd import Monitor, make_views_detector
from skasd.audio._clips import Clip
from skasd.cli import app
from skasd.datasets import make_machine_sounds
from skasd.monitoring import EventFile, EventFileError, MonitorEvent
from skasd.monitoring._monitor_event import ClipFile
from skasd.report import _live_events
from skasd.report._live_page import LivePage
from skasd.report._live_server import parse_address
from skasd.report._score_chart import MOST_POINTS, ScoreChart

pytest.importorskip("matplotlib", reason="matplotlib draws the pictures")

RATE = 16000
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SOUNDS, Y = make_machine_sounds("fan", n_normal=22, n_anomalous=2, duration=1.0, random_state=0)


@pytest.fixture(scope="module")
def detector():
    return make_views_detector().fit(SOUNDS[:20])


@pytest.fixture(scope="module")
def simple(model):
    """A detector that cannot explain."""
    return skasd.load(model)


@pytest.fixture
def page(simple):
    with LivePage("0", simple, title="Fan <3>") as page:
        yield page


def event(window, score=1.0, *, alarm=False, change=None, error=None, clip=None):
    start, end = (None, None) if clip else (float(window), window + 1.0)
    is_odd = error is None and score > 2
    p_value = None if error else 0.01 if is_odd else 0.5
    return MonitorEvent(
        window, start, end, score, 2.0, is_odd, alarm, change, error, clip, p_value
    )  # fmt: skip


def ask(page, target="/", method="GET", **headers):
    """Return status, headers and body of an answer; None leaves a header out."""
    address = urlsplit(page.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    headers = {"Host": address.netloc, **{k.replace("_", "-"): v for k, v in headers.items()}}
    connection.putrequest(method, target, skip_host=True)
    for name, value in headers.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


def shown(page, target="/"):
    status, _, body = ask(page, target)
    assert status == 200
    return read_html(body.decode())


def test_page_of_nothing_yet(page):
    root = shown(page)
    assert root.one("h1").text == "Fan <3>"
    assert root.one("p", role="status").words == "Nothing has been scored yet."
    assert not root.all("svg")
    assert ask(page, "/healthz")[::2] == (200, b"ok\n")
    assert json.loads(ask(page, "/state.json")[2])["alarm"] is None


def test_page_says_what_the_events_say(page):
    page.add(event(0), NOON, None)
    page.add(event(1, np.nan, error="holds <b>NaN</b>"), NOON + timedelta(seconds=1), None)
    page.add(event(2, 3.25, alarm=True, change="raised"), NOON + timedelta(seconds=2), None)
    page.add(event(3, 2.5, alarm=True), NOON + timedelta(seconds=3), None)
    root = shown(page)
    raised = f"{(NOON + timedelta(seconds=2)).astimezone():%Y-%m-%d %H:%M:%S}"
    assert root.one("p", role="status").words == f"▲ The alarm is up since {raised}."
    rows = rows_of(root.one("table"))
    assert [row[0].partition(" (")[0] for row in rows] == [f"window {i}" for i in (3, 2, 1, 0)]
    assert [row[2:] for row in rows] == [
        ["2.5", "0.01", "▲ anomalous", "up"],
        ["3.25", "0.01", "▲ anomalous", "raised"],
        ["-", "-", "✕ not scored", "-"],
        ["1", "0.5", "● normal", "-"],
    ]
    assert "holds <b>NaN</b>" in rows[2][0]
    assert len(root.all("circle")) == 1
    assert len(root.all("path", **{"class": "odd"})) == 2
    assert [article.one("h3").words for article in root.all("article")] == [
        "window 3 (3.0 to 4.0 s)",
        "window 2 (2.0 to 3.0 s)",
    ]
    assert all("no longer kept" in article.words for article in root.all("article"))
    page.add(event(4, alarm=False, change="cleared"), NOON + timedelta(hours=1), None)
    assert shown(page).one("p", role="status").words.startswith("● The alarm is not up since 20")
    state = json.loads(ask(page, "/state.json")[2])
    assert (state["alarm"], state["last"]["window"]) == (False, 4)


def test_version_changes_with_every_event(page):
    versions = [json.loads(ask(page, "/state.json")[2])["version"]]
    for window in range(3):
        page.add(event(window), NOON, None)
        versions.append(json.loads(ask(page, "/state.json")[2])["version"])
        assert shown(page).one("div", id="state").attributes["data-version"] == versions[-1]
    assert len(set(versions)) == 4


def test_metrics_are_what_prometheus_reads(page):
    parser = pytest.importorskip("prometheus_client.parser", reason="it reads what we write")
    page.add(event(0), NOON, None)
    page.add(event(1, 3.5, alarm=True, change="raised"), NOON, None)
    page.add(event(2, np.nan, alarm=True, error="NaN"), NOON, None)
    page.add(event(3, 2.5, alarm=True), NOON, None)
    status, headers, body = ask(page, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = {
        family.name: family for family in parser.text_string_to_metric_families(body.decode())
    }
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert values == {
        ("skasd_build_info", skasd.__version__): 1,
        ("skasd_windows_total", "normal"): 1,
        ("skasd_windows_total", "anomalous"): 2,
        ("skasd_windows_total", "not_scored"): 1,
        ("skasd_alarm_changes_total", "raised"): 1,
        ("skasd_alarm_changes_total", "cleared"): 0,
        ("skasd_alarm",): 1,
        ("skasd_anomaly_score",): 2.5,
        ("skasd_anomaly_threshold",): 2.0,
        ("skasd_p_value",): 0.01,
        ("skasd_last_window_timestamp_seconds",): NOON.timestamp(),
    }
    assert families["skasd_windows"].type == "counter"
    assert all(family.documentation for family in families.values())


@pytest.mark.parametrize("error", [None, "NaN"])
def test_metrics_of_little(page, error):
    """Numbers that are not known are left out, and are not 0."""
    if error:
        page.add(event(0, np.nan, error=error), NOON, None)
    text = ask(page, "/metrics")[2].decode()
    assert "skasd_anomaly_score" not in text
    assert "p_value" not in text
    assert ("skasd_alarm 0" in text) == (error is not None)


# Who is let in.


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example",
    "10.0.0.1:{port}", "", "a b", "localhost@evil.example", "[::1", None,
])  # fmt: skip
@pytest.mark.parametrize("target", ["/", "/metrics", "/healthz", "/state.json"])
def test_foreign_hosts_are_refused(page, host, target):
    if host is not None:
        host = host.format(port=urlsplit(page.url).port)
    status, headers, body = ask(page, target, Host=host)
    assert status in (400, 403)
    assert b"Fan" not in body
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:{port}", "127.0.0.1:9", "[::1]:80"])
def test_own_names_are_known(page, host):
    """Another port is that of a tunnel."""
    assert ask(page, Host=host.format(port=urlsplit(page.url).port))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUX"])
def test_writes_are_refused(page, method):
    status, headers, _ = ask(page, "/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("target", [
    "/index.html", "/../../etc/passwd", "/windows/../metrics", "/windows/1/sound", "//",
    "/windows/", "/windows/-1/sound", "/windows/0/picture", "/%2e%2e/", "/metrics/",
    "http://localhost/", "*",
    "/windows/0/sound/..", "/state.json/x", "/windows/99999999999999999999999/sound", "/http://[/",
])  # fmt: skip
def test_other_paths_are_refused(page, target):
    assert ask(page, target)[0] in (404, *([200] if target == "//" else []))


def test_answers_have_strict_headers(page):
    page.add(event(0), NOON, None)
    for target in ("/", "/metrics", "/state.json", "/nothing"):
        _, headers, body = ask(page, target)
        _, of_head, none = ask(page, target, "HEAD")
        assert none == b""
        assert int(of_head["Content-Length"]) == len(body)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert policy.endswith("frame-ancestors 'none'")
        assert "Python" not in headers.get("Server", "")
        if target == "/":
            inside = read_html(body.decode()).one(
                "meta", **{"http-equiv": "Content-Security-Policy"}
            )
            assert policy.startswith(inside.attributes["content"])
            assert "unsafe" not in policy
            assert "*" not in policy


def test_a_token_is_asked_for_beyond_localhost(simple, capsys):
    with LivePage("0.0.0.0:0", simple, title="Fan") as page:
        (token,) = parse_qs(urlsplit(page.url).query)["token"]
        assert len(token) >= 32
        page.add(event(0, 3.0), NOON, Clip("window 0", np.zeros(4000, np.float32), RATE))
        page.url = page.url.replace(urlsplit(page.url).hostname, "127.0.0.1")
        for target in ("/", "/metrics", "/state.json", "/windows/0/sound", "/healthz"):
            assert ask(page, target, Authorization=f"Bearer {token}")[0] == 200
            assert ask(page, f"{target}?token={token}")[0] == 200
            for wrong in ("", token[:-1], token + "x", "\u00e9"):
                status, headers, body = ask(page, target, Authorization=f"Bearer {wrong}")
                assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
                assert b"Fan" not in body
                assert ask(page, f"{target}?token={wrong.encode().hex()}")[0] == 401
            assert ask(page, target, Authorization=f"Basic {token}")[0] == 401
            assert ask(page, target, "POST", Authorization=f"Bearer {token}")[0] == 405
        # A name could be that of another site.
        assert ask(page, f"/?token={token}", Host="evil.example")[0] == 403
        assert ask(page, f"/?token={token}", Host="192.0.2.7:80")[0] == 200
        # The page's own links carry it on, if it came so.
        player = shown(page, f"/?token={token}").one("audio")
        assert player.attributes["src"] == f"windows/0/sound?token={token}"
        body = ask(page, "/", Authorization=f"Bearer {token}")[2].decode()
        assert token not in body
    assert token not in capsys.readouterr().err


def test_a_token_of_the_environment(simple, monkeypatch):
    """It outlives a restart, and is asked for on localhost too."""
    monkeypatch.setenv("SKASD_SERVE_TOKEN", "a+b &c" * 4)
    for address in ("0", "0.0.0.0:0"):
        with LivePage(address, simple, title="Fan") as page:
            assert "token" not in page.url
            page.url = page.url.replace(urlsplit(page.url).hostname, "127.0.0.1")
            assert ask(page)[0] == 401
            assert ask(page, Authorization="Bearer " + "a+b &c" * 4)[0] == 200
            assert ask(page, "/?token=" + "a%2Bb%20%26c" * 4)[0] == 200
    monkeypatch.setenv("SKASD_SERVE_TOKEN", "short")
    with pytest.raises(ValueError, match="SKASD_SERVE_TOKEN: expected 16"):
        LivePage("0", simple, title="Fan")


@pytest.mark.parametrize(
    "text", ["", "x", "host", "host:", ":80", "1:2:3", "::1:80", "host:65536", "-1"]
)
def test_addresses_that_are_none(text):
    with pytest.raises(ValueError, match="expected PORT"):
        parse_address(text)


def test_clients_that_leave_or_hang(page, capsys):
    """Neither keeps the others from the page, and none is worth a line."""
    address = urlsplit(page.url)
    hanging = [socket.create_connection((address.hostname, address.port)) for _ in range(3)]
    for _ in range(3):
        leaving = socket.create_connection((address.hostname, address.port))
        leaving.sendall(f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        leaving.close()
    assert ask(page)[0] == 200
    for each in hanging:
        each.close()
    assert "Traceback" not in capsys.readouterr().err


def test_requests_that_are_none(page):
    address = urlsplit(page.url)
    for request in (b"\0\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 3):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            assert b"Fan" not in client.makefile("rb").read()
    assert ask(page)[0] == 200


# What is kept, played and drawn.


def test_memory_is_bounded(page, monkeypatch):
    monkeypatch.setattr(_live_events, "MOST_BYTES", 5 * 4000)
    for window in range(2500):
        samples = np.full(1000, 0.1, np.float32)
        page.add(event(window, 3.0), NOON, Clip("", samples, RATE))
    root = shown(page)
    assert "last 2,160 windows" in root.one("figcaption", id="chart").text
    assert len(root.all("path", **{"class": "odd"})) == MOST_POINTS
    assert len(root.all("article")) == _live_events.MOST_ODD
    assert len(root.all("audio")) == 5
    assert len(rows_of(root.one("table"))) == 20
    assert len(ask(page)[2]) < 100_000
    assert sum(odd.n_bytes for odd in page._events.odd) == 5 * 4000


def test_sounds_are_what_was_heard(page):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 2)).astype(np.float32)
    page.add(event(7, 3.0), NOON, Clip("window 7", samples, RATE))
    status, headers, body = ask(page, "/windows/7/sound")
    assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (
        200,
        "audio/flac",
        "bytes",
    )
    played, rate = soundfile.read(io.BytesIO(body))
    assert rate == RATE
    np.testing.assert_allclose(played, samples.mean(axis=1), atol=2**-15)
    for asked, part in (
        ("0-9", body[:10]),
        ("10-", body[10:]),
        ("-5", body[-5:]),
        ("3-9999999", body[3:]),
    ):
        status, headers, found = ask(page, "/windows/7/sound", Range=f"bytes={asked}")
        assert (status, found) == (206, part)
        first = body.index(part)
        assert headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(body)}"
    status, headers, _ = ask(page, "/windows/7/sound", Range=f"bytes={len(body)}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(body)}")
    assert ask(page, "/windows/7/sound", Range="bytes=a-b")[2] == body


def test_pictures_are_drawn_once_somebody_looks(detector):
    from PIL import Image

    with LivePage("0", detector, title="Fan") as page:
        page.add(event(0, 3.0), NOON, Clip("window 0", SOUNDS[-1], RATE))
        assert not shown(page).all("p", **{"class": "location"})
        before = json.loads(ask(page, "/state.json")[2])["version"]
        _, headers, body = ask(page, "/windows/0/picture")
        assert headers["Content-Type"] == "image/webp"
        picture = shown(page).one("img")
        size = int(picture.attributes["width"]), int(picture.attributes["height"])
        assert Image.open(io.BytesIO(body)).size == size
        assert json.loads(ask(page, "/state.json")[2])["version"] != before
        said = shown(page).one("p", **{"class": "location"}).text
        expected = skasd.inspection.explain(detector, Clip("", SOUNDS[-1], RATE)).location
        assert said[1:] == f"{expected}."[1:]
        assert ask(page, "/windows/0/picture")[2] == body


def test_detector_that_cannot_explain(page):
    page.add(event(0, 3.0), NOON, Clip("window 0", np.full(4000, 0.1, np.float32), RATE))
    status, headers, _ = ask(page, "/windows/0/picture")
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
    article = shown(page).one("article")
    assert not article.all("img")
    assert "Not explained: Pipeline cannot be explained" in article.words
    assert article.all("audio")


def test_files_that_change_are_not_played(page, tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUNDS[0], RATE)
    status = path.stat()
    clip = ClipFile("a.wav", status.st_size, status.st_mtime_ns)
    page.add(event(0, 3.0, clip=clip), NOON, Clip("a.wav", str(path)))
    assert ask(page, "/windows/0/sound")[0] == 200
    soundfile.write(path, SOUNDS[1][:9000], RATE)
    assert ask(page, "/windows/0/sound")[0] == 404
    assert "Cannot be played: the file is gone, or has changed." in shown(page).one("article").words


@pytest.mark.parametrize("n", [1, 5, MOST_POINTS, MOST_POINTS + 1, 2160])
def test_chart_keeps_what_is_odd(n):
    rng = np.random.default_rng(n)
    scores = rng.normal(size=n).tolist()
    chart = ScoreChart.of(scores, 1.0)
    assert len(chart.points) == min(n, MOST_POINTS)
    for point in chart.points:
        assert point.y <= chart.threshold if point.is_odd else point.y >= chart.threshold
        assert chart.left < point.x < chart.right
    assert any(point.is_odd for point in chart.points) == (max(scores) > 1)
    assert {score: y for y, score in chart.ends}[max(*scores, 1.0)] == 12
    assert ScoreChart.of([None] * n, 1.0) is None


def test_chart_of_scores_that_are_all_the_same():
    (point,) = ScoreChart.of([2.0], 2.0).points
    assert not point.is_odd


# Names and errors that are no text.


def test_hostile_names_are_text(simple):
    shapes = []
    for names in ([f"{i}.wav" for i in range(len(HOSTILE))], HOSTILE):
        with LivePage("0", simple, title=names[0]) as page:
            for window, name in enumerate(names):
                clip = ClipFile(name, 1, 1)
                page.add(event(window, 3.0, clip=clip, change="raised", alarm=True), NOON, None)
            page.add(event(99, np.nan, error=names[1], clip=ClipFile(names[0], 1, 1)), NOON, None)
            root = shown(page)
            state = json.loads(ask(page, "/state.json")[2])
            assert state["last"]["clip"]["name"] == names[0]
            ask(page, "/metrics")
        shapes.append(shape(root))
    assert shapes[0] == shapes[1]
    headings = [article.one("h3").text for article in root.all("article")][::-1]
    for heading, name in zip(headings, HOSTILE, strict=True):
        if name.isprintable():
            assert heading == name
        assert "\u202e" not in heading
        assert "\n" not in heading


# From the command line.


def signal_of(decisions):
    """Return quarters of a second that are loud for A."""
    noise = np.random.default_rng(1).normal(0, 0.1, (len(decisions), 4000))
    levels = np.where(np.array(list(decisions)) == "A", 5.0, 0.5)
    return (levels[:, np.newaxis] * noise).ravel().clip(-1, 1).astype("<f4")


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, ["monitor", *map(str, arguments)], input=stdin)


def test_no_second_server_at_a_port(model):
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.listen()
        port = other.getsockname()[1]
        found = run(model, "-", "--serve", port, "--format", "f32le", stdin=b"")
    assert found.exit_code == 2
    assert f"cannot listen at 127.0.0.1:{port}: " in found.stderr
    assert found.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--serve", "nowhere"], "expected PORT"),
        (["--serve", "host.invalid:80"], "cannot listen at host.invalid:80"),
    ],
)
def test_wrong_usage(model, arguments, message):
    found = run(model, "-", *arguments, stdin=b"")
    assert (found.exit_code, found.stdout) == (2, "")
    assert message in found.stderr


class Process:
    """A monitor in a process of its own, whose input stays open."""

    def __init__(self, model, *arguments):
        command = [sys.executable, "-c", "from skasd.cli import app; app()", "monitor"]
        self.process = subprocess.Popen(
            [*command, *map(str, [model, *arguments])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        line = ""
        while "live page: " not in line:
            line = self.process.stderr.readline().decode()
            assert line, "the monitor has ended"
        self.url = line.partition("live page: ")[2].strip()

    def hear(self, samples):
        self.process.stdin.write(samples.tobytes())
        self.process.stdin.flush()

    def wait_for_window(self, number):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            last = json.loads(ask(self, "/state.json")[2])["last"]
            if last is not None and last["window"] >= number:
                return
        raise AssertionError(f"no window {number}")

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.mark.posix
def test_page_survives_a_monitor_that_is_killed(model, tmp_path):
    events = tmp_path / "events.jsonl"
    arguments = ["-", "--format", "f32le", "--clip-seconds", 0.25, "--events", events]
    arguments += ["--alarm", "1 of 2", "--serve", 0]
    first = Process(model, *arguments)
    first.hear(signal_of("...A."))
    first.wait_for_window(4)
    before = shown(first)
    assert before.all("audio")
    assert before.one("h1").text == "fan: monitor"
    first.kill()
    assert all("time" in json.loads(line) for line in events.read_bytes().splitlines()[1:])
    second = Process(model, *arguments)
    try:
        second.wait_for_window(4)
        after = shown(second)
        for tag in ("svg", "table"):
            assert after.one(tag).words == before.one(tag).words
        assert after.one("p", role="status").words == before.one("p", role="status").words
        assert after.one("article").one("h3").words == before.one("article").one("h3").words
        assert "no longer kept" in after.one("article").words
        assert b'skasd_windows_total{verdict="normal"} 0' in ask(second, "/metrics")[2]
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(timeout=60) == 0
        with pytest.raises(ConnectionRefusedError):
            ask(second)
    finally:
        second.kill()


def test_page_takes_up_clips_of_a_folder(simple, tmp_path):
    """They can still be played, and events of a run without times have none."""
    for window, level in enumerate([0.05, 0.5]):
        samples = level * np.random.default_rng(window).normal(size=4000).clip(-2, 2) / 2
        soundfile.write(tmp_path / f"{window}.wav", samples, RATE)
    monitor = Monitor(simple)
    with EventFile(tmp_path / "events.jsonl", {}) as file:
        for each in monitor.watch(tmp_path, once=True, poll_seconds=0.01):
            file.append(each)
    with LivePage("0", simple, title="Fan") as page:
        page.resume(tmp_path / "events.jsonl", tmp_path)
        root = shown(page)
        assert [row[1] for row in rows_of(root.one("table"))] == ["-", "-"]
        (article,) = root.all("article")
        assert article.one("h3").words == "1.wav"
        assert ask(page, "/windows/1/sound")[0] == 200


@pytest.mark.parametrize("content", [None, b"", b"RIFF" + 9 * b"\n{}\n", b"{}\n{}\n"])
def test_what_is_no_event_file_is_left_to_whoever_appends(page, tmp_path, content):
    path = tmp_path / "events.jsonl"
    if content is not None:
        path.write_bytes(content)
    page.resume(path, None)
    assert shown(page).one("p", role="status").words == "Nothing has been scored yet."


def test_event_file_that_is_cut_off_or_damaged(page, tmp_path):
    path = tmp_path / "events.jsonl"
    with EventFile(path, {}) as file:
        for window in range(3):
            file.append(event(window), time=NOON.isoformat())
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    page.resume(path, None)
    assert len(rows_of(shown(page).one("table"))) == 2
    path.write_bytes(whole.replace(b'"window": 1', b'"window": "x"'))
    with pytest.raises(EventFileError, match="a line cannot be read: not an event: its window"):
        page.resume(path, None)


# In a browser.


@pytest.fixture
def watched(browser, detector):
    """The page of a monitor, and a browser that lists what it loads and complains of."""
    with LivePage("0", detector, title="Fan") as page:
        for window, clip in enumerate(SOUNDS[-4:-1]):
            page.add(event(window, 3.0 if window > 1 else 1.0), NOON, Clip("", clip, RATE))
        tab = browser.new_page()
        tab.loaded, tab.complaints = [], []
        tab.on("request", lambda request: tab.loaded.append(request.url))
        tab.on("console", lambda message: tab.complaints.append(message.text))
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.goto(page.url)
        yield page, tab
        tab.close()


def test_browser_takes_in_what_is_new(watched):
    page, tab = watched
    assert tab.locator("article").count() == 1
    tab.locator("article img").scroll_into_view_if_needed()
    wait_until(tab, "document.querySelector('article .location') !== null")
    wait_until(tab, "document.querySelector('article img').naturalWidth === 672")
    wait_until(tab, "document.querySelector('article audio').readyState > 0")
    tab.evaluate(
        "const p = document.querySelector('article audio'); p.muted = true; p.loop = true; p.play()"
    )
    wait_until(tab, "document.querySelector('article audio').currentTime > 0")
    clip = ClipFile('<img src=x onerror="alert(1)">.wav', 1, 1)
    page.add(event(3, 4.0, clip=clip, alarm=True, change="raised"), NOON, None)
    wait_until(tab, "document.querySelectorAll('article').length === 2")
    assert tab.locator("[role=status]").inner_text().startswith("▲ The alarm is up since")
    assert "alarming" in tab.locator("[role=status]").get_attribute("class")
    assert tab.locator("article h3").first.inner_text() == clip.name
    assert tab.locator("tbody tr").count() == 4
    # What played plays on.
    assert not tab.locator("article audio").first.evaluate("player => player.paused")
    assert tab.complaints == []
    assert all(url.startswith((page.url, "data:,")) for url in tab.loaded)
    assert not tab.locator("#unreachable").is_visible()


def test_browser_says_that_the_monitor_is_gone(watched):
    page, tab = watched
    page.__exit__()
    wait_until(tab, "!document.getElementById('unreachable').hidden")
    assert tab.locator("article").count() == 1


def test_page_reads_without_scripts(browser, watched):
    page, _ = watched
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page.url)
    assert tab.locator("tbody tr").count() == 3
    assert tab.locator("noscript meta, meta[http-equiv=refresh]").count() == 1
    assert tab.locator("article").count() == 1
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_page_fits_and_is_accessible(check_accessibility, watched, scheme, width):
    page, _ = watched
    check_accessibility(page.url, scheme, width)
