from django.urls import path

from anomalies.api import episodes, ladder, views, windows

urlpatterns = [
    path("anomalies", views.AnomalyList.as_view(), name="anomaly-list"),
    path("anomalies/<int:pk>", views.AnomalyDetail.as_view(), name="anomaly-detail"),
    path("anomalies/<int:pk>/review", views.AnomalyReview.as_view(), name="anomaly-review"),
    path("episodes", episodes.EpisodeList.as_view(), name="episode-list"),
    path("episodes/<int:pk>", episodes.EpisodeDetail.as_view(), name="episode-detail"),
    *(
        path(f"episodes/<int:pk>/{name}", view.as_view(), name=f"episode-{name}")
        for name, view in episodes.ACTS.items()
    ),
    path("windows", windows.WindowList.as_view(), name="window-list"),
    path("windows/<int:pk>", windows.WindowDetail.as_view(), name="window-detail"),
    path("windows/<int:pk>/end", windows.WindowEnd.as_view(), name="window-end"),
    path("sensors/<int:pk>/detection", ladder.SensorDetection.as_view(), name="sensor-detection"),
]
