"""What the sensors of a kind at a site have in common."""

from __future__ import annotations

from django.contrib import admin

from mlops.models import FleetPrior
from sensors.admin.empty import Empty
from sensors.admin.read_only import ReadOnly
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.presentation import quantity


@admin.register(FleetPrior)
class FleetPriorAdmin(ReadOnly, SiteScopedAdmin):
    """Never changed: anomalies name the one that judged them."""

    empty = Empty(
        headline="No fleet yet.",
        text="Every night what the sensors of a kind at a site have in common is learnt, once "
        "three of them have 1,000 readings each. It helps to judge sensors that are new there.",
        command="manage.py fleets",
    )
    list_display = ("made_at", "site", "kind", "unit", "made_of", "level", "noise", "serves_from")
    list_filter = (("site", VisibleRelatedFilter), "kind")
    list_select_related = ("site",)
    date_hierarchy = "made_at"

    @admin.display(description="made of")
    def made_of(self, prior: FleetPrior) -> str:
        return f"{len(prior.sensors)} sensors, {sum(one[1] for one in prior.sensors)} readings"

    @admin.display(description="levels")
    def level(self, prior: FleetPrior) -> str:
        typical = prior.prior["typical"]
        return f"{typical['centre']:.4g} ± {quantity(typical['apart'], prior.unit)}"

    @admin.display(description="noise of a reading")
    def noise(self, prior: FleetPrior) -> str:
        return quantity(prior.prior["typical"]["noise"], prior.unit)
