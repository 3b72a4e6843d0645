"""Every address of the project."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from smartmaint import health
from smartmaint.api import TokenThrottle

handler400 = "smartmaint.api.bad_request"
handler404 = "smartmaint.api.not_found"
handler500 = "smartmaint.api.server_error"

throttled = [TokenThrottle]
api: list[URLPattern | URLResolver] = [
    path("", include("sensors.api.urls")),
    path("", include("mlops.api")),
    path("", include("anomalies.api.urls")),
    path("token", TokenObtainPairView.as_view(throttle_classes=throttled), name="token"),
    path(
        "token/refresh",
        TokenRefreshView.as_view(throttle_classes=throttled),
        name="token-refresh",
    ),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/queues/", include("django_rq.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include(api)),
    path("", include("sensors.api.influx.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs",
        SpectacularSwaggerView.as_view(url_name="schema", http_method_names=["get", "head"]),
        name="docs",
    ),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
