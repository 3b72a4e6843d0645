"""What was said before verdicts faded: when each was given, and the profiles that follow from it."""

from django.db import migrations
from django.db.models import OuterRef, Subquery

HALF_LIFE_DAYS = 120.0
SIDES = {"confirmed": 0, "false_positive": 1}


def learn(apps, schema_editor):
    Anomaly = apps.get_model("anomalies", "Anomaly")
    Review = apps.get_model("anomalies", "Review")
    Profile = apps.get_model("anomalies", "SensorValidationProfile")
    newest = Review.objects.filter(anomaly=OuterRef("pk")).order_by("-created_at", "-id")
    Anomaly.objects.exclude(verdict="").update(
        reviewed_at=Subquery(newest.values("created_at")[:1])
    )
    said = Anomaly.objects.filter(verdict__in=SIDES, reviewed_at__isnull=False)
    latest = said.order_by("-reviewed_at").values_list("reviewed_at", flat=True).first()
    counts = {}
    rows = said.values_list("sensor", "sensor__kind", "detector", "verdict", "reviewed_at")
    for sensor, kind, detector, verdict, given in rows:
        age_days = (latest - given).total_seconds() / 86_400
        own = counts.setdefault((sensor, kind, detector), [0.0, 0.0])
        own[SIDES[verdict]] += 0.5 ** (age_days / HALF_LIFE_DAYS)
    Profile.objects.bulk_create(
        Profile(sensor_id=sensor, kind=kind, detector=detector, confirmed=up, refuted=down,
                updated_at=latest)
        for (sensor, kind, detector), (up, down) in counts.items()
    )


class Migration(migrations.Migration):
    dependencies = [("anomalies", "0009_learning")]

    operations = [migrations.RunPython(learn, migrations.RunPython.noop)]
