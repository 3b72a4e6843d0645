"""Webhooks, signed as standardwebhooks.com has it; to addresses of the Internet only.

The name is resolved once, every address it has is looked at, and the connection goes to the address
that was looked at: a name that answers differently the second time gains nothing. Redirects are
errors, and proxies of the environment are not used.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

import urllib3
from standardwebhooks.webhooks import Webhook

from anomalies.models import Message
from anomalies.notify.channels.contract import TIMEOUT_S, NotDelivered, vetted_addresses

PORTS = {"http": 80, "https": 443}


def send(message: Message) -> None:
    """Raises Refused for an address that must not be called, NotDelivered for what failed."""
    parts = urlsplit(message.target)
    data = json.dumps(message.content["payload"], ensure_ascii=False, sort_keys=True)
    # The time of this attempt: receivers refuse what was signed minutes ago.
    signed_at = datetime.now(UTC)
    secret = message.route.secret if message.route else ""
    signature = Webhook(secret).sign(str(message.key), signed_at, data)
    headers = {
        "Host": parts.netloc.rpartition("@")[2],
        "Content-Type": "application/json",
        "User-Agent": "smartmaint",
        "webhook-id": str(message.key),
        "webhook-timestamp": str(int(signed_at.timestamp())),
        "webhook-signature": signature,
    }
    status = _post(parts, data.encode(), headers)
    if not 200 <= status < 300:
        redirect = " (redirects are not followed)" if 300 <= status < 400 else ""
        raise NotDelivered(f"{parts.hostname} answered {status}{redirect}")


def _post(parts: SplitResult, data: bytes, headers: dict[str, str]) -> int:
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme]
    address = vetted_addresses(host, port)[0]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with _pool(parts.scheme, host, address, port) as pool:
        try:
            answer = pool.urlopen(
                "POST", path, body=data, headers=headers, redirect=False, retries=False,
                preload_content=False,
            )  # fmt: skip
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NotDelivered(f"{host}: {type(error).__name__}") from error
        status: int = answer.status
        answer.close()
    return status


def _pool(scheme: str, host: str, address: str, port: int) -> urllib3.HTTPConnectionPool:
    """Connects to the address; the certificate must be the host's."""
    timeout = urllib3.Timeout(total=TIMEOUT_S)
    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    return urllib3.HTTPSConnectionPool(
        address, port, timeout=timeout, server_hostname=host, assert_hostname=host
    )
