"""Who is calling: a device with `Authorization: Api-Key <prefix>.<secret>`."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from sensors import keys, store
from sensors.models import IngestKey, Site

KEYWORD = "Api-Key"


class DeviceUser:
    """Stands where a person stands otherwise; has no row and no rights of its own."""

    pk = None
    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_staff = False
    is_superuser = False

    def __init__(self, key: IngestKey) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"device {self.key}"

    @property
    def site(self) -> Site:
        return self.key.site


def device(text: str) -> tuple[DeviceUser, IngestKey]:
    """Whose key this is. Raises AuthenticationFailed."""
    # The first that a call asks of the store: while it is away, that is known without asking.
    key = store.breaker.call(lambda: keys.find(text.strip(), now=timezone.now()), on=store.AWAY)
    if key is None:
        # One answer for wrong, revoked and expired: nothing to learn from trying.
        raise AuthenticationFailed("The key is wrong, revoked or expired.", "key_invalid")
    return DeviceUser(key), key


class IngestKeyAuthentication(BaseAuthentication):
    """request.auth is the IngestKey, request.user a DeviceUser."""

    def authenticate(self, request: Request) -> tuple[DeviceUser, IngestKey] | None:
        keyword, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if keyword.lower() != KEYWORD.lower():
            return None
        return device(text)

    def authenticate_header(self, request: Request) -> str:
        return f'{KEYWORD} realm="api"'
