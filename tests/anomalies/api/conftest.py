"""Fixtures of these tests."""

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from sensors.models import Site
from tests.anomalies.api.asking import signed_in
from tests.factories import make_person, make_site


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def person(site: Site) -> User:
    return make_person(site)


@pytest.fixture
def api(person: User) -> APIClient:
    return signed_in(person)
