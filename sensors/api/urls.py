"""Addresses of the sensors API, below /api/v1/."""

from django.urls import path

from sensors.api.approval import SensorApproval
from sensors.api.quality import SensorProfileView, SensorQuality
from sensors.api.readings import ReadingsView
from sensors.api.sensors import SensorDetail, SensorList, SensorReadings
from sensors.api.state_source import AssetStateSource
from sensors.api.states import AssetStates

urlpatterns = [
    path("assets/<int:pk>/states", AssetStates.as_view(), name="asset-states"),
    path("assets/<int:pk>/state-source", AssetStateSource.as_view(), name="asset-state-source"),
    path("readings", ReadingsView.as_view(), name="readings"),
    path("sensors", SensorList.as_view(), name="sensor-list"),
    path("sensors/<int:pk>", SensorDetail.as_view(), name="sensor-detail"),
    path("sensors/<int:pk>/readings", SensorReadings.as_view(), name="sensor-readings"),
    path("sensors/<int:pk>/quality", SensorQuality.as_view(), name="sensor-quality"),
    path("sensors/<int:pk>/profile", SensorProfileView.as_view(), name="sensor-profile"),
    path("sensors/<int:pk>/approve", SensorApproval.as_view(), name="sensor-approve"),
]
