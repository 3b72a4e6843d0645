"""Credentials of devices: `Authorization: Api-Key <prefix>.<secret>`.

The secret has 256 bits from the system's generator, so its SHA-256 may be stored as it is: there is
no dictionary to try against it.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from sensors import statements
from sensors.formats import DEFAULT_TEMPLATE, Template
from sensors.models import IngestKey, Site

_SECRET_BYTES = 32
_TEXT = re.compile(r"([0-9a-f]{12})\.([A-Za-z0-9_-]{43})")
_KEY_FIELDS, _SITE_FIELDS = (
    [field.attname for field in model._meta.concrete_fields] for model in (IngestKey, Site)
)
# Every request of a device asks this: written out, because a queryset takes longer to become SQL
# than the server takes to answer it.
_USABLE = f"""
SELECT {", ".join([f"k.{name}" for name in _KEY_FIELDS] + [f"s.{name}" for name in _SITE_FIELDS])}
FROM sensors_ingestkey k JOIN sensors_site s ON s.id = k.site_id
WHERE k.prefix = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %s)
"""  # noqa: S608  names of columns only
# Writing down each use would make one row the bottleneck of a busy key.
_USE_NOTED_EVERY = timedelta(minutes=1)


def issue(
    *,
    site: Site,
    name: str,
    scopes: Sequence[str] = (IngestKey.Scope.WRITE,),
    rate_per_second: float | None = None,
    burst: int | None = None,
    expires_at: datetime | None = None,
    line_template: str = DEFAULT_TEMPLATE,
) -> tuple[IngestKey, str]:
    """A new key and its text, which cannot be had a second time. Raises ValueError."""
    unknown = set(scopes) - set(IngestKey.Scope.values)
    if unknown or not scopes:
        raise ValueError(f"scopes are some of {', '.join(IngestKey.Scope.values)}")
    for limit in (rate_per_second, burst):
        if limit is not None and not 0 < limit < math.inf:
            raise ValueError(f"a limit is above 0, not {limit}")
    Template.parse(line_template)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    key = IngestKey.objects.create(
        site=site,
        name=name,
        prefix=secrets.token_hex(6),
        digest=_digest(secret),
        scopes=[str(scope) for scope in scopes],
        rate_per_second=rate_per_second,
        burst=burst,
        expires_at=expires_at,
        line_template=line_template,
    )
    return key, f"{key.prefix}.{secret}"


def find(text: str, *, now: datetime) -> IngestKey | None:
    """The usable key of this text, None when it is wrong, revoked or expired. Notes the use."""
    parts = _TEXT.fullmatch(text)
    if parts is None:
        return None
    prefix, secret = parts.groups()
    key = _usable(prefix, now)
    if key is None or not hmac.compare_digest(bytes(key.digest), _digest(secret)):
        return None
    _note_use(key, now)
    return key


def revoke(key: IngestKey, *, now: datetime) -> None:
    """Refused from now on. The first revocation counts."""
    IngestKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now)


def _usable(prefix: str, now: datetime) -> IngestKey | None:
    row = statements.run(_USABLE, (prefix, now)).fetchone()
    if row is None:
        return None
    found: IngestKey = IngestKey.from_db(None, _KEY_FIELDS, row[: len(_KEY_FIELDS)])
    found.site = Site.from_db(None, _SITE_FIELDS, row[len(_KEY_FIELDS) :])
    return found


def _note_use(key: IngestKey, now: datetime) -> None:
    if key.last_used_at is None or key.last_used_at < now - _USE_NOTED_EVERY:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at=key.last_used_at)
        IngestKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
