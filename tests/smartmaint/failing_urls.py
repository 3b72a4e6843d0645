"""Addresses whose views fail in one way each; the urlconf of test_errors.py."""

import psycopg
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from smartmaint.lib import breaker

handler404 = "smartmaint.api.not_found"
handler500 = "smartmaint.api.server_error"

FAILURES: dict[str, Exception] = {
    "missing": Http404("No such anomaly."),
    "forbidden": PermissionDenied("Another site's."),
    "too-large": RequestDataTooBig("too big"),
    "invalid-model": ValidationError({"name": ["Too long."]}),
    "invalid-sentence": ValidationError("It ends before it starts."),
    "throttled": exceptions.Throttled(wait=0.2),
    "open": breaker.Open("store", 12.3),
    "database-away": OperationalError("connection refused at 10.0.0.1"),
    "lost-in-copy": psycopg.OperationalError("server closed the connection"),
    "unforeseen": RuntimeError("a secret in a message"),
}


class Fails(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, how: str) -> Response:
        raise FAILURES[how]


class Body(serializers.Serializer[dict[str, object]]):
    name = serializers.CharField(max_length=3)
    size = serializers.IntegerField()


class Validates(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        Body(data=request.data).is_valid(raise_exception=True)
        return Response({})


class Closed(APIView):
    """Asks for a login as every view of the project does."""

    def get(self, request: Request) -> Response:
        return Response({})


def broken_page(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a page broke")


def page_without_store(_request: HttpRequest) -> HttpResponse:
    raise FAILURES["database-away"]


urlpatterns = [
    path("api/fails/<str:how>", Fails.as_view()),
    path("api/validates", Validates.as_view()),
    path("api/closed", Closed.as_view()),
    path("page/fails", broken_page),
    path("page/database-away", page_without_store),
]
