"""Who measures: sensors, and how each speaks."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from sensors.kinds import KINDS, OTHER
from sensors.models.place import Asset, Site
from sensors.querysets import SensorQuerySet

MAX_EXTERNAL_ID = 200
KIND_CHOICES = [(name, name) for name in (*KINDS, OTHER.name)]


class Sensor(models.Model):
    """One stream of readings. `external_id` is what devices call it, unique in its site."""

    class Status(models.TextChoices):
        DISCOVERED = "discovered"
        ACTIVE = "active"
        RETIRED = "retired"

    class KindSource(models.TextChoices):
        PAYLOAD = "payload", "stated in a reading"
        METADATA = "metadata", "stated in the sensor's metadata"
        INFERRED = "inferred", "inferred from the id at discovery"
        PERSON = "person", "set by a person"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="sensors")
    asset = models.ForeignKey(
        Asset, on_delete=models.SET_NULL, null=True, blank=True, related_name="sensors"
    )
    external_id = models.CharField(max_length=MAX_EXTERNAL_ID)
    kind = models.CharField(max_length=20, choices=KIND_CHOICES, default=OTHER.name)
    kind_source = models.CharField(
        max_length=10, choices=KindSource.choices, default=KindSource.PERSON
    )
    unit = models.CharField(max_length=20, blank=True)
    physical_min = models.FloatField(
        null=True, blank=True, help_text="In the unit; below it the instrument is wrong."
    )
    physical_max = models.FloatField(
        null=True, blank=True, help_text="In the unit; above it the instrument is wrong."
    )
    alarm_low = models.FloatField(
        null=True, blank=True, help_text="In the unit; below it the machine is in trouble."
    )
    alarm_high = models.FloatField(
        null=True, blank=True, help_text="In the unit; above it the machine is in trouble."
    )
    expected_interval_s = models.FloatField(
        null=True, blank=True, help_text="Seconds between readings; empty: as observed."
    )
    quality_threshold = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Readings of lower quality are quarantined; empty: the site-wide setting.",
    )
    false_alarms = models.FloatField(
        "false alarms",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.01), MaxValueValidator(100)],
        help_text="That it can bear in 30 days; empty: its kind's, else its site's.",
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    metadata = models.JSONField(default=dict, blank=True)
    discovered_by = models.ForeignKey(
        "IngestKey", on_delete=models.SET_NULL, null=True, blank=True, related_name="discovered"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SensorQuerySet.as_manager()

    class Meta:
        ordering = ["site", "external_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "external_id"], name="sensor_external_id_unique_in_site"
            ),
        ]
        indexes = [
            # The discovery cap counts what a key discovered in the last hour.
            models.Index(fields=["discovered_by", "created_at"], name="sensor_discovered_by_key"),
        ]

    def __str__(self) -> str:
        return self.external_id


class SensorProfile(models.Model):
    """What a sensor's accepted readings look like so far; merged per batch, never recomputed."""

    sensor = models.OneToOneField(
        Sensor, on_delete=models.CASCADE, primary_key=True, related_name="profile"
    )
    count = models.BigIntegerField(default=0)
    mean = models.FloatField(default=0.0, help_text="In the sensor's unit.")
    m2 = models.FloatField(default=0.0, help_text="Sum of squared deviations from the mean.")
    minimum = models.FloatField(null=True)
    maximum = models.FloatField(null=True)
    quality_mean = models.FloatField(default=1.0)
    first_time = models.DateTimeField(null=True)
    last_time = models.DateTimeField(null=True, help_text="Newest event time; never goes back.")
    last_value = models.FloatField(null=True, help_text="Value at last_time.")
    interval_s = models.FloatField(null=True, help_text="Observed seconds between readings.")
    kept_from = models.DateTimeField(
        null=True, help_text="Readings before it were dropped; empty: none were."
    )
    minutes_kept_from = models.DateTimeField(
        null=True, help_text="Minute roll-ups before it were dropped; empty: none were."
    )
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"profile of sensor {self.sensor_id}"

    @property
    def variance(self) -> float | None:
        """Sample variance in the unit squared, or None below two readings."""
        return self.m2 / (self.count - 1) if self.count > 1 else None


class SensorRhythm(models.Model):
    """When a sensor speaks and how much it wavers, learned now and then from its newest readings.

    Not part of the profile: that is merged with every batch, and this needs the readings' order.
    """

    sensor = models.OneToOneField(
        Sensor, on_delete=models.CASCADE, primary_key=True, related_name="rhythm"
    )
    as_of = models.DateTimeField(help_text="Event time of the newest reading looked at.")
    as_of_backfill = models.BooleanField(help_text="That reading came as history, not live.")
    readings = models.PositiveIntegerField(help_text="How many were looked at.")
    span_s = models.FloatField(help_text="Seconds from the first of them to the last.")
    interval_s = models.FloatField(help_text="Median seconds between two.")
    spread_s = models.FloatField(help_text="Median absolute deviation of the intervals, seconds.")
    pause_s = models.FloatField(help_text="An interval it made three times, seconds.")
    longest_s = models.FloatField(help_text="The longest interval, seconds.")
    gaps = models.PositiveIntegerField(help_text="Intervals longer than 2.5 usual ones.")
    gap_s = models.FloatField(null=True, help_text="Median length of the gaps, seconds.")
    noise = models.FloatField(
        null=True, help_text="Standard deviation of the noise, in the sensor's unit."
    )
    learned_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"rhythm of sensor {self.sensor_id}"
