"""A device's key in the places where clients of InfluxDB put their credentials."""

from __future__ import annotations

import base64
import binascii

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from sensors.api.authentication import DeviceUser, device
from sensors.models import IngestKey

REALM = 'realm="smartmaint"'


class InfluxAuthentication(BaseAuthentication):
    """`Authorization: Token KEY` (or Bearer, or Api-Key); Basic with the key as the password; `p`.

    A name in front of the key (`Token NAME:KEY`, Basic's user, `u`) says nothing and may be any.
    """

    def authenticate(self, request: Request) -> tuple[DeviceUser, IngestKey] | None:
        text = _key_text(request)
        return None if text is None else device(text)

    def authenticate_header(self, request: Request) -> str:
        return f"Token {REALM}, Basic {REALM}"


def _key_text(request: Request) -> str | None:
    scheme, _, text = get_authorization_header(request).decode("latin-1").strip().partition(" ")
    match scheme.lower():
        case "":
            return request.query_params.get("p")
        case "basic":
            return _password(text)
        case "token" | "bearer" | "api-key":
            return text.rpartition(":")[2]
    return None


def _password(encoded: str) -> str:
    try:
        name_and_password = base64.b64decode(encoded, validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
    return name_and_password.partition(":")[2]
