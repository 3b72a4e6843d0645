"""Where the broker is and how to speak to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883}
PROTOCOLS = ("5", "3.1.1")
MAX_RECEIVE = 65_535


class OptionError(ValueError):
    """An option that cannot be meant, with what to write instead."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    has_tls: bool


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """One persistent session at one broker.

    client_id: what the broker knows the session by, the same after every restart;
    session_expiry_s: how long the broker keeps it while nobody is connected (MQTT 5);
    receive_maximum: messages that may be unacknowledged at once.
    """

    address: Address
    client_id: str
    protocol: str = "5"
    keepalive_s: int = 60
    session_expiry_s: int = 7 * 86_400
    receive_maximum: int = 1000
    username: str = ""
    password: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @property
    def session(self) -> str:
        """What tells this session from every other."""
        return f"{self.address.host}:{self.address.port}/{self.client_id}"

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise OptionError(f"MQTT protocol {self.protocol!r} is not one of 5, 3.1.1")
        if not 1 <= self.receive_maximum <= MAX_RECEIVE:
            raise OptionError(f"the receive maximum is from 1 to {MAX_RECEIVE}")
        if not self.client_id or len(self.client_id.encode(errors="replace")) > MAX_RECEIVE:
            raise OptionError("a client id is needed: the broker keeps the session by it")
        if self.keepalive_s < 5 or self.session_expiry_s < 0:
            raise OptionError("keepalive is at least 5 s, and a session expiry not negative")
        if bool(self.cert_file) != bool(self.key_file):
            raise OptionError("MQTT_CERT_FILE and MQTT_KEY_FILE belong together")
        if self.password and not self.username:
            raise OptionError("MQTT_PASSWORD needs MQTT_USERNAME")
        if (self.ca_file or self.cert_file) and not self.address.has_tls:
            raise OptionError("certificates are for TLS: the address begins with mqtts://")


def read_address(url: str) -> Address:
    """Raises OptionError. Credentials do not belong into it: addresses end up in logs.

    >>> read_address("mqtts://broker.plant.example")
    Address(host='broker.plant.example', port=8883, has_tls=True)
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in {"", "/"}:
        raise OptionError("the broker's address is mqtt://HOST:PORT, or mqtts:// for TLS")
    if parts.username is not None or parts.query or parts.fragment:
        raise OptionError("the broker's address has no credentials: MQTT_USERNAME, MQTT_PASSWORD")
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        raise OptionError(f"the broker's address: {error}") from error
    return Address(parts.hostname, port, parts.scheme == "mqtts")
