"""Where it is measured: sites, and the machines in them."""

from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from sensors.querysets import AssetQuerySet, SiteQuerySet


def is_a_time_zone(name: str) -> None:
    """Raises ValidationError for what is no name in the IANA database."""
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is no time zone; Europe/Berlin is one.")


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
    false_alarms = models.FloatField(
        "false alarms",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.01), MaxValueValidator(100)],
        help_text="That each of its sensors can bear in 30 days; empty: DETECTION_POLICY's.",
    )
    promotes_retrained = models.BooleanField(
        "promotes retrained models",
        default=False,
        help_text="A model that was trained again may become champion when it passes the gate. "
        "One that judges sensors of several sites needs leave of all of them.",
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
