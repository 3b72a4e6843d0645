"""What holds for every test. The services are a plugin; see tests/services_fixtures.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def tables_without_rows_are_left_alone() -> Iterator[None]:
    """Tests that commit are cleaned up after by `tests.emptying`."""
    from django.test import TransactionTestCase

    from tests.emptying import empty_tables

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield
