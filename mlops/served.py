"""How models came to serve, in words: what the admin and the command show of the tally."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import CharField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Concat

from mlops import serving
from mlops.models import Fallback, ServedModel
from sensors.presentation import age


def counted(row: ServedModel) -> str:
    return (
        f"{row.hits} times in memory, {row.disk_loads} from disk, {row.downloads} downloaded, "
        f"{row.failures} failed"
    )


def loaded(row: ServedModel, now: datetime) -> str:
    """When it was last loaded, and how long that took."""
    if row.loaded_at is None or row.load_seconds is None:
        return "never loaded"
    return f"loaded {age(row.loaded_at, now)} in {row.load_seconds:.3f} s"


def fallbacks(name: str) -> str:
    """Which rungs judged in its stead; empty where none did."""
    return next(iter(_fallbacks_of(name)), "")


def with_fallbacks(rows: QuerySet[ServedModel]) -> QuerySet[Any]:
    """The same in words as `fallbacks` of each row; None where none did."""
    return rows.annotate(fallbacks=Subquery(_fallbacks_of(OuterRef("name"))))


def _fallbacks_of(name: str | OuterRef) -> QuerySet[Fallback, str]:
    said = Concat("rung", Value(" "), Cast("sensors", CharField()), Value(" times"))
    of = Fallback.objects.filter(name=name).order_by().values("name")
    return of.annotate(said=StringAgg(said, ", ", ordering="rung")).values_list("said", flat=True)


def chosen(sensor_id: int, kind: str) -> str:
    """Which champion is to judge a sensor, and why that one; empty where none was promoted."""
    promotion = serving.promoted(sensor_id, kind)
    if promotion is None:
        return ""
    is_own = promotion.name == serving.model_for_sensor(sensor_id)
    whose = (
        "the sensor's own, which goes before its kind's"
        if is_own
        else f"that of {kind}, for the sensor has none of its own"
    )
    return f"{promotion.name} v{promotion.version}, {whose}"


def serving_lines(name: str, *, now: datetime) -> list[str]:
    """Of one model; none where detection never asked for it."""
    row = ServedModel.objects.filter(name=name).first()
    if row is None:
        return []
    lines = [f"  serving: {counted(row)}; {loaded(row, now)}"]
    if row.reason:
        lines.append(f"  v{row.version} does not serve: {row.reason}")
    if instead := fallbacks(name):
        lines.append(f"  lower rungs in its stead: {instead}")
    return lines
