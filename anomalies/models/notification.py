"""Who is told of an episode, what they were told, and whether it reached them: the outbox."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from anomalies.models.episode import Episode, EpisodeEvent, Queue
from anomalies.notify import targets
from anomalies.querysets import MessageQuerySet, NotificationQuerySet, RouteQuerySet
from sensors.models import Asset, Site

WEEK = [0, 1, 2, 3, 4, 5, 6]


def every_day() -> list[int]:
    return list(WEEK)


class NotificationRoute(models.Model):
    """Which episodes are told to whom, when and how. All that is stated must hold."""

    class Channel(models.TextChoices):
        EMAIL = "email"
        WEBHOOK = "webhook"
        CHAT = "chat", "chat and others (apprise)"

    name = models.CharField(max_length=100)
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, null=True, blank=True, help_text="Empty: every site."
    )
    asset = models.ForeignKey(
        Asset, on_delete=models.CASCADE, null=True, blank=True, help_text="Empty: every machine."
    )
    queue = models.CharField(
        max_length=10,
        choices=Queue.choices,
        default=Queue.MACHINE,
        blank=True,
        help_text="Empty: both.",
    )
    min_severity = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(5)], help_text="1 to 5."
    )
    channel = models.CharField(max_length=10, choices=Channel.choices)
    target = models.TextField(
        help_text="Mail addresses, separated by commas; the https address of a webhook; or an "
        "address of apprise, such as slack://… or tgram://…"
    )
    secret = models.CharField(
        max_length=200, blank=True, help_text="Of a webhook: whsec_ and base64. It signs with it."
    )
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(validators=[MaxValueValidator(6)]),
        default=every_day,
        help_text="0 is Monday. Days and hours are those of the site.",
    )
    hours_from = models.TimeField(null=True, blank=True, help_text="Empty: all day.")
    hours_until = models.TimeField(
        null=True, blank=True, help_text="Earlier than the start: over midnight."
    )
    after_minutes = models.PositiveIntegerField(
        default=0, help_text="Escalation: only what nobody has acknowledged for so long."
    )
    repeat_minutes = models.PositiveIntegerField(
        default=240,
        help_text="Said again after so long while nobody has acknowledged it, then once a day; "
        "0: never.",
    )
    send_resolved = models.BooleanField(default=True, help_text="Say also that it is over.")
    enabled = models.BooleanField(default=True)

    objects = RouteQuerySet.as_manager()

    class Meta:
        ordering = ["site", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "name"], name="route_name_unique_in_site", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(hours_from__isnull=True, hours_until__isnull=True)
                | Q(hours_from__isnull=False, hours_until__isnull=False),
                name="route_hours_have_both_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            targets.check(self.channel, self.target, self.secret)
        except targets.BadTarget as error:
            raise ValidationError({error.field: str(error)}) from error
        if self.asset and self.site_id != self.asset.site_id:
            raise ValidationError({"asset": "A machine of that site."})


class Message(models.Model):
    """What is sent in one piece: a group of notifications of one route and site.

    Sent at least once; the key is the same each time, so that a receiver can tell.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    route = models.ForeignKey(
        NotificationRoute, on_delete=models.CASCADE, null=True, blank=True, related_name="messages"
    )
    to = models.CharField(
        max_length=254, blank=True, help_text="A mail address, where no route says who is told."
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    key = models.UUIDField(default=uuid.uuid4, unique=True)
    content = models.JSONField(help_text="As it is said, the same at every attempt.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    error = models.CharField(max_length=300, blank=True, help_text="Of the last attempt.")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            # The job takes what is due.
            models.Index(
                fields=["next_attempt_at"], condition=Q(state="waiting"), name="message_waiting"
            ),
            # Grouping asks when a route last spoke to a site.
            models.Index(fields=["route", "site", "-created_at"], name="message_of_group"),
        ]

    def __str__(self) -> str:
        return f"{self.content.get('subject', '')}"

    @property
    def channel(self) -> str:
        return self.route.channel if self.route else NotificationRoute.Channel.EMAIL

    @property
    def target(self) -> str:
        return self.route.target if self.route else self.to


class Notification(models.Model):
    """One event of an episode, to be told by one route. Written with the event."""

    event = models.ForeignKey(EpisodeEvent, on_delete=models.CASCADE, related_name="notifications")
    episode = models.ForeignKey(Episode, on_delete=models.CASCADE, related_name="notifications")
    route = models.ForeignKey(
        NotificationRoute, on_delete=models.CASCADE, related_name="notifications"
    )
    turn = models.PositiveIntegerField(default=0, help_text="0, or which repetition.")
    created_at = models.DateTimeField()
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, null=True, blank=True, related_name="notifications"
    )
    dropped = models.CharField(max_length=100, blank=True, help_text="Why it was never said.")

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "route", "turn"], name="notification_once_an_event_and_route"
            ),
        ]
        indexes = [
            models.Index(
                fields=["route", "created_at"],
                condition=Q(message__isnull=True, dropped=""),
                name="notification_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} by {self.route_id}"
