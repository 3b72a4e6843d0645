"""Reading anomalies and saying what they are."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from anomalies.api.filters import AnomalyFilters, chosen
from anomalies.api.permissions import IsPerson
from anomalies.api.serializers import AnomalyInDetail, AnomalyInList, ReviewIn, ReviewOut
from anomalies.models import Anomaly, Review
from anomalies.querysets import AnomalyQuerySet
from anomalies.review import review
from sensors.api.access import MayRead, visible


@extend_schema(tags=["anomalies"], parameters=[AnomalyFilters])
class AnomalyList(generics.ListAPIView[Anomaly]):
    """Anomalies, newest first."""

    serializer_class = AnomalyInList
    permission_classes = [MayRead]
    ordering = ("-start", "-id")

    def get_queryset(self) -> AnomalyQuerySet:
        asked = AnomalyFilters(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        found = chosen(visible(Anomaly.objects.for_list(), self.request), asked.validated_data)
        return found.defer("receipt")


@extend_schema(tags=["anomalies"])
class AnomalyDetail(generics.RetrieveAPIView[Anomaly]):
    """One anomaly: what found it, why, how sure we are, and what people said about it."""

    serializer_class = AnomalyInDetail
    permission_classes = [MayRead]

    def get_queryset(self) -> AnomalyQuerySet:
        return visible(Anomaly.objects.for_list(), self.request).prefetch_related(
            Prefetch("reviews", Review.objects.select_related("person")),
            "revisions",
        )  # fmt: skip


class AnomalyReview(APIView):
    """A person's verdict. The newest one counts, and moves the confidence of later anomalies."""

    permission_classes = [IsPerson]

    @extend_schema(
        tags=["anomalies"],
        request=ReviewIn,
        responses={201: ReviewOut},
        # The stubs know names only, the schema needs requirement objects.
        auth=[{"jwtAuth": []}, {"cookieAuth": []}],  # type: ignore[list-item]
    )
    def post(self, request: Request, pk: int) -> Response:
        anomaly = get_object_or_404(visible(Anomaly.objects.all(), request), pk=pk)
        said = ReviewIn(data=request.data)
        said.is_valid(raise_exception=True)
        given: dict[str, Any] = said.validated_data
        stored = review(
            anomaly=anomaly,
            verdict=given["verdict"],
            note=given["note"],
            person=cast("User", request.user),  # IsPerson has looked
            now=timezone.now(),
        )
        return Response(ReviewOut(stored).data, status=status.HTTP_201_CREATED)
