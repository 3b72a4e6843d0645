"""Which model versions may be loaded, which one is champion and serves; a click rolls back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from mlops import served
from mlops.admin.reading import ReadOnlyAdmin
from mlops.models import ModelApproval, Promotion, ServedModel
from sensors.admin import cells
from sensors.admin.empty import Empty


def champion_version(outer: str) -> Subquery:
    """The version that the newest promotion of a name made champion."""
    newest = Promotion.objects.filter(name=OuterRef(outer)).order_by("-promoted_at", "-id")
    return Subquery(newest.values("version")[:1])


def champion_badge() -> SafeString:
    return cells.badge("champion", "badge-good", title="this version scores now")


@admin.register(ModelApproval)
class ModelApprovalAdmin(ReadOnlyAdmin):
    empty = Empty(
        text="A version is approved when training registers it, or by hand if somebody else "
        "did. Only what is approved is ever loaded.",
        command="manage.py train anomaly",
    )
    list_display = (
        *("name", "version", "champion", "detector", "sensor_kind", "dataset"),
        *("fingerprint", "approved_at", "approved_by"),
    )
    list_filter = ("task", "sensor_kind", "dataset", "detector")
    list_select_related = ("approved_by",)
    search_fields = ("name", "sha256")
    exclude = ("signature",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(champion_is=champion_version("name"))

    @admin.display(description="mark")
    def champion(self, approval: Any) -> SafeString | str:
        if approval.revoked_at:
            return cells.badge("revoked", "badge-bad", title="may not be loaded any more")
        return champion_badge() if approval.champion_is == approval.version else ""

    @admin.display(description="SHA-256")
    def fingerprint(self, approval: ModelApproval) -> SafeString:
        return format_html('<code title="{}">{}…</code>', approval.sha256, approval.sha256[:10])


@admin.register(Promotion)
class PromotionAdmin(ReadOnlyAdmin):
    empty = Empty(
        headline="No champion yet.",
        text="The first version of a kind is promoted by training, a later one once the gate "
        "lets it through. Until then the lower rungs score.",
        command="manage.py models promote NAME VERSION",
    )
    list_display = (
        *("promoted_at", "name", "step", "champion", "gate_passed", "person", "reason", "gate"),
    )
    list_filter = ("forced", "name")
    list_select_related = ("person",)
    date_hierarchy = "promoted_at"
    search_fields = ("name", "reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        newest = Promotion.objects.filter(name=OuterRef("name")).order_by("-promoted_at", "-id")
        return super().get_queryset(request).annotate(in_force=Subquery(newest.values("pk")[:1]))

    @admin.display(description="version", ordering=F("version"))
    def step(self, promotion: Promotion) -> str:
        if promotion.previous_version is None:
            return f"v{promotion.version}"
        return f"v{promotion.previous_version} → v{promotion.version}"

    @admin.display(description="mark")
    def champion(self, promotion: Any) -> SafeString | str:
        if promotion.in_force != promotion.pk:
            return ""
        if promotion.previous_version is None:
            return champion_badge()
        # The list is one form, and has the token.
        button = (
            '<button class="button" formmethod="post" formaction="{}">Roll back to v{}</button>'
        )
        address = reverse("admin:mlops_promotion_roll_back", args=[promotion.name])
        return champion_badge() + format_html(" " + button, address, promotion.previous_version)

    @admin.display(description="passed the gate", boolean=True)
    def gate_passed(self, promotion: Promotion) -> bool:
        return not promotion.forced

    def get_urls(self) -> list[Any]:
        own = path(
            "<str:name>/roll-back",
            self.admin_site.admin_view(require_POST(self.roll_back)),
            name="mlops_promotion_roll_back",
        )
        return [own, *super().get_urls()]

    def roll_back(self, request: HttpRequest, name: str) -> HttpResponse:
        """Models judge the sensors of all sites, so only superusers change who is champion."""
        if not request.user.is_superuser:
            raise PermissionDenied
        from mlops import promotion, registry, serving  # the scientific libraries
        from mlops.approval import Refused

        try:
            made = promotion.roll_back(
                name, person=request.user, reason="rolled back in the admin", now=timezone.now()
            )
        except (
            *(promotion.NothingToRollBackTo, Refused, serving.Unavailable),
            *(registry.RegistryAway, registry.NotRegistered),
        ) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{made.name} v{made.version} is champion again.")
        return redirect("admin:mlops_promotion_changelist")


@admin.register(ServedModel)
class ServedModelAdmin(ReadOnlyAdmin):
    empty = Empty(
        headline="No model serves yet.",
        text="A model appears here once detection has asked for it: it needs a champion, and "
        "readings to score. Until then the lower rungs score.",
        command="manage.py train anomaly",
    )
    list_display = ("name", "version", "state", "last_load", "asked_at", "counts", "instead")
    search_fields = ("name", "reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return served.with_fallbacks(super().get_queryset(request))

    @admin.display(description="serves")
    def state(self, row: ServedModel) -> SafeString:
        if row.reason:
            return format_html(
                "{} {}", cells.badge("does not serve", "badge-bad", title=row.reason), row.reason
            )
        return cells.badge("serves", "badge-good")

    @admin.display(description="loaded", ordering="loaded_at")
    def last_load(self, row: ServedModel) -> str:
        return served.loaded(row, timezone.now())

    @admin.display(description="had")
    def counts(self, row: ServedModel) -> str:
        return served.counted(row)

    @admin.display(description="lower rungs in its stead")
    def instead(self, row: Any) -> str:
        return row.fallbacks or cells.DASH
