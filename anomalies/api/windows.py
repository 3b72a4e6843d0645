"""`/api/v1/windows`: maintenance windows and silences, also for the system that plans the work."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import exceptions, generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from anomalies.models import MaintenanceWindow, WindowOccurrence
from anomalies.querysets import WindowQuerySet
from anomalies.windows import keeping
from sensors.api.access import MayPlanWindows, MayRead, visible
from sensors.models import Asset, IngestKey, Site

NEWEST = 20


class NotOpen(exceptions.APIException):
    status_code = HTTPStatus.CONFLICT
    default_code = "not_open"
    default_detail = "The window is not open now: there is nothing to end."


class OccurrenceOut(serializers.ModelSerializer[WindowOccurrence]):
    hidden = serializers.SerializerMethodField(help_text="Anomalies that it has hidden so far.")

    class Meta:
        model = WindowOccurrence
        fields = ["start", "end", "planned_end", "hidden", "reported_at"]

    def get_hidden(self, row: WindowOccurrence) -> int:
        return row.hidden.count()


class WindowOut(serializers.ModelSerializer[MaintenanceWindow]):
    site = serializers.CharField(source="site.slug", read_only=True)
    owner = serializers.CharField(
        source="owner.username", read_only=True, allow_null=True, default=None
    )
    recurs = serializers.SerializerMethodField(help_text="Whether a calendar says when.")
    is_open = serializers.BooleanField(source="opened", read_only=True, help_text="Now.")
    times = serializers.SerializerMethodField(
        help_text=f"The newest {NEWEST} that have begun, newest first."
    )

    class Meta:
        model = MaintenanceWindow
        fields = [
            "id", "purpose", "reason", "site", "asset", "kind", "starts_at", "ends_at", "recurs",
            "end_unused_minutes", "owner", "is_open", "times",
        ]  # fmt: skip

    def get_recurs(self, window: MaintenanceWindow) -> bool:
        return bool(window.calendar)

    @extend_schema_field(OccurrenceOut(many=True))
    def get_times(self, window: MaintenanceWindow) -> Any:
        begun = window.occurrences.filter(start__lte=timezone.now())
        return OccurrenceOut(begun[:NEWEST], many=True).data


class WindowIn(serializers.ModelSerializer[MaintenanceWindow]):
    """site may be left out where who calls has only one, or names an asset."""

    site = serializers.SlugField(required=False)
    asset = serializers.IntegerField(required=False, allow_null=True, default=None)

    class Meta:
        model = MaintenanceWindow
        fields = ["purpose", "reason", "site", "asset", "kind", "starts_at", "ends_at", "calendar",
                  "end_unused_minutes"]  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Site and machine as rows that the caller may see; else there is no such one."""
        request = self.context["request"]
        attrs["asset"] = self._asset(attrs.get("asset"), request)
        attrs["site"] = self._site(attrs.get("site"), attrs["asset"], request)
        MaintenanceWindow(**attrs).full_clean(exclude=["owner"])
        return attrs

    def _asset(self, pk: int | None, request: Request) -> Asset | None:
        found = visible(Asset.objects.all(), request).filter(pk=pk).first()
        if pk is not None and found is None:
            raise serializers.ValidationError({"asset": "No such machine."})
        return found

    def _site(self, slug: str | None, asset: Asset | None, request: Request) -> Site:
        if slug is None and asset is not None:
            return asset.site
        rows = visible(Site.objects.all(), request)
        found = list((rows.filter(slug=slug) if slug is not None else rows)[:2])
        if len(found) != 1:
            said = "No such site." if slug is not None else "Which one? There are several."
            raise serializers.ValidationError({"site": said})
        return found[0]


class WindowFilters(serializers.Serializer[Any]):
    open = serializers.BooleanField(required=False, allow_null=True, help_text="Now.")
    asset = serializers.IntegerField(required=False)


def rows() -> WindowQuerySet:
    now = timezone.now()
    running = WindowOccurrence.objects.filter(window=OuterRef("pk"), start__lte=now, end__gt=now)
    found: WindowQuerySet = MaintenanceWindow.objects.select_related("site", "owner")
    return found.annotate(opened=Exists(running))


def _may(request: Request) -> list[Any]:
    """A device plans with a scope of its own: one that only sends readings silences nobody."""
    is_device = isinstance(request.auth, IngestKey)
    return [MayPlanWindows() if is_device and request.method == "POST" else MayRead()]


@extend_schema(tags=["windows"])
class WindowList(generics.ListAPIView[MaintenanceWindow]):
    """Maintenance windows and silences, the newest first."""

    serializer_class = WindowOut
    ordering = ("-id",)

    def get_permissions(self) -> list[Any]:
        return _may(self.request)

    def get_queryset(self) -> WindowQuerySet:
        asked = WindowFilters(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        found = visible(rows(), self.request)
        if asked.validated_data.get("open") is not None:
            found = found.filter(opened=asked.validated_data["open"])
        if "asset" in asked.validated_data:
            found = found.filter(asset=asked.validated_data["asset"])
        return found

    @extend_schema(tags=["windows"], parameters=[WindowFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(tags=["windows"], request=WindowIn, responses={201: WindowOut})
    def post(self, request: Request) -> Response:
        """Plan one: from when to when, or by an iCalendar. It may lie in the past."""
        given = WindowIn(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        owner = request.user if isinstance(request.user, get_user_model()) else None
        with transaction.atomic():
            window = MaintenanceWindow.objects.create(**given.validated_data, owner=owner)
            keeping.plan(window, now=timezone.now())
        return Response(WindowOut(rows().get(pk=window.pk)).data, status=status.HTTP_201_CREATED)


@extend_schema(tags=["windows"])
class WindowDetail(generics.RetrieveAPIView[MaintenanceWindow]):
    """One window, when it was open, and how many anomalies each time has hidden."""

    serializer_class = WindowOut
    permission_classes = [MayRead]

    def get_queryset(self) -> WindowQuerySet:
        return visible(rows(), self.request)


class WindowEnd(APIView):
    """End it now: the work is done. Of one that recurs only this time; later ones stay."""

    def get_permissions(self) -> list[Any]:
        return _may(self.request)

    @extend_schema(tags=["windows"], request=None, responses=WindowOut)
    def post(self, request: Request, pk: int) -> Response:
        window = get_object_or_404(visible(MaintenanceWindow.objects.all(), request), pk=pk)
        now: datetime = timezone.now()
        if not keeping.end(window, now=now):
            raise NotOpen
        return Response(WindowOut(rows().get(pk=pk)).data)
