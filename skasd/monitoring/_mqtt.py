"""Events to an MQTT broker."""

import re
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Condition
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote

from skasd.monitoring._monitor_event import MonitorEvent

if TYPE_CHECKING:
    from paho.mqtt.client import Client

MOST_WAITING = 10_000
"""Events that wait for a broker that is away; what comes then is left out, and reported."""

LAST_SECONDS = 10.0
"""That the end of the monitor waits for the broker."""

KEEPALIVE_SECONDS = 30

SLOWEST_RECONNECT = 30
"""Seconds between two attempts to reach the broker; the first ones follow each other faster."""

PASSWORD = "SKASD_MQTT_PASSWORD"
"""Environment variable with the password."""


class Broker(NamedTuple):
    """Where events are published.

    Parameters
    ----------
    is_encrypted : bool
        Whether TLS encrypts the connection.
    user : str or None
        Its name; None if the broker asks for none.
    host : str
        The broker.
    port : int
        Its port.
    topic : str
        What the topics begin with.
    """

    is_encrypted: bool
    user: str | None
    host: str
    port: int
    topic: str


def parse_broker(address: str) -> Broker:
    """Parse an address such as ``mqtts://user@host:8883/plant/fan``.

    Parameters
    ----------
    address : str
        The address.

    Returns
    -------
    Broker

    Raises
    ------
    ValueError
        If it is not one, or holds a password.

    Examples
    --------
    >>> from skasd.monitoring._mqtt import parse_broker
    >>> parse_broker("mqtt://broker/plant/fan")
    Broker(is_encrypted=False, user=None, host='broker', port=1883, topic='plant/fan')
    """
    pattern = (
        r"(mqtts?)://(?:([^/@]*)@)?(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@\[\]]+))(?::([0-9]{1,5}))?/(.+)"
    )
    found = re.fullmatch(pattern, address)
    if found is None:
        # Without what may be a password.
        shown = re.sub("//.*@", "//", address)
        raise ValueError(
            f"broker {shown!r}: expected mqtt://USER@HOST:PORT/TOPIC, or mqtts:// for TLS. "
            "USER@ and :PORT may be left out."
        )
    scheme, user, literal, name, port, topic = found.groups()
    if user is not None and ":" in user:
        raise ValueError(
            "The address of the broker holds a password, which every user of this computer can "
            f"see. Leave it out, and set {PASSWORD}, or pass a file that holds it."
        )
    topic = unquote(topic).rstrip("/")
    if not topic or topic.startswith("$") or re.search("[+#?\0]", topic) or len(topic) > 1000:
        raise ValueError(
            f"topic {topic!r}: expected a topic of at most 1,000 characters that does not start "
            "with $, and without +, #, ? and NUL."
        )
    number = int(port) if port else 8883 if scheme == "mqtts" else 1883
    if not 0 < number < 65536:
        raise ValueError(f"port {number} of the broker: expected 1 to 65535.")
    return Broker(
        scheme == "mqtts", unquote(user) if user else None, literal or name, number, topic
    )


class MqttPublisher:
    """Publish events to an MQTT broker, in a context.

    Parameters
    ----------
    address : str
        See `parse_broker`.
    password : str or None
        That of the user.
    complain : callable
        Called with a line on what has failed.
    last_seconds : float
        How long leaving the context may take.

    Raises
    ------
    ImportError
        If paho-mqtt is missing.
    ValueError
        If the address is invalid, or a password has no user.

    Notes
    -----
    Below the topic, there are

    - ``events``: every event as JSON, at least once (QoS 1),
    - ``state``: the last event, retained,
    - ``status``: ``online`` or ``offline``, retained; ``offline`` is the last will.

    If the broker is away, even from the start, the connection is tried again and again, and up to
    `MOST_WAITING` events wait for it in memory. They are lost if the monitor is killed, except for
    those in the event file.
    """

    def __init__(
        self,
        address: str,
        password: str | None,
        complain: Callable[[str], None],
        *,
        last_seconds: float = LAST_SECONDS,
    ):
        self._broker = parse_broker(address)
        self._complain, self._last_seconds = complain, last_seconds
        if password is not None and self._broker.user is None:
            raise ValueError("MQTT takes a password only with a user. Pass mqtt://USER@HOST/TOPIC.")
        self._client = self._make_client(password)
        self._state = ""
        self._problem: str | None = None
        self._n_left_out = 0
        self._n_waiting = 0
        self._is_over = False
        self._changed = Condition()

    def __enter__(self) -> Self:
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_SECONDS)
        self._client.loop_start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over = True
        if not self._n_waiting and not self._client.is_connected():
            self._client.disconnect()
            return
        self._publish("status", "offline", retain=True)
        with self._changed:
            all_taken = self._changed.wait_for(lambda: not self._n_waiting, self._last_seconds)
        self._client.disconnect()
        self._report_left_out()
        if all_taken:
            self._client.loop_stop()
        else:
            self._say(f"{self._n_waiting} messages have not reached the broker, and are lost")

    def add(self, event: MonitorEvent, line: str) -> None:
        """Publish an event, now or once the broker is back.

        Parameters
        ----------
        event : MonitorEvent
            The event.
        line : str
            The event as JSON.
        """
        self._state = line
        if self._n_waiting >= MOST_WAITING:
            if not self._n_left_out:
                self._say(f"{MOST_WAITING:,} events wait for the broker; newer ones are left out")
            self._n_left_out += 1
            return
        self._report_left_out()
        self._publish("events", line)
        if self._client.is_connected():
            self._publish("state", line, retain=True)

    def _make_client(self, password: str | None) -> "Client":
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise ImportError(
                'MQTT needs paho-mqtt 2 or later: pip install "skasd[mqtt]".'
            ) from error
        client = Client(CallbackAPIVersion.VERSION2)
        # What waits is counted here, so that the state and the status always find room.
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(1, SLOWEST_RECONNECT)
        client.will_set(f"{self._broker.topic}/status", "offline", qos=1, retain=True)
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, password)
        if self._broker.is_encrypted:
            client.tls_set_context(ssl.create_default_context())
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _publish(self, name: str, text: str, *, retain: bool = False) -> None:
        with self._changed:
            self._n_waiting += 1
        # Not within: the client holds locks of its own when it calls back.
        self._client.publish(f"{self._broker.topic}/{name}", text, qos=1, retain=retain)

    def _on_connect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._report(f"the broker refuses: {code}")
            return
        self._report(None)
        if not self._is_over:
            self._publish("status", "online", retain=True)
        if self._state:
            self._publish("state", self._state, retain=True)

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        self._report(f"the broker cannot be reached: {sys.exception()}")

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, code: Any, properties: Any
    ) -> None:
        if code.is_failure and self._problem is None:
            self._report("the connection to the broker is lost")

    def _on_publish(self, client: Any, data: Any, number: int, code: Any, properties: Any) -> None:
        with self._changed:
            self._n_waiting -= 1
            self._changed.notify_all()

    def _report_left_out(self) -> None:
        if self._n_left_out:
            self._say(f"{self._n_left_out:,} events were left out")
            self._n_left_out = 0

    def _report(self, problem: str | None) -> None:
        """Report what has changed, but nothing twice in a row."""
        if problem is None and self._problem is not None:
            self._say("connected to the broker")
        elif problem is not None and problem != self._problem:
            self._say(f"{problem}; events wait until it can")
        self._problem = problem

    def _say(self, text: str) -> None:
        # Nobody may read standard error any more, which ends no connection.
        with suppress(OSError):
            self._complain(f"mqtt: {text}")
