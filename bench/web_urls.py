"""Every address of the project, an empty view, and readings taken the way a tutorial would."""

from django.urls import path

from bench.naive import EmptyView, NaiveView
from smartmaint.urls import handler400, handler404, handler500
from smartmaint.urls import urlpatterns as shipped

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    *shipped,
    path("bench/empty", EmptyView.as_view()),
    path("bench/naive", NaiveView.as_view()),
]
