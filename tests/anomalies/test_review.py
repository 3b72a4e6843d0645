"""What a person says, and what the profile keeps of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product

import pytest
from django.db import connection

from anomalies.models import Anomaly, Review, SensorValidationProfile, Verdict
from anomalies.review import review
from tests.factories import NOW, make_anomaly, make_person, make_sensor

CONFIRMED, REFUTED, UNSURE = Verdict.CONFIRMED, Verdict.FALSE_POSITIVE, Verdict.UNSURE
COUNTS = {CONFIRMED: (1, 0), REFUTED: (0, 1), UNSURE: (0, 0)}


def say(anomaly: Anomaly, verdict: Verdict, note: str = "", *, minutes: int = 0) -> Review:
    person = make_person(anomaly.sensor.site)
    now = NOW + timedelta(minutes=minutes)
    return review(anomaly=anomaly, verdict=verdict, note=note, person=person, now=now)


def counts(anomaly: Anomaly) -> tuple[float, float]:
    profile = SensorValidationProfile.objects.filter(sensor=anomaly.sensor_id).first()
    return (profile.confirmed, profile.refuted) if profile else (0, 0)


@pytest.mark.django_db
def test_a_review_is_stored_with_its_author_note_and_time() -> None:
    anomaly = make_anomaly()
    said = say(anomaly, CONFIRMED, "bearing replaced")
    stored = Review.objects.get()
    assert (stored.verdict, stored.note, stored.created_at) == (
        "confirmed",
        "bearing replaced",
        NOW,
    )
    assert stored.person == said.person
    assert Anomaly.objects.get().verdict == anomaly.verdict == "confirmed"


@pytest.mark.django_db
@pytest.mark.parametrize(("first", "second"), list(product(Verdict, Verdict)))
def test_changing_ones_mind_moves_the_count_and_never_doubles_it(
    first: Verdict, second: Verdict
) -> None:
    anomaly = make_anomaly()
    say(anomaly, first)
    assert counts(anomaly) == COUNTS[first]
    say(anomaly, second, minutes=1)
    assert counts(anomaly) == COUNTS[second]
    assert Anomaly.objects.get().verdict == second
    assert [r.verdict for r in anomaly.reviews.all()] == [second, first]


@pytest.mark.django_db
def test_a_stale_copy_of_the_anomaly_does_not_miscount() -> None:
    anomaly = make_anomaly()
    stale = Anomaly.objects.get()
    say(anomaly, CONFIRMED)
    say(stale, REFUTED, minutes=1)
    assert counts(anomaly) == (0, 1)


@pytest.mark.django_db
def test_anomalies_of_one_sensor_count_one_by_one() -> None:
    sensor = make_sensor()
    for minutes, verdict in enumerate([CONFIRMED, CONFIRMED, REFUTED, UNSURE]):
        say(make_anomaly(sensor=sensor, start=NOW + timedelta(minutes=minutes)), verdict)
    assert counts(make_anomaly(sensor=sensor, start=NOW + timedelta(days=1))) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_reviews_at_once_are_all_counted() -> None:
    sensor = make_sensor()
    anomalies = [make_anomaly(sensor=sensor, start=NOW + timedelta(hours=i)) for i in range(6)]
    person = make_person(sensor.site)

    def work(i: int) -> None:
        try:
            verdict = CONFIRMED if i % 3 else REFUTED
            review(anomaly=anomalies[i % 6], verdict=verdict, note="", person=person, now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as people:
        list(people.map(work, range(24)))
    standing = [anomaly.verdict for anomaly in Anomaly.objects.all()]
    assert counts(anomalies[0]) == (standing.count(CONFIRMED), standing.count(REFUTED))
    assert Review.objects.count() == 24
