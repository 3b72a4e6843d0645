"""What a person works on: one case for all that is wrong with a machine at a time."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from anomalies.querysets import EpisodeEventQuerySet, EpisodeQuerySet
from sensors.models import Asset, Sensor, Site


class Queue(models.TextChoices):
    """Who looks at it. What is wrong with a sensor says nothing of its machine."""

    MACHINE = "machine", "machines"
    INSTRUMENT = "instrument", "instruments"


class State(models.TextChoices):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress", "in progress"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Resolution(models.TextChoices):
    """How it came to be resolved."""

    PERSON = "person", "by a person"
    CALMED = "calmed", "it calmed down"
    PASSED = "passed", "it was over when it was found"
    RETRACTED = "retracted", "its evidence was taken back"


class Episode(models.Model):
    """Anomalies of one machine, or of one sensor: those without a machine, and instruments.

    What its evidence says (severity, times, numbers) follows from the anomalies that stand in it.
    What people did is in its state, and who did what when in its events.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="episodes")
    asset = models.ForeignKey(
        Asset, on_delete=models.CASCADE, null=True, blank=True, related_name="episodes"
    )
    sensor = models.ForeignKey(
        Sensor,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="own_episodes",
        help_text="Of instruments, and where there is no machine.",
    )
    queue = models.CharField(max_length=10, choices=Queue.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    resolution = models.CharField(max_length=10, choices=Resolution.choices, blank=True)

    severity = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text="1 to 5: score × criticality × breadth; see anomalies.episodes.weight.",
    )
    score = models.FloatField(help_text="Of the strongest anomaly, 0 to 1.")
    confidence = models.FloatField(help_text="Of the most credible anomaly, 0 to 1.")
    started_at = models.DateTimeField(help_text="Event time of the first anomalous reading.")
    last_at = models.DateTimeField(help_text="Event time of the last anomalous reading.")
    first_sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, related_name="+", help_text="Which moved first."
    )
    sensors = models.PositiveIntegerField(help_text="Sensors that moved.")
    anomalies_count = models.PositiveIntegerField(help_text="Anomalies that stand in it.")

    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="assigned_episodes",
    )
    snoozed_until = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(help_text="When it was opened (processing time).")
    changed_at = models.DateTimeField(help_text="When anything about it last changed.")
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = EpisodeQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            # Eight workers cannot open two episodes of one machine.
            models.UniqueConstraint(
                fields=["asset"],
                condition=Q(asset__isnull=False) & ~Q(state="resolved"),
                name="episode_one_open_an_asset",
            ),
            models.UniqueConstraint(
                fields=["sensor", "queue"],
                condition=Q(asset__isnull=True) & ~Q(state="resolved"),
                name="episode_one_open_a_sensor",
            ),
            models.CheckConstraint(
                condition=Q(asset__isnull=False, sensor__isnull=True)
                | Q(asset__isnull=True, sensor__isnull=False),
                name="episode_of_one_subject",
            ),
            models.CheckConstraint(
                condition=Q(severity__range=(1, 5)), name="episode_severity_1_to_5"
            ),
        ]
        indexes = [
            # The list, newest first, of one site or of all.
            models.Index(fields=["-started_at", "-id"], name="episode_newest"),
            # The sweep looks at what is open: for calm, the ends of snoozes, and reminders.
            models.Index(
                fields=["queue", "site"], condition=~Q(state="resolved"), name="episode_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} since {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def subject(self) -> Asset | Sensor:
        """The machine, or the sensor."""
        found = self.asset or self.sensor
        assert found is not None  # noqa: S101  episode_of_one_subject
        return found

    @property
    def is_open(self) -> bool:
        return self.state != State.RESOLVED

    @property
    def is_handled(self) -> bool:
        """A person has it in hand: then nothing but a person resolves it."""
        return self.state in {State.ACKNOWLEDGED, State.IN_PROGRESS}


class EpisodeEvent(models.Model):
    """What happened to an episode, who did it and when. Never changed, never deleted."""

    class Kind(models.TextChoices):
        OPENED = "opened"
        JOINED = "joined", "another sensor joined"
        LEFT = "left", "an anomaly was taken out"
        SEVERITY = "severity", "the severity changed"
        ORIGIN = "origin", "the first mover changed"
        ACKNOWLEDGED = "acknowledged"
        STARTED = "started", "work started"
        RESOLVED = "resolved"
        REOPENED = "reopened"
        ASSIGNED = "assigned"
        SNOOZED = "snoozed"
        WOKE = "woke", "the snooze ended"
        COMMENTED = "commented"
        LINKED = "linked"

    episode = models.ForeignKey(Episode, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    at = models.DateTimeField()
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: the system.",
    )
    anomaly = models.ForeignKey(
        "anomalies.Anomaly", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    text = models.TextField(blank=True)
    data = models.JSONField(default=dict, blank=True)

    objects = EpisodeEventQuerySet.as_manager()

    class Meta:
        ordering = ["episode", "at", "id"]

    def __str__(self) -> str:
        return f"{self.kind} of episode {self.episode_id}"
