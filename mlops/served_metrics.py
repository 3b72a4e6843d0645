"""The tally of serving for /metrics: gauges, though some only grow; who counts lives for a job."""

from __future__ import annotations

from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from mlops.models import Fallback, ServedModel

_COUNTED = {"memory": "hits", "disk": "disk_loads", "registry": "downloads"}


def metrics(now: datetime) -> list[Metric]:
    had = GaugeMetricFamily(
        "smartmaint_model_had",
        "Times a model was had for a pass of detection: in memory, from disk, from the registry.",
        labels=["model", "where"],
    )
    failed = GaugeMetricFamily(
        "smartmaint_model_failures", "Times it could not be had or was refused.", labels=["model"]
    )
    out = GaugeMetricFamily(
        "smartmaint_model_not_serving",
        "1 when the champion did not serve in the last pass that asked for it.",
        labels=["model"],
    )
    age = GaugeMetricFamily(
        "smartmaint_model_load_age_seconds", "Since it was last loaded.", labels=["model"]
    )
    for row in ServedModel.objects.all():
        for where, column in _COUNTED.items():
            had.add_metric([row.name, where], getattr(row, column))
        failed.add_metric([row.name], row.failures)
        out.add_metric([row.name], float(bool(row.reason)))
        if row.loaded_at is not None:
            age.add_metric([row.name], (now - row.loaded_at).total_seconds())
    return [had, failed, out, age, _fallbacks()]


def _fallbacks() -> Metric:
    found = GaugeMetricFamily(
        "smartmaint_model_fallbacks",
        "Sensors judged by a lower rung, pass by pass, because a champion could not be had.",
        labels=["model", "rung"],
    )
    for row in Fallback.objects.all():
        found.add_metric([row.name, row.rung], row.sensors)
    return found
