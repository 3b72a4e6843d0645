"""Addresses of the sensors API, below /api/v1/."""

from django.urls import path

from sensors.api.readings import ReadingsView

urlpatterns = [
    path("readings", ReadingsView.as_view(), name="readings"),
]
