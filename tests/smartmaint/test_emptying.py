"""After a test that commits no row is left, and the next one finds what migrations made."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from tests.emptying import FEW, KEPT, empty_tables
from tests.factories import make_anomaly, make_asset, make_person, make_readings, make_sensor

pytestmark = pytest.mark.django_db(transaction=True)


def tables_with_rows() -> list[str]:
    with connection.cursor() as cursor:
        names = set(connection.introspection.table_names(cursor)) - KEPT
        found = []
        for name in sorted(names):
            cursor.execute(f"SELECT EXISTS (SELECT FROM {connection.ops.quote_name(name)})")
            if cursor.fetchone()[0]:
                found.append(name)
    return found


@pytest.mark.parametrize("machines", [1, FEW + 1])
def test_tables_that_others_point_at_are_emptied_too(machines: int) -> None:
    before = Permission.objects.count()
    asset = make_asset(parent=make_asset())
    for _ in range(machines):
        make_asset(site=asset.site)
    sensor = make_sensor(asset=asset)
    make_readings(sensor, [1.0] * 10)
    make_anomaly(sensor=sensor, follows=make_anomaly(sensor=sensor, start=sensor.created_at))
    make_person(asset.site).user_permissions.set(Permission.objects.all())
    assert len(tables_with_rows()) >= 7
    empty_tables()
    assert tables_with_rows() == []
    assert Permission.objects.count() == before > 0
