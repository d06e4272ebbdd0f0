import getpass
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from skasd.cli import app
from skasd.monitoring import MonitorEvent, _mqtt
from skasd.monitoring._mqtt import Broker, MqttPublisher, parse_broker

client_module = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt publishes the events")
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="there is no mosquitto")
MOST_SECONDS = 60


def event(window, change=None, alarm=False):
    return MonitorEvent(window, 0.0, 1.0, 3.5, 2.0, alarm, alarm, change, None)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("mqtt://host/a", Broker(False, None, "host", 1883, "a")),
        ("mqtts://host/a/b/", Broker(True, None, "host", 8883, "a/b")),
        ("mqtt://me@10.0.0.1:99/a", Broker(False, "me", "10.0.0.1", 99, "a")),
        ("mqtt://m%40e@[::1]:99/a%20b", Broker(False, "m@e", "::1", 99, "a b")),
        ("mqtt://host/Lüfter", Broker(False, None, "host", 1883, "Lüfter")),
    ],
)
def test_addresses(address, expected):
    assert parse_broker(address) == expected


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("host/topic", "expected mqtt://"),
        ("http://host/topic", "expected mqtt://"),
        ("mqtt://host", "expected mqtt://"),
        ("mqtt://host/", "expected mqtt://"),
        ("mqtt:///topic", "expected mqtt://"),
        ("mqtt://host:x/topic", "expected mqtt://"),
        ("mqtt://host:0/topic", "port 0"),
        ("mqtt://host:65536/topic", "port 65536"),
        ("mqtt://host/a/+/b", "topic 'a/\\+/b'"),
        ("mqtt://host/a#", "topic 'a#'"),
        ("mqtt://host/a?b=c", "topic 'a\\?b=c'"),
        ("mqtt://host/%00", "topic '.x00'"),
        ("mqtt://host/$SYS/a", "topic '.SYS/a'"),
        ("mqtt://host//", "topic ''"),
        ("mqtt://me:secret@host/a", "holds a password"),
        ("mqtt://me:secret@host", "expected mqtt://"),
        ("mqtt://:secret@host/a", "holds a password"),
    ],
)
def test_addresses_that_are_none(address, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_broker(address)
    assert "secret" not in str(caught.value)


def test_password_of_nobody():
    with pytest.raises(ValueError, match="only with a user"):
        MqttPublisher("mqtt://host/a", "secret", print)


def test_without_paho(monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(ImportError, match=r'pip install "skasd\[mqtt\]"'):
        MqttPublisher("mqtt://host/a", None, print)


# With a broker.


class Mosquitto:
    """A broker that keeps its sessions on disk, as one in a plant does."""

    def __init__(self, folder, *settings, port=None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = port or free.getsockname()[1]
        lines = [
            f"listener {self.port} 127.0.0.1",
            # Started by root, it would be somebody else, who cannot read this folder.
            f"user {getpass.getuser()}",
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            # Nothing that waits for a subscriber is left out.
            "max_queued_messages 0",
            *(settings or ["allow_anonymous true"]),
        ]
        self.file = folder / "mosquitto.conf"
        self.file.write_text("\n".join(lines) + "\n")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", self.file], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        end = time.monotonic() + MOST_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert self.process.poll() is None, self.process.stderr.read()
                assert time.monotonic() < end

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def broker(tmp_path):
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


class Subscriber:
    """Whoever wants to know, with a session that outlives the broker."""

    def __init__(self, port, **settings):
        self.messages = []
        self.changed = threading.Condition()
        self.client = client_module.Client(
            client_module.CallbackAPIVersion.VERSION2, client_id="plant", clean_session=False
        )
        for name, arguments in settings.items():
            getattr(self.client, name)(*arguments)
        self.client.reconnect_delay_set(1, 1)
        subscribed = threading.Event()
        self.client.on_connect = lambda client, *_: client.subscribe("plant/#", qos=1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = self.take
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert subscribed.wait(MOST_SECONDS)

    def take(self, client, data, message):
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def of(self, topic):
        return [m.payload.decode() for m in self.messages if m.topic == f"plant/{topic}"]

    def windows(self):
        return [json.loads(text)["window"] for text in self.of("events")]

    def wait_for(self, condition):
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), MOST_SECONDS), self.messages

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def subscribed(broker, **settings):
    subscriber = Subscriber(broker.port, **settings)
    try:
        yield subscriber
    finally:
        subscriber.close()


class Said(list):
    """Complaints, which can be waited for."""

    def __init__(self):
        self.changed = threading.Condition()

    def __call__(self, text):
        with self.changed:
            self.append(text)
            self.changed.notify_all()

    def wait_for(self, part):
        with self.changed:
            assert self.changed.wait_for(lambda: any(part in each for each in self), MOST_SECONDS)


def send(publisher, *windows, **settings):
    for window in windows:
        each = event(window, **settings)
        publisher.add(each, each.to_json())


@needs_mosquitto
def test_events_state_and_status(broker):
    said = Said()
    with subscribed(broker) as subscriber:
        with MqttPublisher(f"mqtt://127.0.0.1:{broker.port}/plant", None, said) as publisher:
            subscriber.wait_for(lambda s: s.of("status") == ["online"])
            send(publisher, 0, 1)
            send(publisher, 2, change="raised", alarm=True)
            subscriber.wait_for(lambda s: len(s.of("state")) == 3)
        subscriber.wait_for(lambda s: s.of("status") == ["online", "offline"])
        assert subscriber.windows() == [0, 1, 2]
        assert subscriber.of("events")[2] == event(2, change="raised", alarm=True).to_json()
        assert {m.qos for m in subscriber.messages} == {1}
        assert not any(m.retain for m in subscriber.messages)
    # Who comes later is told how things are, and nothing old.
    with subscribed(broker) as late:
        late.wait_for(lambda s: len(s.messages) == 2)
        assert all(message.retain for message in late.messages)
        assert json.loads(late.of("state")[0])["alarm"] is True
        assert late.of("status") == ["offline"]
    assert said == []


@needs_mosquitto
def test_last_will(broker):
    """A monitor that is killed is offline, and the broker says so."""
    code = (
        "import os, sys; from skasd.monitoring._mqtt import MqttPublisher\n"
        f"with MqttPublisher('mqtt://127.0.0.1:{broker.port}/plant', None, print): sys.stdin.read()"
    )
    with subscribed(broker) as subscriber:
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
        subscriber.wait_for(lambda s: s.of("status") == ["online"])
        process.kill()
        process.communicate()
        subscriber.wait_for(lambda s: s.of("status") == ["online", "offline"])


@needs_mosquitto
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_nothing_is_lost_while_the_broker_is_away(broker, end):
    said = Said()
    with subscribed(broker) as subscriber:
        with MqttPublisher(f"mqtt://127.0.0.1:{broker.port}/plant", None, said) as publisher:
            send(publisher, *range(3))
            subscriber.wait_for(lambda s: s.windows() == [0, 1, 2])
            getattr(broker, end)()
            said.wait_for("the connection to the broker is lost")
            send(publisher, *range(3, 60))
            broker.start()
            subscriber.wait_for(lambda s: set(s.windows()) == set(range(60)))
            said.wait_for("connected to the broker")
            send(publisher, 60)
        subscriber.wait_for(lambda s: 60 in s.windows())
        subscriber.wait_for(lambda s: s.of("status")[-1] == "offline")
        # At least once each, and in their order.
        windows = list(dict.fromkeys(subscriber.windows()))
        assert windows == list(range(61))
        assert json.loads(subscriber.of("state")[-1])["window"] == 60


@needs_mosquitto
def test_broker_that_comes_later(tmp_path):
    broker, said = Mosquitto(tmp_path), Said()
    with MqttPublisher(f"mqtt://127.0.0.1:{broker.port}/plant", None, said) as publisher:
        send(publisher, 0, 1)
        said.wait_for("the broker cannot be reached: ")
        broker.start()
        said.wait_for("connected to the broker")
    try:
        assert len(said) == 2
        with subscribed(broker) as subscriber:
            subscriber.wait_for(lambda s: len(s.messages) == 2)
            assert subscriber.of("status") == ["offline"]
            assert json.loads(subscriber.of("state")[0])["window"] == 1
    finally:
        broker.kill()


def test_waiting_is_bounded_and_ends(monkeypatch):
    """Without any broker: the events that find no room are counted."""
    monkeypatch.setattr(_mqtt, "MOST_WAITING", 3)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    said = Said()
    with MqttPublisher(f"mqtt://127.0.0.1:{port}/plant", None, said, last_seconds=0.1) as publisher:
        send(publisher, *range(9))
        said.wait_for("cannot be reached")
    lost = [text for text in said if "cannot be reached" not in text]
    assert lost == [
        "mqtt: 3 events wait for the broker; newer ones are left out",
        "mqtt: 6 events were left out",
        "mqtt: 4 messages have not reached the broker, and are lost",
    ]


def test_nothing_to_say_to_nobody():
    """A monitor that refuses its other settings ends at once, and does not wait for a broker."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    said = Said()
    with MqttPublisher(f"mqtt://127.0.0.1:{port}/plant", None, said, last_seconds=1e6):
        said.wait_for("cannot be reached")
    assert len(said) == 1


def make_certificates(folder):
    """Make an authority and a broker that it knows."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl")

    def run(*arguments):
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run(
        "req",
        "-x509",
        *key,
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=plant",
        "-days",
        "2",
    )
    run("req", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=broker")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    run(
        "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-out", "cert.pem", "-days", "2", "-extfile", "names",
    )  # fmt: skip


@needs_mosquitto
def test_tls_and_password(tmp_path, monkeypatch):
    folder = tmp_path
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("there is no mosquitto_passwd")
    make_certificates(folder)
    passwords = folder / "passwords"
    passwords.write_text("me:secret\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    broker = Mosquitto(
        folder, f"certfile {folder}/cert.pem", f"keyfile {folder}/key.pem",
        "allow_anonymous false", f"password_file {passwords}",
    )  # fmt: skip
    broker.start()
    url = f"mqtts://me@127.0.0.1:{broker.port}/plant"
    try:
        # Nobody knows the authority.
        said = Said()
        with MqttPublisher(url, "secret", said, last_seconds=0.1):
            said.wait_for("CERTIFICATE_VERIFY_FAILED")
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        said = Said()
        with MqttPublisher(url, "wrong", said, last_seconds=0.1):
            said.wait_for("the broker refuses: Not authorized")
        assert "wrong" not in str(said)
        login = {"username_pw_set": ("me", "secret"), "tls_set": (str(folder / "ca.pem"),)}
        with subscribed(broker, **login) as subscriber:
            with MqttPublisher(url, "secret", Said()) as publisher:
                send(publisher, 0)
            subscriber.wait_for(lambda s: s.windows() == [0])
    finally:
        broker.kill()


# From the command line.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mqtt", "host"], "expected mqtt://"),
        (["--mqtt", "mqtt://me:secret@host/a"], "holds a password"),
        (["--mqtt-password-file", "nowhere"], "is for --mqtt"),
        (["--mqtt", "mqtt://me@host/a", "--mqtt-password-file", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage(model, arguments, message):
    shown = CliRunner().invoke(app, ["monitor", str(model), "-", *arguments], input=b"")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert message in shown.stderr
    assert "secret" not in shown.stderr


@needs_mosquitto
def test_command_line(model, broker, tmp_path):
    import numpy as np

    sound = np.random.default_rng(0).normal(0, 0.1, 9000).astype("<f4").tobytes()
    with subscribed(broker) as subscriber:
        command = ["monitor", str(model), "-", "--format", "f32le", "--clip-seconds", "0.25"]
        command += ["--mqtt", f"mqtt://127.0.0.1:{broker.port}/plant"]
        shown = CliRunner().invoke(app, command, input=sound)
        assert shown.exit_code == 0, shown.stderr
        subscriber.wait_for(lambda s: s.of("status")[-1:] == ["offline"])
        lines = [json.loads(text) for text in subscriber.of("events")]
    assert all(line.pop("time").startswith("20") for line in lines)
    assert lines == [json.loads(line) for line in shown.stdout.splitlines()]
