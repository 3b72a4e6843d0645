"""What was measured: sites, machines, sensors, their readings and what could not be accepted."""

from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from sensors.fields import RealField
from sensors.formats.line_template import DEFAULT_TEMPLATE, MAX_TEMPLATE, Template
from sensors.kinds import KINDS, OTHER
from sensors.querysets import (
    AssetQuerySet,
    IngestKeyQuerySet,
    QuarantineQuerySet,
    ReadingQuerySet,
    ScoringNoteQuerySet,
    SensorQuerySet,
    SiteQuerySet,
)

MAX_EXTERNAL_ID = 200
KIND_CHOICES = [(name, name) for name in (*KINDS, OTHER.name)]


def is_a_time_zone(name: str) -> None:
    """Raises ValidationError for what is no name in the IANA database."""
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is no time zone; Europe/Berlin is one.")


def is_a_line_template(text: str) -> None:
    """Raises ValidationError for what cannot say what a sensor is called."""
    try:
        Template.parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class Site(models.Model):
    """The tenant boundary: users belong to sites, keys belong to a site, rows never cross."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[is_a_time_zone],
        help_text="IANA name, such as Europe/Berlin.",
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="sites", blank=True)

    objects = SiteQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Asset(models.Model):
    """A machine."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="assets")
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="parts"
    )
    name = models.CharField(max_length=100)
    criticality = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text="1 (nobody notices) to 5 (the plant stops).",
    )

    objects = AssetQuerySet.as_manager()

    class Meta:
        ordering = ["site", "name"]
        constraints = [
            models.UniqueConstraint(fields=["site", "name"], name="asset_name_unique_in_site"),
            models.CheckConstraint(
                condition=models.Q(criticality__range=(1, 5)), name="asset_criticality_1_to_5"
            ),
        ]

    def __str__(self) -> str:
        return self.name


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


class Reading(models.Model):
    """One value of one sensor at one time: a hypertable where TimescaleDB is there.

    A reading is (sensor, time); a second one of the same pair is a duplicate. Without a
    foreign-key constraint: with one, concurrent writers that create chunks deadlock.
    """

    pk = models.CompositePrimaryKey("sensor", "time")
    sensor = models.ForeignKey(
        Sensor, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    time = models.DateTimeField(help_text="When it was measured (UTC).")
    value = models.FloatField(help_text="In the sensor's unit.")
    quality = RealField(help_text="0 to 1.")
    flags = models.SmallIntegerField(default=0, help_text="Bits; see sensors.quality.Flag.")

    objects = ReadingQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.sensor_id} {self.time:%Y-%m-%d %H:%M:%S} {self.value:g}"


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


