"""From settings and options to a bridge."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensors.microbatch import MicroBatch
from sensors.models import IngestKey, Site
from sensors.mqtt import sparkplug, topics
from sensors.mqtt.arrivals import Arrivals
from sensors.mqtt.bridge import Bridge
from sensors.mqtt.connection import Connection
from sensors.mqtt.delivery import Delivery
from sensors.mqtt.intake import Intake, Limits
from sensors.mqtt.messages import Inbox, Message
from sensors.mqtt.nodes import Nodes
from sensors.mqtt.options import BrokerOptions, OptionError, read_address
from sensors.mqtt.topics import Template, TopicError

# What brokers let be unacknowledged when the protocol cannot say: Mosquitto's default.
_WINDOW_OF_3_1_1 = 20
_INBOX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bridge is to do."""

    broker: BrokerOptions
    templates: tuple[Template, ...]
    groups: tuple[str, ...]
    batch_size: int
    batch_timeout_s: float
    birth_timeout_s: float
    rebirth_interval_s: float
    limits: Limits

    @property
    def filters(self) -> list[str]:
        plain = [template.filter for template in self.templates]
        return plain + [one for group in self.groups for one in sparkplug.filters(group)]


def plan(settings: Any, options: Mapping[str, Any], site: str) -> Plan:
    """Options where given, settings elsewhere. Raises OptionError, TopicError, SparkplugError."""

    def chosen(option: str, setting: str) -> Any:
        given = options.get(option)
        return getattr(settings, setting) if given is None else given

    made = Plan(
        broker=_broker(settings, chosen, site),
        templates=tuple(
            topics.read_template(text, site=site, sensor_id=chosen("sensor_id", "MQTT_SENSOR_ID"))
            for text in chosen("topics", "MQTT_TOPICS")
        ),
        groups=tuple(chosen("groups", "MQTT_SPARKPLUG_GROUPS")),
        batch_size=chosen("batch_size", "MQTT_BATCH_SIZE"),
        batch_timeout_s=chosen("batch_timeout_seconds", "MQTT_BATCH_TIMEOUT_SECONDS"),
        birth_timeout_s=settings.MQTT_BIRTH_TIMEOUT_SECONDS,
        rebirth_interval_s=settings.MQTT_REBIRTH_INTERVAL_SECONDS,
        limits=Limits(settings.INGEST_MAX_READINGS, settings.INGEST_MAX_BODY_BYTES),
    )
    _check(made)
    return made


def bridge(made: Plan, *, site: Site, key: IngestKey | None, stopping: threading.Event) -> Bridge:
    """A bridge that has not begun. Raises OSError when a certificate cannot be read."""
    window = made.broker.receive_maximum
    inbox = Inbox(max_messages=window, max_bytes=_INBOX_BYTES)
    nodes: Nodes[Message] = Nodes(
        birth_timeout_s=made.birth_timeout_s,
        rebirth_interval_s=made.rebirth_interval_s,
        max_held=max(window // 2, 1),
    )
    return Bridge(
        connection=Connection(made.broker, made.filters, inbox),
        inbox=inbox,
        intake=Intake(made.templates, nodes, made.limits, has_sparkplug=bool(made.groups)),
        delivery=Delivery(site, Arrivals(made.broker.session, window=window), key),
        batch=MicroBatch(made.batch_size, made.batch_timeout_s),
        window=window,
        stopping=stopping,
    )


def _broker(settings: Any, chosen: Any, site: str) -> BrokerOptions:
    url = chosen("url", "MQTT_URL")
    if not url:
        raise OptionError("say where the broker is: --url mqtt://HOST:PORT, or MQTT_URL")
    protocol = chosen("protocol", "MQTT_PROTOCOL")
    return BrokerOptions(
        address=read_address(url),
        client_id=chosen("client_id", "MQTT_CLIENT_ID") or f"smartmaint-{site}",
        protocol=protocol,
        keepalive_s=settings.MQTT_KEEPALIVE_SECONDS,
        session_expiry_s=settings.MQTT_SESSION_EXPIRY_SECONDS,
        receive_maximum=settings.MQTT_RECEIVE_MAXIMUM
        or (1000 if protocol == "5" else _WINDOW_OF_3_1_1),
        username=settings.MQTT_USERNAME,
        password=settings.MQTT_PASSWORD,
        ca_file=settings.MQTT_CA_FILE,
        cert_file=settings.MQTT_CERT_FILE,
        key_file=settings.MQTT_KEY_FILE,
    )


def _check(made: Plan) -> None:
    if not made.filters:
        raise TopicError("say what to read: --topic TEMPLATE or --sparkplug GROUP")
    topics.check_apart(made.filters)
    if any(f"{sparkplug.NAMESPACE}/" in template.filter for template in made.templates):
        raise TopicError("topics of Sparkplug are read with --sparkplug GROUP")
    if made.groups and any(topics.is_shared(one) for one in made.filters):
        raise TopicError(
            "Sparkplug needs every message of a node in one bridge: no shared subscription "
            "beside it"
        )
    if made.batch_size < 1 or made.batch_timeout_s <= 0:
        raise OptionError("batch size and batch timeout are positive")
    if made.birth_timeout_s <= 0 or made.rebirth_interval_s <= 0:
        raise OptionError(
            "MQTT_BIRTH_TIMEOUT_SECONDS and MQTT_REBIRTH_INTERVAL_SECONDS are positive"
        )
