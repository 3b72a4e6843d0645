"""What was learned and may be used: which registered versions detection is allowed to load."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from sensors.models import Sensor, Site
from sensors.querysets import TenantQuerySet


class ForecastQuerySet(TenantQuerySet["Forecast"]):
    site_path = "sensor__site"


class DriftQuerySet(TenantQuerySet["Drift"]):
    site_path = "sensor__site"


class FleetPriorQuerySet(TenantQuerySet["FleetPrior"]):
    site_path = "site"


class ShadowScoresQuerySet(TenantQuerySet["ShadowScores"]):
    site_path = "sensor__site"

    def newest_of_each(self) -> Self:
        """One row for each challenger and sensor."""
        group = ("name", "version", "sensor_id")
        newest = self.model._default_manager.order_by(*group, "-id").distinct(*group)
        return self.filter(pk__in=newest.values("pk"))


class ModelApproval(models.Model):
    """One registered version whose artifact may be loaded: nothing without a row here ever is.

    The registry holds the artifact; this row, in our own database, holds what it must hash to and
    the signature over that, so whoever can write to the registry or the bucket still cannot make a
    worker load their bytes.
    """

    name = models.CharField(max_length=200, help_text="Registered model name.")
    version = models.PositiveIntegerField()
    task = models.CharField(max_length=40, help_text="What it is for, e.g. anomaly.")
    sensor_kind = models.CharField(max_length=20, blank=True)
    detector = models.CharField(max_length=60, help_text="The estimator inside.")
    dataset = models.CharField(max_length=60, help_text="`synthetic` or what it was trained on.")
    sha256 = models.CharField(max_length=64)
    signature = models.CharField(max_length=64, help_text="HMAC-SHA256 by MODEL_SIGNING_KEY.")
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    approved_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="approval_once_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class Promotion(models.Model):
    """Who made which version champion, and when: the trace that roll-back walks.

    It also says that a champion is to be expected, so that a registry that is away is told apart
    from a kind for which nothing was ever trained.
    """

    name = models.CharField(max_length=200)
    version = models.PositiveIntegerField()
    previous_version = models.PositiveIntegerField(null=True, blank=True)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    reason = models.CharField(max_length=500, blank=True)
    gate = models.TextField(
        blank=True, default="", help_text="What the gate said, if it was asked."
    )
    forced = models.BooleanField(default=False, help_text="Promoted although the gate refused.")
    promoted_at = models.DateTimeField()

    class Meta:
        ordering = ["-promoted_at", "-id"]
        indexes = [
            # Serving asks for the newest promotion of a name.
            models.Index(fields=["name", "-promoted_at"], name="promotion_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version} at {self.promoted_at:%Y-%m-%d %H:%M}"


class ServedModel(models.Model):
    """How detection came by one registered model, added up over all workers."""

    name = models.CharField(max_length=200, unique=True)
    version = models.PositiveIntegerField(
        null=True, help_text="That serves, or should where there is a reason why it does not."
    )
    hits = models.BigIntegerField(help_text="Times it was in the process already.")
    disk_loads = models.BigIntegerField(help_text="Times it was loaded from the machine's disk.")
    downloads = models.BigIntegerField(help_text="Times it was loaded from the registry.")
    failures = models.BigIntegerField(help_text="Times it could not be had, or was refused.")
    load_seconds = models.FloatField(null=True, help_text="The last load took.")
    loaded_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField()
    reason = models.CharField(max_length=500, help_text="Why it does not serve; empty: it does.")
    failed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "model in service"
        verbose_name_plural = "models in service"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Fallback(models.Model):
    """How many sensors a lower rung judged, pass by pass, because a champion could not be had."""

    name = models.CharField(max_length=200)
    rung = models.CharField(max_length=12)
    sensors = models.BigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "rung"]
        constraints = [
            models.UniqueConstraint(fields=["name", "rung"], name="fallback_once_per_rung"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.rung}"


class ShadowScores(models.Model):
    """What a challenger and the champion said of the same live readings. It raises nothing."""

    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="shadow_scores")
    name = models.CharField(max_length=200)
    version = models.PositiveIntegerField(help_text="The challenger's.")
    champion_version = models.PositiveIntegerField()
    since = models.DateTimeField(help_text="Event time of the first reading.")
    until = models.DateTimeField(help_text="Event time of the last one.")
    times = ArrayField(models.BigIntegerField(), help_text="Microseconds since 1970, UTC.")
    champion_scores = ArrayField(models.FloatField())
    challenger_scores = ArrayField(models.FloatField())
    scored_at = models.DateTimeField()

    objects = ShadowScoresQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "shadow scores"
        ordering = ["-scored_at", "-id"]
        indexes = [
            # A comparison reads those of a version, sensor by sensor.
            models.Index(fields=["name", "version", "sensor"], name="shadow_of_version"),
            # Housekeeping forgets the oldest.
            models.Index(fields=["scored_at"], name="shadow_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version} beside v{self.champion_version}"


class Forecast(models.Model):
    """What a sensor was expected to read after `as_of`, by whoever did best on its past.

    Never written again for one time, except by the same past: a later one has a later `as_of`.
    """

    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="forecasts")
    as_of = models.DateTimeField(help_text="Event time: end of the last full step looked at.")
    made_at = models.DateTimeField()
    model = models.CharField(max_length=40, help_text="Which forecaster was chosen.")
    step_s = models.PositiveIntegerField(help_text="Seconds from one step to the next.")
    horizon = models.PositiveIntegerField(help_text="Steps ahead.")
    mean = ArrayField(models.FloatField(), help_text="Of each step, in the sensor's unit.")
    low = ArrayField(models.FloatField(), help_text="Lower end of the 80 % band.")
    high = ArrayField(models.FloatField(), help_text="Upper end of the 80 % band.")
    record = models.JSONField(help_text="How the forecasters did on the sensor's own past.")
    estimates = models.JSONField(help_text="For each limit when it is met, or why nothing is said.")
    policy = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the past it was made from.")

    objects = ForecastQuerySet.as_manager()

    class Meta:
        ordering = ["-as_of", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["sensor", "as_of"], name="forecast_once_per_time"),
        ]

    def __str__(self) -> str:
        return f"forecast of sensor {self.sensor_id} from {self.as_of:%Y-%m-%d %H:%M}"


class Drift(models.Model):
    """A sensor that reads otherwise than it used to at the same hours, and goes on doing so."""

    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="drifts")
    as_of = models.DateTimeField(help_text="Event time up to which its readings were compared.")
    found_at = models.DateTimeField()
    shift = models.FloatField(help_text="Of the median, in the sensor's unit.")
    psi = models.FloatField("PSI", help_text="Population stability index; large above 0.25.")
    p = models.FloatField("p", help_text="Of both tests, before correction for many sensors.")

    objects = DriftQuerySet.as_manager()

    class Meta:
        ordering = ["-found_at", "-id"]
        indexes = [
            # The cool-down and /metrics ask for the newest ones.
            models.Index(fields=["-found_at"], name="drift_newest"),
        ]

    def __str__(self) -> str:
        return f"drift of sensor {self.sensor_id} by {self.shift:g}"


class FleetPrior(models.Model):
    """What the sensors of a kind at one site have in common; it judges those that are new there.

    Never changed and never removed: which one judges a reading follows from when it was made
    (mlops.fleets), and a score is computed again by the one that gave it.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="fleet_priors")
    kind = models.CharField(max_length=20)
    unit = models.CharField(max_length=20, blank=True)
    made_at = models.DateTimeField()
    serves_from = models.DateTimeField(help_text="Event time of the first readings it may judge.")
    revision = models.PositiveSmallIntegerField(help_text="Of the detector that it is for.")
    sensors = models.JSONField(help_text="What it was made of: of each sensor id, readings, until.")
    prior = models.JSONField(help_text="mlops.detectors.fleet.Prior")

    objects = FleetPriorQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-id"]
        indexes = [
            # Detection asks for those that may judge a new sensor.
            models.Index(fields=["site", "kind", "made_at"], name="fleet_prior_of_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.pk}"

    @property
    def name(self) -> str:
        return f"fleet-{self.kind}"


class Retraining(models.Model):
    """A kind's model that was trained again: why, and what became of what came out."""

    class State(models.TextChoices):
        RUNNING = "running"
        CHALLENGER = "challenger", "Challenger"
        CHAMPION = "champion", "Champion"
        FAILED = "failed"

    kind = models.CharField(max_length=20)
    reason = models.CharField(max_length=300)
    policy = models.JSONField()
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    name = models.CharField(max_length=200, help_text="Registered model name.")
    version = models.PositiveIntegerField(null=True, blank=True)
    outcome = models.TextField(blank=True, help_text="What the gate said, or what went wrong.")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-began_at", "-id"]
        constraints = [
            # Two at once would take the workers from those who score.
            models.UniqueConstraint(
                fields=["state"],
                condition=models.Q(state="running"),
                name="one_retraining_at_a_time",
            ),
        ]
        indexes = [
            # The cool-down asks for the newest one of a kind.
            models.Index(fields=["kind", "-began_at"], name="retraining_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.began_at:%Y-%m-%d %H:%M}: {self.state}"
