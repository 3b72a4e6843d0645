"""Rows that were not accepted, into quarantine: each once, with its reason and as it came."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from sensors.models import IngestKey, Site
from sensors.rows import Rejection

MAX_DETAIL = 500

_HOLD = """
INSERT INTO sensors_quarantinedreading (
    site_id, key_id, source, received_at, sensor_ref, category, code, detail, payload, digest)
SELECT %s::bigint, %s::bigint, %s::text, %s::timestamptz, * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[])
    AS held (sensor_ref, category, code, detail, payload, digest)
ORDER BY digest
ON CONFLICT (site_id, digest) DO NOTHING
"""


def hold(
    rejections: Sequence[Rejection],
    *,
    site: Site,
    key: IngestKey | None,
    source: str,
    now: datetime,
) -> None:
    """Keep rejected rows. The same row rejected for the same reason is kept once.

    One statement, sorted by digest, so writers wait for each other in one order.
    """
    if not rejections:
        return
    columns = (
        [one.sensor for one in rejections],
        [one.category for one in rejections],
        [one.code for one in rejections],
        [one.detail[:MAX_DETAIL] for one in rejections],
        [one.payload for one in rejections],
        [_digest(one, source) for one in rejections],
    )
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [site.pk, key.pk if key else None, source, now, *columns])


def _digest(one: Rejection, source: str) -> bytes:
    return hashlib.sha256("\0".join((one.code, source, one.payload)).encode()).digest()
