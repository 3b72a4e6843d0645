"""When anomalies are expected, and what was hidden because of that."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from anomalies.models.anomaly import Anomaly
from anomalies.querysets import HiddenQuerySet, OccurrenceQuerySet, WindowQuerySet
from anomalies.windows import calendar
from sensors.models import KIND_CHOICES, Asset, Site
from sensors.presentation import zone_of


class MaintenanceWindow(models.Model):
    """Anomalies that lie within it open no episode; those past a configured limit always do."""

    class Purpose(models.TextChoices):
        MAINTENANCE = "maintenance"
        SILENCE = "silence"

    purpose = models.CharField(max_length=12, choices=Purpose.choices, default=Purpose.MAINTENANCE)
    reason = models.CharField(max_length=200)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="windows")
    asset = models.ForeignKey(
        Asset, on_delete=models.CASCADE, null=True, blank=True, help_text="Empty: every machine."
    )
    kind = models.CharField(
        max_length=20, choices=KIND_CHOICES, blank=True, help_text="Of sensors. Empty: every kind."
    )
    starts_at = models.DateTimeField(null=True, blank=True, help_text="May lie in the past.")
    ends_at = models.DateTimeField(null=True, blank=True)
    calendar = models.TextField(
        blank=True, help_text="Instead of both: an iCalendar (.ics), which may recur."
    )
    end_unused_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="It ends early when it has hidden nothing for so long."
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="windows",
        help_text="Gets the report by mail.",
    )

    objects = WindowQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.reason

    def clean(self) -> None:
        if self.asset and self.site_id != self.asset.site_id:
            raise ValidationError({"asset": "A machine of that site."})
        if not self.calendar and (self.starts_at is None or self.ends_at is None):
            raise ValidationError("It has a start and an end, or a calendar.")
        if self.starts_at and self.starts_at < calendar.EARLIEST:
            raise ValidationError({"starts_at": "Before 1900."})
        if self.ends_at and self.ends_at > calendar.LATEST:
            raise ValidationError({"ends_at": "After 2200."})
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise ValidationError({"ends_at": "It ends after it starts."})
        if self.calendar and self.site_id:
            try:
                calendar.check(self.calendar, zone_of(self.site.timezone), timezone.now())
            except calendar.CalendarError as error:
                raise ValidationError({"calendar": str(error)}) from error


class WindowOccurrence(models.Model):
    """One time that a window is open. Its report says what it hid."""

    window = models.ForeignKey(
        MaintenanceWindow, on_delete=models.CASCADE, related_name="occurrences"
    )
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="Moved to when it ended early.")
    planned_end = models.DateTimeField()
    report = models.JSONField(null=True, blank=True, help_text="Written once it is over.")
    reported_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(
        null=True, blank=True, help_text="When its owner was told that it is overrun."
    )

    objects = OccurrenceQuerySet.as_manager()

    class Meta:
        ordering = ["-start", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["window", "start"], name="occurrence_once"),
            models.CheckConstraint(condition=Q(start__lte=F("end")), name="occurrence_start_end"),
        ]
        indexes = [
            # Each anomaly asks which are open where it lies.
            models.Index(fields=["start", "end"], name="occurrence_span"),
        ]

    def __str__(self) -> str:
        return f"{self.window} from {self.start:%Y-%m-%d %H:%M}"


class HiddenAnomaly(models.Model):
    """An anomaly that would have been evidence of an episode but for a window."""

    occurrence = models.ForeignKey(
        WindowOccurrence, on_delete=models.CASCADE, related_name="hidden"
    )
    anomaly = models.ForeignKey(Anomaly, on_delete=models.CASCADE, related_name="hidden_by")
    at = models.DateTimeField()
    surfaced_at = models.DateTimeField(
        null=True, blank=True, help_text="When it counted after all: it went on past the window."
    )

    objects = HiddenQuerySet.as_manager()

    class Meta:
        ordering = ["anomaly__start"]
        constraints = [
            models.UniqueConstraint(fields=["occurrence", "anomaly"], name="hidden_once"),
        ]

    def __str__(self) -> str:
        return f"{self.anomaly} hidden by {self.occurrence}"
