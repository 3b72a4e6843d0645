"""A list of sites in pages; the urlconf of test_pages.py."""

from typing import Any

from django.urls import path
from rest_framework import generics, serializers

from sensors.models import Site


class SiteSerializer(serializers.ModelSerializer[Site]):
    class Meta:
        model = Site
        fields = ("slug",)


class Sites(generics.ListAPIView[Site]):
    authentication_classes = ()
    permission_classes = ()
    serializer_class = SiteSerializer
    queryset = Site.objects.order_by()


class SitesByName(Sites):
    ordering: Any = ("name", "id")


urlpatterns = [path("sites", Sites.as_view()), path("by-name", SitesByName.as_view())]
