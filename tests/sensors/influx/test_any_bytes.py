"""Any bytes get a documented answer."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import numpy as np
import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sensors.models import Reading
from tests.sensors.influx.lines import V2, stored

pytestmark = pytest.mark.django_db(transaction=True)


PIECES = st.sampled_from(
    [
        b"m",
        b",",
        b"=",
        b" ",
        b"\n",
        b'"',
        b"\\",
        b"#",
        b"\0",
        b"\xff",
        b"1",
        b"t=",
        b" f=1",
        b" 1000",
    ]
)


# One key serves all examples; what they store does not matter to each other.
shared = hypothesis_settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@shared
@given(body=st.lists(PIECES, max_size=20).map(b"".join) | st.binary(max_size=100))
def test_any_bytes_get_a_documented_answer(secret: str, body: bytes) -> None:
    assert without_a_socket(body, secret).status_code in {204, 400}


@shared
@given(
    fields=st.dictionaries(
        st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20),
        st.floats(-1e100, 1e100),
        min_size=1,
        max_size=5,
    ),
    time=st.integers(0, 2**60),
)
def test_what_is_accepted_reads_back_equal(
    secret: str, fields: dict[str, float], time: int
) -> None:
    Reading.objects.all().delete()
    sent = ",".join(f"{name}={value!r}" for name, value in fields.items())
    assert without_a_socket(f"m {sent} {time}".encode(), secret).status_code == 204
    at = np.datetime64(time // 1000, "us").item().replace(tzinfo=UTC)
    assert {name: (time, value.hex()) for name, (time, value) in stored().items()} == {
        f"m.{name}": (at, value.hex()) for name, value in fields.items()
    }


def without_a_socket(body: bytes, secret: str) -> Any:
    """Through the whole project; what the view does not foresee is raised."""
    client = Client(raise_request_exception=True)
    headers = {"Authorization": f"Token {secret}"}
    return client.post(V2, body, content_type="text/plain", headers=headers)
