"""A replay that somebody asked for in the admin, and what came of it."""

from django.conf import settings
from django.db import models

from anomalies.querysets import PreviewQuerySet
from sensors.models import Site


class Preview(models.Model):
    """What would have been at a site in a range, had something been otherwise."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        STOPPED = "stopped"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="previews")
    change = models.JSONField(default=dict, blank=True, help_text="anomalies.replay.change.Change.")
    since = models.DateTimeField()
    until = models.DateTimeField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    share = models.FloatField(default=0.0, help_text="How far it is, 0 to 1.")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="When it was last at work.")
    error = models.CharField(max_length=500, blank=True)
    result = models.JSONField(null=True, blank=True)

    objects = PreviewQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # The job takes what waits.
            models.Index(
                fields=["id"], condition=models.Q(state__in=["waiting", "running"]),
                name="preview_unfinished",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"preview {self.pk}"

    @property
    def is_over(self) -> bool:
        return self.state not in {self.State.WAITING, self.State.RUNNING}
