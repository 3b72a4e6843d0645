"""The review workplace: what it lists, what its pages say, and what a verdict does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from anomalies.models import (
    Anomaly,
    AnomalyRevision,
    Review,
    SensorValidationProfile,
    Validation,
    ValidationRule,
)
from mlops.models import Promotion
from sensors.models import QuarantinedReading, SensorProfile, Site
from tests.factories import (
    NOW,
    make_anomaly,
    make_asset,
    make_person,
    make_readings,
    make_sensor,
    make_silence,
    make_site,
)

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
LIST = "admin:anomalies_anomaly_changelist"


def make_engineer(*sites: Site, may: tuple[str, ...] = ("view_anomaly", "add_review")) -> User:
    person = make_person(*sites, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=may))
    return person


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def boss() -> Client:
    return signed_in(make_person(is_staff=True, is_superuser=True))


def listed(client: Client, **query: Any) -> list[int]:
    answer = client.get(reverse(LIST), query)
    assert answer.status_code == 200
    return [anomaly.pk for anomaly in answer.context["cl"].result_list]


def page_of(client: Client, anomaly: Anomaly) -> str:
    answer = client.get(reverse("admin:anomalies_anomaly_change", args=[anomaly.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def review_on_page(client: Client, anomaly: Anomaly, **form: str) -> int:
    address = reverse("admin:anomalies_anomaly_review", args=[anomaly.pk])
    return client.post(address, form).status_code


def make_validation(anomaly: Anomaly, **values: object) -> Validation:
    return Validation.objects.create(
        **{
            "anomaly": anomaly,
            "revision": 1,
            "decision": "credible_anomaly",
            "status": "credible_anomaly",
            "confidence": 0.75,
            "terms": [
                {"source": "detector", "name": "local", "value": 0.95, "reason": "score 0.8"},
                {"source": "history", "name": "volatility", "value": -0.2, "reason": "it jumps"},
            ],
            "policy": {"credible_threshold": 0.66, "false_positive_threshold": 0.33},
            "validated_at": NOW,
            **values,
        }
    )


# --- the list ------------------------------------------------------------------------------------


def test_the_list_begins_with_what_awaits_review_gravest_and_newest_first() -> None:
    sensor = make_sensor()
    old = make_anomaly(sensor=sensor, severity=5, start=NOW - timedelta(days=2))
    slight = make_anomaly(sensor=sensor, severity=1, start=NOW)
    new = make_anomaly(sensor=sensor, severity=5, start=NOW - timedelta(days=1))
    make_anomaly(sensor=sensor, start=NOW - timedelta(days=3), verdict="confirmed")
    make_anomaly(sensor=sensor, start=NOW - timedelta(days=4), withdrawn_at=NOW)
    assert listed(boss()) == [new.pk, old.pk, slight.pk]


def test_the_filters_bring_back_what_the_list_leaves_out() -> None:
    sensor = make_sensor()
    judged = make_anomaly(sensor=sensor, start=NOW, verdict="confirmed")
    withdrawn = make_anomaly(sensor=sensor, start=NOW - timedelta(hours=1), withdrawn_at=NOW)
    client = boss()
    assert listed(client, review="confirmed") == [judged.pk]
    assert listed(client, review="unsure") == []
    assert listed(client, standing="withdrawn") == [withdrawn.pk]
    assert listed(client, review="all", standing="all") == [judged.pk, withdrawn.pk]


@pytest.mark.parametrize(
    "query",
    [
        {"severity": "4"},
        {"status": "credible_anomaly"},
        {"nature__exact": "instrument"},
        {"kind": "pressure"},
        {"rung__exact": "limits"},
        {"q": "press-7"},
    ],
)
def test_each_filter_tells_one_from_the_other(query: dict[str, str]) -> None:
    make_anomaly(severity=3, status="further_investigation_needed")
    wanted = make_anomaly(
        sensor=make_sensor(kind="pressure", external_id="press-7"),
        severity=4,
        status="credible_anomaly",
        nature="instrument",
        rung="limits",
    )
    assert listed(boss(), **query) == [wanted.pk]


def test_times_are_those_of_the_site_and_values_bear_their_unit() -> None:
    asset = make_asset(site=make_site(timezone="Asia/Tokyo"), name="kiln")
    make_anomaly(sensor=make_sensor(asset=asset), observed=81.23456)
    text = boss().get(reverse(LIST)).content.decode()
    assert "1 Mar 2026 21:00 JST" in text
    assert "81.23 mm/s" in text
    assert "expected 40 – 60 mm/s" in text


def test_an_empty_list_says_why() -> None:
    client = boss()
    assert "Nothing awaits review" in client.get(reverse(LIST)).content.decode()
    assert "Nothing matches" in client.get(reverse(LIST), {"q": "nope"}).content.decode()


def test_the_list_takes_as_many_queries_for_many_anomalies_as_for_one(
    django_assert_num_queries,
) -> None:
    for _ in range(10):
        make_anomaly(sensor=make_sensor(asset=make_asset()))
    client = boss()
    client.get(reverse(LIST))
    # Session, person; kinds, sites and machines of the filters; the count; the rows; first and last
    # day of the date hierarchy and the days between.
    with django_assert_num_queries(9):
        assert len(listed(client)) == 10


# --- one site never sees another -----------------------------------------------------------------


@pytest.fixture
def two_sites() -> tuple[Anomaly, Anomaly]:
    mine = make_sensor(asset=make_asset(site=make_site(name="mine-site"), name="mine-asset"))
    theirs = make_sensor(
        asset=make_asset(site=make_site(name="theirs-site"), name="theirs-asset"),
        external_id="theirs-sensor",
    )
    return make_anomaly(sensor=mine, severity=2), make_anomaly(sensor=theirs)


def test_neither_list_nor_filters_name_another_site(two_sites: tuple[Anomaly, Anomaly]) -> None:
    mine = two_sites[0]
    client = signed_in(make_engineer(mine.sensor.site))
    assert listed(client) == [mine.pk]
    text = client.get(reverse(LIST), {"review": "all", "standing": "all"}).content.decode()
    assert "mine-asset" in text
    assert "theirs" not in text


def test_filtering_by_another_sites_row_brings_none_of_it_up(
    two_sites: tuple[Anomaly, Anomaly],
) -> None:
    mine, theirs = two_sites
    client = signed_in(make_engineer(mine.sensor.site))
    assert theirs.pk not in listed(client, sensor__site__id__exact=theirs.sensor.site_id)
    assert listed(client, sensor__id__exact=theirs.sensor_id) == []


def test_an_anomaly_of_another_site_can_be_neither_read_nor_judged(
    two_sites: tuple[Anomaly, Anomaly],
) -> None:
    mine, theirs = two_sites
    client = signed_in(make_engineer(mine.sensor.site))
    answer = client.get(reverse("admin:anomalies_anomaly_change", args=[theirs.pk]))
    assert answer.status_code == 302
    assert review_on_page(client, theirs, verdict="confirmed") == 404
    chosen = [mine.pk, theirs.pk]
    form = {"action": "confirm", "_selected_action": chosen, "apply": "1", "note": ""}
    client.post(reverse(LIST), form)
    assert list(Review.objects.values_list("anomaly", flat=True)) == [mine.pk]


def test_next_and_previous_stay_within_ones_sites(two_sites: tuple[Anomaly, Anomaly]) -> None:
    mine = two_sites[0]
    text = page_of(signed_in(make_engineer(mine.sensor.site)), mine)
    assert "1 await review" in text
    assert 'id="next"' not in text
    assert 'id="previous"' not in text


def test_the_dashboard_counts_only_ones_own(two_sites: tuple[Anomaly, Anomaly]) -> None:
    mine = two_sites[0]
    everyone = boss().get(reverse("admin:index"))
    own = signed_in(make_engineer(mine.sensor.site)).get(reverse("admin:index"))
    assert everyone.context["board"].open_anomalies == 2
    assert (own.context["board"].open_anomalies, own.context["board"].active) == (1, 1)


# --- verdicts ------------------------------------------------------------------------------------


def test_a_verdict_on_the_page_is_kept_with_its_note_and_leads_on_to_the_next() -> None:
    sensor = make_sensor()
    first = make_anomaly(sensor=sensor, severity=5)
    second = make_anomaly(sensor=sensor, severity=4, start=NOW - timedelta(days=1))
    person = make_engineer(sensor.site)
    address = reverse("admin:anomalies_anomaly_review", args=[first.pk])
    answer = signed_in(person).post(address, {"verdict": "confirmed", "note": "dry bearing"})
    assert answer["Location"] == reverse("admin:anomalies_anomaly_change", args=[second.pk])
    said = Review.objects.get()
    assert (said.anomaly, said.verdict, said.note, said.person) == (
        first,
        "confirmed",
        "dry bearing",
        person,
    )
    assert SensorValidationProfile.objects.get(sensor=sensor).confirmed == 1


@pytest.mark.parametrize(
    "form", [{}, {"verdict": "maybe"}, {"verdict": "unsure", "note": "x" * 4001}]
)
def test_what_is_no_verdict_changes_nothing(form: dict[str, str]) -> None:
    anomaly = make_anomaly()
    assert review_on_page(boss(), anomaly, **form) == 302
    assert not Review.objects.exists()


def test_reading_along_does_not_allow_judging() -> None:
    anomaly = make_anomaly()
    client = signed_in(make_engineer(anomaly.sensor.site, may=("view_anomaly",)))
    assert review_on_page(client, anomaly, verdict="confirmed") == 403
    assert "Your verdict" not in page_of(client, anomaly)
    form = {"action": "confirm", "_selected_action": [anomaly.pk], "apply": "1"}
    client.post(reverse(LIST), form)
    assert not Review.objects.exists()


def test_a_verdict_is_given_by_post_alone() -> None:
    address = reverse("admin:anomalies_anomaly_review", args=[make_anomaly().pk])
    assert boss().get(address).status_code == 405


def test_a_withdrawn_anomaly_cannot_be_judged() -> None:
    anomaly = make_anomaly(withdrawn_at=NOW)
    client = boss()
    review_on_page(client, anomaly, verdict="confirmed")
    assert not Review.objects.exists()
    assert "Later readings took it back" in page_of(client, anomaly)


@pytest.mark.parametrize(
    ("action", "verdict"),
    [("confirm", "confirmed"), ("false_positive", "false_positive"), ("unsure", "unsure")],
)
def test_many_are_judged_with_one_note_which_is_asked_for_first(action: str, verdict: str) -> None:
    anomalies = [make_anomaly(), make_anomaly()]
    client, person = boss(), User.objects.latest("pk")
    form = {"action": action, "_selected_action": [a.pk for a in anomalies]}
    asked = client.post(reverse(LIST), form)
    assert asked.status_code == 200
    assert not Review.objects.exists()
    client.post(reverse(LIST), {**form, "apply": "1", "note": "same cause"})
    found = Review.objects.values_list("verdict", "note", "person")
    assert list(found) == [(verdict, "same cause", person.pk)] * 2


def test_detections_can_be_neither_edited_nor_deleted() -> None:
    anomaly = make_anomaly()
    client = boss()
    address = reverse("admin:anomalies_anomaly_change", args=[anomaly.pk])
    assert client.post(address, {"score": "0.1"}).status_code == 403
    address = reverse("admin:anomalies_anomaly_delete", args=[anomaly.pk])
    assert client.post(address, {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:anomalies_anomaly_add")).status_code == 403


# --- the page ------------------------------------------------------------------------------------


def make_explained() -> Anomaly:
    sensor = make_sensor(alarm_high=70.0, unit="mm/s")
    make_readings(sensor, [50.0 + i % 3 for i in range(90)] + [77.7, 50.0], until=NOW)
    peak = NOW - timedelta(minutes=1)
    anomaly = make_anomaly(
        sensor=sensor,
        start=peak,
        observed=77.7,
        explanation={
            "sentence": "It shook hard.",
            "contributions": [
                {"feature": "spike", "share": 0.8, "value": 12.345},
                {"feature": "something_new", "share": 0.2, "value": -2.0},
            ],
        },
        receipt={"window_sha256": "ab" * 32},
    )
    make_validation(anomaly)
    return anomaly


def test_the_page_says_what_was_seen_why_it_was_flagged_and_how_sure_we_are() -> None:
    text = page_of(boss(), make_explained())
    for said in (
        "It shook hard.",
        "jump from the readings just before",
        "something_new",
        "+12.3",
        "80 %",
        "score 0.8",
        "−0.20",
        "Credible from 0.66, probably false below 0.33",
        "alarm high 70 mm/s",
        "anomaly-vibration v1",
        "the champion model of its kind",
        "ab" * 32,
    ):
        assert said in text


def test_the_chart_marks_the_peak_the_range_and_what_was_expected() -> None:
    text = page_of(boss(), make_explained())
    for part in ('class="peak"', 'class="stretch"', 'class="band"', 'class="level"'):
        assert part in text


def test_a_page_can_be_read_before_validation_and_without_readings() -> None:
    anomaly = make_anomaly(explanation={"sentence": "Odd."}, expected_low=None, expected_high=None)
    text = page_of(boss(), anomaly)
    assert "has not judged it yet" in text
    assert "No readings in this range" in text


def test_revisions_and_verdicts_leave_their_trace_on_the_page() -> None:
    anomaly = make_anomaly(revision=2)
    AnomalyRevision.objects.create(
        anomaly=anomaly,
        revision=1,
        reason="late readings",
        before={"score": 0.61234567, "severity": 2, "readings": 4},
        after={"score": 0.5, "severity": 3, "readings": 4},
        at=NOW,
    )
    client = boss()
    review_on_page(client, anomaly, verdict="unsure", note="ask the night shift")
    text = page_of(client, anomaly)
    for said in ("late readings", "0.6123", "→ 0.5", "ask the night shift"):
        assert said in text
    assert '<th scope="row">readings</th>' not in text


def test_hostile_ids_notes_and_explanations_are_only_text() -> None:
    anomaly = make_anomaly(
        sensor=make_sensor(external_id=HOSTILE, unit=HOSTILE[:20], asset=make_asset(name=HOSTILE)),
        explanation={"sentence": HOSTILE, "contributions": [
            {"feature": HOSTILE, "share": 1.0, "value": 1.0}]},
        receipt={"note": HOSTILE},
        detector=HOSTILE,
        model_name=HOSTILE,
    )  # fmt: skip
    make_readings(anomaly.sensor, [50.0, 80.0], until=NOW)
    term = {"source": HOSTILE, "name": HOSTILE, "value": 0.1, "reason": HOSTILE}
    make_validation(anomaly, terms=[term])
    client = boss()
    review_on_page(client, anomaly, verdict="unsure", note=HOSTILE)
    selected = client.post(
        f"{reverse(LIST)}?review=all", {"action": "confirm", "_selected_action": [anomaly.pk]}
    )
    sensor = client.get(reverse("admin:sensors_sensor_change", args=[anomaly.sensor_id]))
    for text in (
        page_of(client, anomaly),
        client.get(reverse(LIST), {"review": "all"}).content.decode(),
        selected.content.decode(),
        sensor.content.decode(),
    ):
        assert HOSTILE not in text
        assert "&lt;script&gt;" in text


# --- rules, sensors, dashboard -------------------------------------------------------------------


def rule_form(**values: object) -> dict[str, object]:
    return {
        "name": "far off",
        "conditions": '[{"field": "value_delta_pct", "op": ">", "value": 50}]',
        "adjustment": "0.1",
        "priority": "10",
        "enabled": "on",
        **values,
    }


def save_rule(client: Client, address: str, form: dict[str, object]) -> Any:
    """The form, then the page that says what it would have changed."""
    shown = client.post(address, form)
    found = re.search(r'name="_shown" value="(\w+)"', shown.content.decode())
    return client.post(address, {**form, "_shown": found[1]}) if found else shown


def test_a_rule_is_not_saved_before_it_was_shown_what_it_would_have_changed() -> None:
    anomaly = make_anomaly(
        start=timezone.now() - timedelta(days=3), decision="credible_anomaly",
        status="credible_anomaly", verdict="confirmed", reviewed_at=timezone.now(),
    )  # fmt: skip
    make_readings(
        anomaly.sensor, [50.0, 50.2, 49.9] * 8, until=anomaly.start - timedelta(minutes=1)
    )
    client, address = boss(), reverse("admin:anomalies_validationrule_add")
    form = rule_form(conditions="[]", forced_decision="false_positive_suspected")
    shown = client.post(address, form).content.decode()
    assert not ValidationRule.objects.exists()
    assert "Of 1 anomalies of the last 14 days, 1 would have been published otherwise" in shown
    assert "1 of them is a confirmed fault" in shown
    assert reverse("admin:anomalies_anomaly_change", args=[anomaly.pk]) in shown
    anomaly.refresh_from_db()
    assert anomaly.decision == "credible_anomaly"
    stale = re.search(r'name="_shown" value="(\w+)"', shown)
    assert stale is not None
    other = {**form, "adjustment": "0.2", "_shown": stale[1]}
    assert client.post(address, other).status_code == 200
    assert not ValidationRule.objects.exists()
    assert save_rule(client, address, form).status_code == 302
    assert ValidationRule.objects.get().forced_decision == "false_positive_suspected"


def test_what_a_rule_would_have_changed_shows_nothing_of_another_site() -> None:
    own, other = make_site(), make_site()
    for site in (own, other):
        make_anomaly(
            sensor=make_sensor(site=site, external_id=f"pump of {site.slug}"),
            start=timezone.now() - timedelta(days=1), decision="credible_anomaly",
            status="credible_anomaly",
        )  # fmt: skip
    may = tuple(f"{verb}_validationrule" for verb in ("view", "add", "change"))
    client = signed_in(make_engineer(own, may=may))
    form = rule_form(
        conditions="[]", forced_decision="false_positive_suspected", site=own.pk, _days="30"
    )
    shown = client.post(reverse("admin:anomalies_validationrule_add"), form).content.decode()
    assert "Of 1 anomalies of the last 30 days" in shown
    assert f"pump of {own.slug}" in shown
    assert f"pump of {other.slug}" not in shown


def test_a_rule_that_could_not_be_applied_is_refused_at_saving() -> None:
    client, address = boss(), reverse("admin:anomalies_validationrule_add")
    bad = rule_form(conditions='[{"field": "mood", "op": ">", "value": 1}]')
    answer = client.post(address, bad)
    assert "unknown field" in answer.content.decode()
    assert save_rule(client, address, rule_form()).status_code == 302
    assert (
        "value_delta_pct &gt; 50"
        in client.get(reverse("admin:anomalies_validationrule_changelist")).content.decode()
    )


def test_a_rule_for_every_site_is_a_superusers_to_make() -> None:
    site, other = make_site(), make_site()
    may = tuple(f"{verb}_validationrule" for verb in ("view", "add", "change", "delete"))
    client = signed_in(make_engineer(site, may=may))
    address = reverse("admin:anomalies_validationrule_add")
    save_rule(client, address, rule_form())
    save_rule(client, address, rule_form(site=other.pk))
    assert not ValidationRule.objects.exists()
    save_rule(client, address, rule_form(site=site.pk))
    assert ValidationRule.objects.get().site == site
    shared = ValidationRule.objects.create(name="shared", conditions=[])
    change = reverse("admin:anomalies_validationrule_change", args=[shared.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, rule_form(name="mine now", site=site.pk)).status_code == 403
    erase = {"action": "delete_selected", "_selected_action": [shared.pk], "post": "yes"}
    client.post(reverse("admin:anomalies_validationrule_changelist"), erase)
    assert ValidationRule.objects.filter(name="shared").exists()


def test_the_page_of_a_sensor_links_its_anomalies() -> None:
    anomaly = make_anomaly()
    address = reverse("admin:sensors_sensor_change", args=[anomaly.sensor_id])
    text = boss().get(address).content.decode()
    assert reverse("admin:anomalies_anomaly_change", args=[anomaly.pk]) in text


def test_the_dashboard_shows_what_needs_a_person() -> None:
    make_anomaly(severity=5)
    make_anomaly(severity=5, verdict="confirmed")
    make_anomaly(severity=2, withdrawn_at=NOW)
    QuarantinedReading.objects.create(
        site=make_site(), category="quality", code="low", detail="", payload="{}",
        digest=b"1", source="http", received_at=timezone.now(),
    )  # fmt: skip
    for version in (1, 2):
        Promotion.objects.create(name="anomaly-vibration", version=version, promoted_at=NOW)
    board = boss().get(reverse("admin:index")).context["board"]
    assert board.severities == [(5, 1), (4, 0), (3, 0), (2, 0), (1, 0)]
    assert board.quarantined == 1
    assert board.champions == [("vibration", 2)]


def test_the_dashboard_costs_few_queries(django_assert_max_num_queries) -> None:
    client = boss()
    client.get(reverse("admin:index"))
    with django_assert_max_num_queries(12):
        client.get(reverse("admin:index"))


# --- silent sensors ------------------------------------------------------------------------------


def test_a_silent_sensor_is_said_to_be_so_in_its_list_and_on_the_dashboard() -> None:
    now = timezone.now()
    talking, silent = make_sensor(), make_sensor()
    for sensor in (talking, silent):
        SensorProfile.objects.create(
            sensor=sensor, count=9, last_time=now - timedelta(hours=3), last_value=1, updated_at=now
        )
    make_silence(sensor=silent, last=now - timedelta(hours=3))
    client = boss()
    text = client.get(reverse("admin:sensors_sensor_changelist")).content.decode()
    assert text.count("silent for 3 h") == 1
    assert "1 silent" in client.get(reverse("admin:index")).content.decode()


def test_the_page_of_a_silence_says_what_was_missed_and_draws_the_emptiness() -> None:
    sensor = make_sensor()
    make_readings(sensor, [40.0, 41.0] * 30)
    row = make_silence(sensor=sensor)
    text = boss().get(reverse("admin:anomalies_anomaly_change", args=[row.pk])).content.decode()
    assert "silent now" in text
    assert "a reading every 1 min, as observed before" in text
    assert "<title>this anomaly</title>" in text
    assert "Nothing is known of" not in text


def test_an_outage_stands_in_the_list_once_and_its_page_names_the_others() -> None:
    site = make_site()
    leader = make_silence(sensor=make_sensor(site=site))
    leader.explanation["common"] = {"scope": "site", "name": site.name, "silent": 3, "of": 3}
    leader.save()
    others = [make_silence(sensor=make_sensor(site=site), follows=leader) for _ in range(2)]
    client = boss()
    assert listed(client) == [leader.pk]
    assert set(listed(client, review="all")) == {leader.pk, *(row.pk for row in others)}
    text = client.get(reverse("admin:anomalies_anomaly_change", args=[leader.pk])).content.decode()
    assert "3 of 3 sensors" in text
    for row in others:
        assert row.sensor.external_id in text
