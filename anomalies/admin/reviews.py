"""The verdict of a person: the form, and giving one to one anomaly or to many."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q

from anomalies.models import Anomaly, Verdict
from anomalies.querysets import AnomalyQuerySet
from anomalies.review import review

VERDICT_NAMES = {
    Verdict.CONFIRMED: "Confirm",
    Verdict.FALSE_POSITIVE: "False positive",
    Verdict.UNSURE: "Unsure",
}
LONGEST_NOTE = 4000


class NoteForm(forms.Form):
    note = forms.CharField(
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(
            attrs={"rows": 3, "placeholder": "What did you see? What was done about it?"}
        ),
    )


class ReviewForm(NoteForm):
    verdict = forms.ChoiceField(choices=Verdict.choices)


def review_all(
    anomalies: Iterable[Anomaly], *, verdict: Verdict, note: str, person: Any, now: datetime
) -> int:
    """One verdict for several anomalies; how many were reviewed."""
    reviewed = 0
    for anomaly in anomalies:
        review(anomaly=anomaly, verdict=verdict, note=note, person=person, now=now)
        reviewed += 1
    return reviewed


def following(waiting: AnomalyQuerySet, anomaly: Anomaly) -> Anomaly | None:
    """The one after it in the order of the list: severity, then newest first."""
    found: Anomaly | None = (
        waiting.filter(_beyond(anomaly, "lt")).order_by("-severity", "-start", "-id").first()
    )
    return found


def preceding(waiting: AnomalyQuerySet, anomaly: Anomaly) -> Anomaly | None:
    found: Anomaly | None = (
        waiting.filter(_beyond(anomaly, "gt")).order_by("severity", "start", "id").first()
    )
    return found


def _beyond(anomaly: Anomaly, side: str) -> Q:
    """Rows on one side of it, compared by (severity, start, id)."""
    severity, start = anomaly.severity, anomaly.start
    return (
        Q(**{f"severity__{side}": severity})
        | Q(severity=severity, **{f"start__{side}": start})
        | Q(severity=severity, start=start, **{f"pk__{side}": anomaly.pk})
    )
