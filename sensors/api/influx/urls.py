"""Addresses that clients of InfluxDB know, below /."""

from django.urls import path

from sensors.api.influx import views

urlpatterns = [
    path("api/v2/write", views.WriteV2.as_view(), name="influx-v2-write"),
    path("write", views.WriteV1.as_view(), name="influx-v1-write"),
    path("query", views.QueryV1.as_view(), name="influx-v1-query"),
    path("ping", views.ping, name="influx-ping"),
    path("health", views.health, name="influx-health"),
]
