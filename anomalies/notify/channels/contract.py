"""What every channel has in common."""

from __future__ import annotations

import socket

from django.conf import settings

from anomalies.notify import addresses
from anomalies.notify.addresses import Network

TIMEOUT_S = 10.0


class NotDelivered(Exception):
    """This attempt failed; another may not."""


def allowed_networks() -> tuple[Network, ...]:
    return addresses.parse(settings.NOTIFY_ALLOWED_NETWORKS)


def vetted_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, all of which may be called. Raises Refused or NotDelivered."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"{host} cannot be resolved: {error}") from error
    unique = dict.fromkeys(str(address[0]) for *_, address in found)
    return addresses.vetted(list(unique), allowed_networks())
