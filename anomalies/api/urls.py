from django.urls import path

from anomalies.api import ladder, views

urlpatterns = [
    path("anomalies", views.AnomalyList.as_view(), name="anomaly-list"),
    path("anomalies/<int:pk>", views.AnomalyDetail.as_view(), name="anomaly-detail"),
    path("anomalies/<int:pk>/review", views.AnomalyReview.as_view(), name="anomaly-review"),
    path("sensors/<int:pk>/detection", ladder.SensorDetection.as_view(), name="sensor-detection"),
]
