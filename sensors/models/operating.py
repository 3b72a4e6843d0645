"""What a machine was doing, as somebody or something said."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from sensors.models.place import Asset
from sensors.querysets import OperatingStateQuerySet
from sensors.series import EARLIEST_DATETIME


class OperatingState(models.Model):
    """A machine's state from `start` on, until `end` or until another one begins."""

    class State(models.TextChoices):
        OFF = "off"
        STARTING = "starting"
        RUNNING = "running"

    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="states")
    state = models.CharField(max_length=8, choices=State.choices)
    start = models.DateTimeField()
    end = models.DateTimeField(
        null=True, blank=True, help_text="Empty: until the next state that is tagged."
    )
    source = models.CharField(max_length=100, blank=True, help_text="Who said so.")
    derived = models.BooleanField(
        default=False, editable=False, help_text="Follows from the readings of a state sensor."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OperatingStateQuerySet.as_manager()

    class Meta:
        ordering = ["asset", "-start", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["asset", "start", "state", "end", "derived"],
                nulls_distinct=False,
                name="operating_state_tagged_once",
            ),
            models.CheckConstraint(
                condition=Q(end__isnull=True) | Q(end__gt=F("start")),
                name="operating_state_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} {self.state} from {self.start:%Y-%m-%d %H:%M}"

    def clean(self) -> None:
        if self.start and self.start < EARLIEST_DATETIME:
            raise ValidationError({"start": "Before 1900."})
