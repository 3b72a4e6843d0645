"""JWT for people: what a login gives, what a token opens, and how guessing is slowed down."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

PASSWORD = "correct horse battery staple"
SENSORS = "/api/v1/sensors"


@pytest.fixture(autouse=True)
def _no_earlier_tries_and_quick_passwords(settings: Settings) -> None:
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def person(db: None) -> User:
    return User.objects.create_user("ines", password=PASSWORD)


def post(path: str, body: dict[str, Any], **extra: Any) -> Any:
    return Client().post(path, body, content_type="application/json", **extra)


def login(password: str = PASSWORD, **extra: Any) -> Any:
    return post("/api/v1/token", {"username": "ines", "password": password}, **extra)


def with_token(path: str, token: object) -> Any:
    return Client().get(path, headers={"Authorization": f"Bearer {token}"})


def test_a_login_gives_a_token_that_opens_the_api(person: User) -> None:
    given = login()
    assert given.status_code == 200
    assert with_token(SENSORS, given.json()["access"]).status_code == 200


def test_an_access_token_lives_ten_minutes(person: User) -> None:
    access = AccessToken(login().json()["access"])
    assert access["exp"] - access["iat"] == 600


def test_a_refresh_token_gives_a_new_access_token(person: User) -> None:
    given = post("/api/v1/token/refresh", {"refresh": login().json()["refresh"]})
    assert given.status_code == 200
    assert with_token(SENSORS, given.json()["access"]).status_code == 200


def test_a_refresh_token_opens_nothing_itself(person: User) -> None:
    assert with_token(SENSORS, login().json()["refresh"]).status_code == 401


def test_a_wrong_password_is_refused_in_the_one_shape(person: User) -> None:
    answer = login("wrong")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "no_active_account"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_missing_password_is_explained_by_field(db: None) -> None:
    answer = post("/api/v1/token", {"username": "ines"})
    assert (answer.status_code, set(answer.json()["error"]["details"])) == (400, {"password"})


def test_a_person_who_left_cannot_log_in_nor_use_an_old_token(person: User) -> None:
    access = login().json()["access"]
    person.is_active = False
    person.save()
    assert login().status_code == 401
    assert with_token(SENSORS, access).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_token_that_is_none_is_refused_in_the_one_shape(db: None, token: str) -> None:
    answer = with_token(SENSORS, token)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error"}


def test_an_expired_token_is_refused(person: User) -> None:
    access = AccessToken.for_user(person)
    access.set_exp(lifetime=-timedelta(seconds=1))
    answer = with_token(SENSORS, access)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_not_valid")


def test_an_expired_refresh_token_is_refused(person: User) -> None:
    refresh = RefreshToken.for_user(person)
    refresh.set_exp(lifetime=-timedelta(seconds=1))
    answer = post("/api/v1/token/refresh", {"refresh": str(refresh)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_not_valid")


def test_guessing_is_slowed_down_and_told_how_long_to_wait(person: User) -> None:
    answers = [login(f"guess {n}").status_code for n in range(10)]
    assert answers == [401] * 10
    refused = login()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "throttled")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_a_made_up_forwarded_address_is_no_way_around_it(person: User) -> None:
    for n in range(10):
        login("guess", headers={"X-Forwarded-For": f"10.0.0.{n}"})
    assert login("guess", headers={"X-Forwarded-For": "10.0.0.99"}).status_code == 429