class QuarantinedReading(models.Model):
    """A reading that could not be accepted: kept with its reason, replayable after a fix."""

    class Category(models.TextChoices):
        VALIDATION = "validation"
        ENRICHMENT = "enrichment"
        QUALITY = "quality"
        UNEXPECTED = "unexpected"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="quarantine")
    key = models.ForeignKey("IngestKey", on_delete=models.SET_NULL, null=True, blank=True)
    sensor_ref = models.CharField(max_length=MAX_EXTERNAL_ID, blank=True)
    category = models.CharField(max_length=10, choices=Category.choices)
    code = models.CharField(max_length=40)
    detail = models.CharField(max_length=500)
    # Text, not jsonb: a quarantined row may hold NaN, NUL or lone surrogates, which jsonb refuses.
    payload = models.TextField(help_text="The row as it came, as ASCII JSON.")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of code, source and payload.")
    source = models.CharField(max_length=20)
    received_at = models.DateTimeField()
    replayed_at = models.DateTimeField(null=True, blank=True)

    objects = QuarantineQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            # A batch sent twice quarantines its bad rows once.
            models.UniqueConstraint(fields=["site", "digest"], name="quarantined_once"),
        ]
        indexes = [
            # The admin lists what waits; retention removes what is old.
            models.Index(fields=["site", "replayed_at", "-received_at"], name="quarantine_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.category}/{self.code}: {self.sensor_ref}"


class IngestKey(models.Model):
    """A device's credential. The secret (256 bits) is shown once and kept as its SHA-256."""

    class Scope(models.TextChoices):
        WRITE = "readings:write", "write readings"
        READ = "read", "read sensors and anomalies"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="ingest_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.BinaryField(max_length=32)
    scopes = models.JSONField(default=list)
    rate_per_second = models.FloatField(
        null=True, blank=True, help_text="Requests a second; empty: the setting."
    )
    burst = models.PositiveIntegerField(null=True, blank=True, help_text="Requests at once.")
    line_template = models.CharField(
        "line protocol template",
        max_length=MAX_TEMPLATE,
        default=DEFAULT_TEMPLATE,
        validators=[is_a_line_template],
        help_text="What sensors that come by line protocol, as from Telegraf, are called: made "
        "from {measurement}, {field}, {tag:NAME}, {tags} (the tags not named otherwise, each as "
        ",name=value) and {bucket}. What tells two series apart must be in it.",
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = IngestKeyQuerySet.as_manager()

    class Meta:
        ordering = ["site", "name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class IngestReceipt(models.Model):
    """The ledger behind `Idempotency-Key`: the answer a key was given for a body."""

    key = models.ForeignKey(IngestKey, on_delete=models.CASCADE, related_name="receipts")
    idempotency_key = models.CharField(max_length=200)
    body_digest = models.BinaryField(max_length=32)
    response = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "idempotency_key"], name="receipt_unique"),
        ]

    def __str__(self) -> str:
        return self.idempotency_key


class MqttArrival(models.Model):
    """When a message that states no time first came, in case its broker delivers it again.

    Written with the message's readings. The broker repeats a message under its number.
    """

    session = models.TextField(help_text="Broker and client id.")
    number = models.PositiveIntegerField(help_text="MQTT packet identifier.")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of topic and payload.")
    arrived_at = models.DateTimeField(help_text="The time its readings were given.")
    seen_at = models.DateTimeField(help_text="When it was last delivered.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="mqtt_arrival_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.session} {self.number}"


class FileIngest(models.Model):
    """How far `manage.py ingest` has come with a file; written with the readings of each batch."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="files")
    digest = models.BinaryField(
        max_length=32, help_text="SHA-256 of name, size, both ends of the file and its layout."
    )
    name = models.CharField(max_length=255)
    size = models.BigIntegerField(help_text="Bytes.")
    position = models.BigIntegerField(
        default=0, help_text="Bytes of text, of a Parquet file rows, that are done."
    )
    rows = models.BigIntegerField(default=0)
    lines = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "digest"], name="file_ingested_once"),
        ]

    def __str__(self) -> str:
        return self.name


class ScoringNote(models.Model):
    """A durable note, written with the readings: this sensor needs scoring from `since` on.

    Append-only, so writers never wait for each other; detection takes all notes of a sensor it has
    leased and deletes exactly those in the transaction that stores what it found.
    """

    class Reason(models.TextChoices):
        INGEST = "ingest", "new readings"
        DEGRADED = "degraded", "scored by a lower rung; the champion is to score it again"
        MODEL = "model", "another model was promoted"
        MANUAL = "manual", "asked for by a person"

    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(help_text="Event time of the oldest reading to score.")
    until = models.DateTimeField(help_text="Event time of the newest reading to score.")
    reason = models.CharField(max_length=10, choices=Reason.choices, default=Reason.INGEST)
    held = models.BooleanField(default=False, help_text="Waits until the champion is back.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScoringNoteQuerySet.as_manager()

    class Meta:
        indexes = [
            # Detection looks for sensors with notes that may be worked on.
            models.Index(fields=["held", "sensor", "id"], name="scoring_note_waiting"),
        ]

    def __str__(self) -> str:
        return f"score sensor {self.sensor_id} from {self.since:%Y-%m-%d %H:%M:%S}"


class RollupNote(models.Model):
    """A durable note, written with the readings: these minutes of the roll-ups are to be computed.

    Append-only like a ScoringNote, and without a foreign-key constraint: a roll-up pass takes all
    notes of a sensor it has locked and deletes exactly those with what it computed.
    """

    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    since = models.DateTimeField(help_text="Event time of the oldest reading.")
    until = models.DateTimeField(help_text="Event time of the newest reading.")

    class Meta:
        indexes = [
            # A pass takes a sensor's notes; a chart looks for those of its sensor.
            models.Index(fields=["sensor", "id"], name="rollup_note_waiting"),
        ]

    def __str__(self) -> str:
        return f"roll up sensor {self.sensor_id} from {self.since:%Y-%m-%d %H:%M:%S}"


class HourRollup(models.Model):
    """An hour of a sensor that has readings; a function of its minutes, computed anew each time."""

    pk = models.CompositePrimaryKey("sensor", "time")
    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    time = models.DateTimeField(help_text="When the hour begins (UTC).")
    count = models.BigIntegerField()
    minimum = models.FloatField(help_text="In the sensor's unit, as are the next three.")
    maximum = models.FloatField()
    mean = models.FloatField()
    last = models.FloatField(help_text="Value of the newest reading by event time.")
    quality_mean = models.FloatField(help_text="0 to 1.")
    flag_counts = ArrayField(
        models.BigIntegerField(),
        help_text="Readings that have each flag, in the order of sensors.quality.Flag.",
    )

    def __str__(self) -> str:
        return f"hour {self.time:%Y-%m-%d %H} of sensor {self.sensor_id}"


class MinuteRollups(models.Model):
    """The minutes of an hour that have readings, packed by sensors.minutes.

    One row an hour: a month of them is read from 720 rows instead of 43,200, and takes less than a
    third of the room.
    """

    pk = models.CompositePrimaryKey("sensor", "time")
    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    time = models.DateTimeField(help_text="When the hour begins (UTC).")
    packed = models.BinaryField(help_text="Records of sensors.minutes.MINUTE, oldest first.")
    flags = models.BinaryField(
        help_text="How many readings have each flag, uint32 a minute and flag; empty: no flags."
    )

    def __str__(self) -> str:
        return f"minutes of {self.time:%Y-%m-%d %H} of sensor {self.sensor_id}"


class RetentionRun(models.Model):
    """What one run of the retention dropped."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(auto_now_add=True)
    readings = models.BigIntegerField(help_text="Readings deleted one by one.")
    chunks = models.IntegerField(help_text="Chunks of the hypertable, with all their readings.")
    bytes = models.BigIntegerField(help_text="Size of these chunks.")
    minute_hours = models.BigIntegerField(help_text="Hours of minute roll-ups.")
    held = models.IntegerField(help_text="Sensors of which open notes held back a part.")

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {self.readings} readings, {self.chunks} chunks"
