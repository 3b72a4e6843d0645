"""Pages by cursor: complete, once each, while rows arrive."""

from typing import Any

import pytest
from django.test import Client

from sensors.models import Site

pytestmark = [pytest.mark.urls("tests.smartmaint.paged_urls"), pytest.mark.django_db]


def make_sites(first: int, count: int) -> None:
    Site.objects.bulk_create(
        Site(slug=f"s{n}", name=f"Site {n % 3}") for n in range(first, first + count)
    )


def page(address: str) -> Any:
    return Client().get(address).json()


def all_slugs(address: str) -> list[str]:
    slugs: list[str] = []
    following: str | None = address
    while following:
        found = page(following)
        slugs += [row["slug"] for row in found["results"]]
        following = found["next"]
    return slugs


def test_following_next_gives_every_row_once() -> None:
    make_sites(0, 25)
    assert sorted(all_slugs("/sites?page_size=4")) == sorted(f"s{n}" for n in range(25))


def test_the_view_states_the_order_and_ties_break_by_id() -> None:
    make_sites(0, 7)
    assert all_slugs("/by-name?page_size=2") == ["s0", "s3", "s6", "s1", "s4", "s2", "s5"]


def test_the_newest_come_first_by_default() -> None:
    make_sites(0, 3)
    assert all_slugs("/sites") == ["s2", "s1", "s0"]


def test_rows_that_arrive_meanwhile_shift_nothing() -> None:
    make_sites(0, 6)
    first = page("/sites?page_size=3")
    make_sites(6, 5)
    second = page(first["next"])
    assert [row["slug"] for row in first["results"] + second["results"]] == [
        f"s{n}" for n in (5, 4, 3, 2, 1, 0)
    ]


def test_a_page_has_50_rows_unless_asked_otherwise_and_never_more_than_500() -> None:
    make_sites(0, 505)
    assert len(page("/sites")["results"]) == 50
    assert len(page("/sites?page_size=100000")["results"]) == 500


@pytest.mark.parametrize("size", ["0", "-3", "many"])
def test_a_page_size_that_makes_no_sense_is_the_usual_one(size: str) -> None:
    make_sites(0, 60)
    assert len(page(f"/sites?page_size={size}")["results"]) == 50


def test_a_made_up_cursor_is_an_error_in_the_one_shape() -> None:
    answer = Client().get("/sites?cursor=xyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
