"""Chat and the rest, through apprise: the services that anomalies.notify.targets lists.

Where the address names a host, it is looked at before; but apprise resolves it again, so that a
name that answers differently the second time is not caught here, as it is by webhooks.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import apprise

from anomalies.models import Message
from anomalies.notify.addresses import Refused
from anomalies.notify.channels.contract import NotDelivered, vetted_addresses
from anomalies.notify.targets import BY_HOST, BadTarget, check


def send(message: Message) -> None:
    """Raises Refused for a service that is not listed or lies in a private network."""
    try:
        check("chat", message.target, "")
    except BadTarget as error:
        raise Refused(str(error)) from error
    asset = apprise.AppriseAsset(http_redirects=False, app_id="smartmaint", async_mode=False)
    service: Any = apprise.Apprise.instantiate(message.target.strip(), asset=asset)
    if service is None:
        raise Refused("apprise cannot read the address")
    if urlsplit(message.target.strip()).scheme in BY_HOST and service.host:
        vetted_addresses(service.host, service.port or 443)
    sent = service.notify(title=message.content["subject"], body=message.content["body"])
    if not sent:
        raise NotDelivered(f"{service.service_name} did not take it")
