"""What devices show to be let in, and what they were answered."""

from django.core.exceptions import ValidationError
from django.db import models

from sensors.formats.line_template import DEFAULT_TEMPLATE, MAX_TEMPLATE, Template
from sensors.models.place import Site
from sensors.querysets import IngestKeyQuerySet


def is_a_line_template(text: str) -> None:
    """Raises ValidationError for what cannot say what a sensor is called."""
    try:
        Template.parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class IngestKey(models.Model):
    """A device's credential. The secret (256 bits) is shown once and kept as its SHA-256."""

    class Scope(models.TextChoices):
        WRITE = "readings:write", "write readings"
        READ = "read", "read sensors and anomalies"
        WINDOWS = "windows:write", "plan and end maintenance windows"

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
