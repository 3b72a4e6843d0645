"""Whether what a route names can be reached at all; said when it is saved. Pure."""

from __future__ import annotations

import base64
import binascii
from email.utils import parseaddr
from urllib.parse import urlsplit

# Services whose address apprise knows, or that are named by their host. Not among them: what runs
# a program or speaks to the machine it runs on, and json://, xml:// and form://, for which there
# are signed webhooks.
HOSTED = frozenset(
    {
        *("slack", "discord", "tgram", "msteams", "workflows", "gchat", "wxteams", "zulip"),
        *("pover", "pagerduty", "opsgenie", "twilio"),
    }
)
BY_HOST = frozenset(
    {
        *("mmost", "mmosts", "rocket", "rockets", "matrix", "matrixs", "ntfy", "ntfys"),
        *("gotify", "gotifys", "signal", "signals"),
    }
)
CHAT = HOSTED | BY_HOST
MIN_SECRET_BYTES = 24


class BadTarget(ValueError):
    """field: of the route, which is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def check(channel: str, target: str, secret: str) -> None:
    """Raises BadTarget."""
    match channel:
        case "email":
            mail_addresses(target)
        case "webhook":
            parts = urlsplit(target)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
                raise BadTarget("target", "The address of a webhook is https://HOST/PATH.")
            _check_secret(secret)
        case "chat":
            if urlsplit(target.strip()).scheme not in CHAT:
                raise BadTarget("target", f"It begins with one of {', '.join(sorted(CHAT))} ://")


def mail_addresses(target: str) -> list[str]:
    """The mail addresses of a route. Raises BadTarget.

    >>> mail_addresses("ada@plant.example, bob@plant.example")
    ['ada@plant.example', 'bob@plant.example']
    """
    found = [part.strip() for part in target.replace("\n", ",").split(",") if part.strip()]
    for address in found:
        if parseaddr(address)[1] != address or address.count("@") != 1:
            raise BadTarget("target", f"{address} is no mail address.")
    if not found:
        raise BadTarget("target", "Nobody to write to.")
    return found


def _check_secret(secret: str) -> None:
    try:
        raw = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) < MIN_SECRET_BYTES:
        raise BadTarget("secret", f"whsec_ and {MIN_SECRET_BYTES} bytes or more in base64.")
