"""Episodes as JSON, and what people do with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import exceptions, generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from anomalies.api.permissions import IsPerson
from anomalies.api.serializers import NOTE_LENGTH, AssetOfAnomaly, OrNull, SensorOfAnomaly
from anomalies.episodes import acting, evidence
from anomalies.models import Episode, EpisodeEvent, Queue, Resolution, State
from anomalies.querysets import EpisodeQuerySet
from sensors.api.access import MayRead, visible
from sensors.models import Sensor


class NotPossible(exceptions.APIException):
    status_code = HTTPStatus.CONFLICT
    default_code = "not_possible"
    default_detail = "The episode is not in a state in which that can be done."


class EpisodeFilters(serializers.Serializer[Any]):
    """Query parameters; all that are given must hold."""

    state = serializers.ChoiceField([*State.values, "unresolved"], required=False)
    queue = serializers.ChoiceField(Queue.choices, required=False)
    asset = serializers.IntegerField(required=False)
    sensor = serializers.IntegerField(required=False, help_text="A sensor that moved.")
    assignee = serializers.CharField(
        max_length=150, required=False, help_text="User name; `none`: nobody."
    )
    severity_min = serializers.IntegerField(min_value=1, max_value=5, required=False)
    to = serializers.DateTimeField(required=False, help_text="Started at or before (event time).")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        since = serializers.DateTimeField(
            required=False, help_text="Lasted until this instant or longer (event time)."
        )
        return {**super().get_fields(), "from": since}  # a keyword cannot name an attribute


LOOKUPS = {
    "queue": "queue",
    "asset": "asset",
    "severity_min": "severity__gte",
    "to": "started_at__lte",
    "from": "last_at__gte",
}


def _condition(name: str, value: Any) -> Q:
    match name:
        case "state":
            return ~Q(state=State.RESOLVED) if value == "unresolved" else Q(state=value)
        case "sensor":
            return Q(pk__in=Episode.objects.filter(anomalies__sensor=value).values("pk"))
        case "assignee":
            return Q(assignee__isnull=True) if value == "none" else Q(assignee__username=value)
    return Q(**{LOOKUPS[name]: value})


class EpisodeInList(serializers.ModelSerializer[Episode]):
    site = serializers.CharField(source="site.slug", read_only=True)
    asset = AssetOfAnomaly(read_only=True, allow_null=True)
    sensor = SensorOfAnomaly(read_only=True, allow_null=True)
    first_sensor = SensorOfAnomaly(read_only=True, help_text="Which moved first.")
    resolution = OrNull(Resolution.choices, help_text="Null until resolved.")
    assignee = serializers.CharField(
        source="assignee.username", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = Episode
        fields = [
            "id", "site", "asset", "sensor", "queue", "state", "resolution", "severity", "score",
            "confidence", "started_at", "last_at", "first_sensor", "sensors", "anomalies_count",
            "assignee", "snoozed_until", "opened_at", "changed_at", "resolved_at",
        ]  # fmt: skip


class MoverOut(serializers.Serializer[Any]):
    sensor = serializers.IntegerField()
    external_id = serializers.CharField()
    at = serializers.DateTimeField(help_text="Start of its first anomaly (event time).")
    after_s = serializers.FloatField(help_text="Seconds after the first mover.")


class EventOut(serializers.ModelSerializer[EpisodeEvent]):
    person = serializers.CharField(
        source="person.username", read_only=True, allow_null=True, default=None,
        help_text="Null: the system.",
    )  # fmt: skip

    class Meta:
        model = EpisodeEvent
        fields = ["id", "kind", "at", "person", "anomaly", "text", "data"]
        extra_kwargs = {"data": {"read_only": True}}


class EpisodeInDetail(EpisodeInList):
    movers = serializers.SerializerMethodField(help_text="In the order in which they moved.")
    anomalies = serializers.SerializerMethodField(help_text="Newest 100 that stand in it.")
    events = serializers.SerializerMethodField(help_text="Newest 200, newest first.")

    class Meta(EpisodeInList.Meta):
        fields = [*EpisodeInList.Meta.fields, "movers", "anomalies", "events"]

    @extend_schema_field(MoverOut(many=True))
    def get_movers(self, episode: Episode) -> Any:
        order = evidence.order_of(episode)
        names = Sensor.objects.in_bulk([mover.sensor for mover in order])
        return [
            {
                "sensor": mover.sensor,
                "external_id": names[mover.sensor].external_id,
                "at": mover.at,
                "after_s": mover.after.total_seconds(),
            }
            for mover in order
        ]

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_anomalies(self, episode: Episode) -> list[int]:
        return list(
            evidence.of(episode).order_by("-start", "-pk").values_list("pk", flat=True)[:100]
        )

    @extend_schema_field(EventOut(many=True))
    def get_events(self, episode: Episode) -> Any:
        rows = episode.events.select_related("person").order_by("-at", "-pk")[:200]
        return EventOut(rows, many=True).data


@extend_schema(tags=["episodes"], parameters=[EpisodeFilters])
class EpisodeList(generics.ListAPIView[Episode]):
    """Episodes, newest first."""

    serializer_class = EpisodeInList
    permission_classes = [MayRead]
    ordering = ("-started_at", "-id")

    def get_queryset(self) -> EpisodeQuerySet:
        asked = EpisodeFilters(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        found = visible(rows(), self.request)
        for name, value in asked.validated_data.items():
            found = found.filter(_condition(name, value))
        return found


@extend_schema(tags=["episodes"])
class EpisodeDetail(generics.RetrieveAPIView[Episode]):
    """One episode: what moved in which order, and everything that happened to it."""

    serializer_class = EpisodeInDetail
    permission_classes = [MayRead]

    def get_queryset(self) -> EpisodeQuerySet:
        return visible(rows(), self.request)


def rows() -> EpisodeQuerySet:
    return Episode.objects.for_list().select_related("sensor__site", "first_sensor__site")


# --- what people do -------------------------------------------------------------------------------


class NoteIn(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=NOTE_LENGTH, allow_blank=True, default="")


class AssignIn(serializers.Serializer[Any]):
    to = serializers.CharField(max_length=150, allow_null=True, help_text="User name, or null.")

    def validate_to(self, value: str | None) -> User | None:
        found = get_user_model().objects.filter(username=value or "", is_active=True).first()
        if value is not None and found is None:
            raise serializers.ValidationError("No such person.")
        return found


class SnoozeIn(serializers.Serializer[Any]):
    until = serializers.DateTimeField()


class CommentIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=NOTE_LENGTH)


class LinkIn(serializers.Serializer[Any]):
    url = serializers.URLField(max_length=2000)
    title = serializers.CharField(max_length=200, allow_blank=True, default="")


class EpisodeAct(APIView):
    """An act of a person: the event has an author. Repeating it changes nothing; 409 where the
    state of the episode does not allow it."""

    permission_classes = [IsPerson]
    said: type[serializers.Serializer[Any]]
    act: Callable[..., Episode]

    def post(self, request: Request, pk: int) -> Response:
        episode = get_object_or_404(visible(Episode.objects.all(), request), pk=pk)
        said = self.said(data=request.data)
        said.is_valid(raise_exception=True)
        now: datetime = timezone.now()
        try:
            # IsPerson has looked.
            type(self).act(episode, **said.validated_data, person=request.user, now=now)
        except acting.Conflict as error:
            raise NotPossible(str(error)) from error
        return Response(EpisodeInDetail(rows().get(pk=pk)).data)


def _view(act: Callable[..., Episode], said: type[serializers.Serializer[Any]]) -> Any:
    """The view of one act, described in the schema."""
    name = act.__name__
    view = type(f"Episode{name.title()}", (EpisodeAct,), {"act": staticmethod(act), "said": said})
    return extend_schema(
        tags=["episodes"],
        request=said,
        responses=EpisodeInDetail,
        auth=[{"jwtAuth": []}, {"cookieAuth": []}],  # type: ignore[list-item]
    )(view)


ACTS = {
    act.__name__: _view(act, said)
    for act, said in (
        (acting.acknowledge, NoteIn),
        (acting.start, NoteIn),
        (acting.resolve, NoteIn),
        (acting.reopen, NoteIn),
        (acting.assign, AssignIn),
        (acting.snooze, SnoozeIn),
        (acting.comment, CommentIn),
        (acting.link, LinkIn),
    )
}
