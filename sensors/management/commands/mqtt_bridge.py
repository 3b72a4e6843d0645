"""`manage.py mqtt_bridge`: readings from an MQTT broker."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone
from prometheus_client import start_http_server

from sensors import keys
from sensors.management.arguments import count, not_negative
from sensors.management.explained import ExplainedCommand
from sensors.models import IngestKey, Site
from sensors.mqtt import build
from sensors.mqtt.bridge import LeftBehind
from sensors.mqtt.connection import Refused
from sensors.mqtt.delivery import KeyGone
from sensors.mqtt.options import PROTOCOLS, OptionError
from sensors.mqtt.sparkplug import SparkplugError
from sensors.mqtt.topics import TopicError

EPILOG = """\
  MQTT_INGEST_KEY=PREFIX.SECRET manage.py mqtt_bridge --url mqtt://127.0.0.1:1883 \\
      --topic 'plant/{site}/{asset}/{sensor}' --sensor-id '{asset}/{sensor}'
  manage.py mqtt_bridge --url mqtts://broker.example:8883 --sparkplug plant-1 --site north-plant

Exit status: 0 when told to stop (SIGTERM, Ctrl-C) and all that came is committed; 1 with a sentence
otherwise; 2 an option is wrong. What was not committed is not acknowledged either: the broker
delivers it again at the next start.
"""


class Command(ExplainedCommand):
    epilog = EPILOG
    help = (
        "Read an MQTT broker until told to stop: JSON messages and Sparkplug B. A message is "
        "acknowledged once its readings are committed. Each option has a variable, see "
        ".env.example; user, password, certificates and the key are given by variables alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", help="mqtt://HOST:PORT, or mqtts:// for TLS (MQTT_URL).")
        parser.add_argument(
            "--topic",
            action="append",
            dest="topics",
            metavar="TEMPLATE",
            help="Such as 'plant/{site}/{asset}/{sensor}', may be given again (MQTT_TOPICS). A "
            "level is a word, +, #, {name}, or {name#} for the rest; {site} is the site's slug. "
            "'$share/GROUP/…' shares the messages among bridges.",
        )
        parser.add_argument(
            "--sensor-id",
            metavar="PATTERN",
            help="How named levels make the sensor's id, such as {asset}/{sensor}; "
            "default: {sensor} (MQTT_SENSOR_ID).",
        )
        parser.add_argument(
            "--sparkplug",
            action="append",
            dest="groups",
            metavar="GROUP",
            help="Read the Sparkplug B edge nodes of this group; + is every group "
            "(MQTT_SPARKPLUG_GROUPS).",
        )
        parser.add_argument(
            "--site", help="Act for this site, by slug, instead of with MQTT_INGEST_KEY."
        )
        parser.add_argument(
            "--client-id",
            help="Names the session at the broker; one for each bridge, the same at every start "
            "(MQTT_CLIENT_ID). Default: smartmaint-SITE.",
        )
        parser.add_argument("--protocol", choices=PROTOCOLS, help="Default: 5 (MQTT_PROTOCOL).")
        parser.add_argument(
            "--batch-size", type=count, metavar="N", help="Readings of a commit (MQTT_BATCH_SIZE)."
        )
        parser.add_argument(
            "--batch-timeout-seconds",
            type=not_negative,
            metavar="SECONDS",
            help="Longest wait of a reading for others (MQTT_BATCH_TIMEOUT_SECONDS).",
        )
        parser.add_argument(
            "--metrics-port", type=int, help="Serve Prometheus metrics here (MQTT_METRICS_PORT)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        key, site = _who(options["site"])
        stopping = threading.Event()
        try:
            bridge = build.bridge(
                build.plan(settings, options, site.slug), site=site, key=key, stopping=stopping
            )
            if port := options["metrics_port"] or settings.MQTT_METRICS_PORT:
                start_http_server(port, settings.MQTT_METRICS_HOST)
            with _told_by_signals(stopping):
                bridge.run()
        except (OptionError, TopicError, SparkplugError, OSError) as error:
            raise CommandError(str(error)) from error
        except (Refused, KeyGone, LeftBehind) as error:
            raise CommandError(str(error)) from error


def _who(slug: str | None) -> tuple[IngestKey | None, Site]:
    """For whom the bridge acts: the site of MQTT_INGEST_KEY, or the one that an operator names."""
    text = settings.MQTT_INGEST_KEY
    if bool(text) == bool(slug):
        raise CommandError("Give either MQTT_INGEST_KEY or --site, and not both.")
    if slug:
        site = Site.objects.filter(slug=slug).first()
        if site is None:
            raise CommandError(f"There is no site {slug!r}.")
        return None, site
    key = keys.find(text, now=timezone.now())
    if key is None:
        raise CommandError("MQTT_INGEST_KEY is wrong, revoked or expired.")
    if IngestKey.Scope.WRITE not in key.scopes:
        raise CommandError(f"Key {key.prefix} lacks the scope {IngestKey.Scope.WRITE.value}.")
    return key, key.site


@contextmanager
def _told_by_signals(stopping: threading.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks to stop, a second one ends at once."""

    def stop(number: int, _frame: Any) -> None:
        signal.signal(number, signal.default_int_handler)
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
