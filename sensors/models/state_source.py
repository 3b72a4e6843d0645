"""Where a machine's operating states come from, besides people and devices that tell them."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from sensors import timetable
from sensors.models.place import Asset
from sensors.models.sensor import Sensor
from sensors.operating import CODES
from sensors.querysets import StateSourceQuerySet
from sensors.series import EARLIEST_DATETIME


class StateSource(models.Model):
    """One a machine at most. What is told besides counts from when it begins to the next change."""

    class Sort(models.TextChoices):
        SENSOR = "sensor", "the readings of a sensor"
        SCHEDULE = "schedule", "a weekly schedule"

    asset = models.OneToOneField(Asset, on_delete=models.CASCADE, related_name="state_source")
    sort = models.CharField(max_length=8, choices=Sort.choices)
    since = models.DateTimeField(
        default=timezone.now, help_text="Event time from which on it says what the machine did."
    )
    sensor = models.ForeignKey(
        Sensor,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="state_sources",
        help_text="Whose readings say the state; of the same site.",
    )
    meanings = models.JSONField(
        default=dict,
        blank=True,
        help_text='What its values mean: {"0": "off", "1": "starting", "2": "running"}. Other '
        "values say nothing.",
    )
    schedule = models.JSONField(
        default=list,
        blank=True,
        help_text='When it runs, in the site\'s time: [{"days": [0, 1, 2, 3, 4], "from": "06:00", '
        '"until": "22:00"}]. 0 is Monday; a shift may end on the next day.',
    )
    holidays = ArrayField(
        models.DateField(), default=list, blank=True, help_text="Days on which no shift begins."
    )

    objects = StateSourceQuerySet.as_manager()

    class Meta:
        ordering = ["asset"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sort="schedule") | models.Q(sensor__isnull=False),
                name="state_source_has_its_sensor",
            )
        ]

    def __str__(self) -> str:
        return f"{self.asset}: by {self.get_sort_display()}"

    def clean(self) -> None:
        """Raises ValidationError, by field."""
        errors = self._of_sensor() if self.sort == self.Sort.SENSOR else self._of_schedule()
        if self.since < EARLIEST_DATETIME:
            errors["since"] = "Before 1900."
        if errors:
            raise ValidationError(errors)

    @property
    def codes(self) -> dict[float, int]:
        """State codes by value."""
        return {float(value): CODES[state] for value, state in self.meanings.items()}

    def _of_sensor(self) -> dict[str, Any]:
        errors: dict[str, Any] = {}
        if self.sensor is None:
            errors["sensor"] = "Say which sensor's readings are the states."
        elif self.sensor.site_id != self.asset.site_id:
            errors["sensor"] = "The sensor and the machine belong to one site."
        if not isinstance(self.meanings, dict) or not self.meanings:
            errors["meanings"] = 'Say what values mean, such as {"0": "off", "1": "running"}.'
        elif unknown := sorted({str(state) for state in self.meanings.values()} - set(CODES)):
            errors["meanings"] = (
                f"There is no state {', '.join(unknown)}; there are {', '.join(CODES)}."
            )
        elif odd := [value for value in self.meanings if not _is_number(value)]:
            errors["meanings"] = f"{', '.join(odd)} is no number."
        return errors

    def _of_schedule(self) -> dict[str, Any]:
        try:
            timetable.parse(self.schedule)
        except timetable.TimetableError as error:
            return {"schedule": str(error)}
        return {}


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text)
    except ValueError:
        return False
