"""Keys of devices. The secret is on one page, once; what is stored cannot give it back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from sensors import keys
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.models import IngestKey
from sensors.presentation import zone_of


class IngestKeyForm(forms.ModelForm):
    rate_per_second = forms.FloatField(
        required=False, min_value=0.001, help_text="Calls a second; empty: the setting."
    )
    burst = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, help_text="Calls at once."
    )
    scopes = forms.MultipleChoiceField(
        choices=IngestKey.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[IngestKey.Scope.WRITE],
        help_text="A device that only sends needs no more than to write.",
    )


@admin.register(IngestKey)
class IngestKeyAdmin(SiteScopedAdmin):
    form = IngestKeyForm
    empty = Empty(
        text="A device sends with a key, which belongs to one site; its secret is shown once.",
        command="manage.py ingest_key create --site SLUG --name press-line",
    )
    list_display = ("name", "site", "shown_prefix", "state", "used", "expires_at")
    list_filter = (("site", VisibleRelatedFilter),)
    list_select_related = ("site",)
    search_fields = ("name", "prefix")
    autocomplete_fields = ("site",)
    actions = ("revoke",)
    readonly_fields = ("prefix", "created_at", "last_used_at", "revoked_at")
    fieldsets = ((None, {"fields": ("name", "site", "scopes", "rate_per_second", "burst",
                                    "expires_at", "line_template")}),)  # fmt: skip
    trace = ("Trace", {"fields": (("prefix", "created_at"), ("last_used_at", "revoked_at"))})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fieldsets, self.trace) if obj else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "site") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A key is revoked; its row says who sent what stays behind."""
        return False

    def save_model(self, request: HttpRequest, obj: IngestKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        issued, secret = keys.issue(**form.cleaned_data)
        obj.__dict__.update(issued.__dict__)
        # For the answer to this very request; neither session nor database sees it.
        request.issued_secret = secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: IngestKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Key issued",
            "opts": self.opts,
            "key": obj,
            "secret": request.issued_secret,  # type: ignore[attr-defined]
        }
        answer = TemplateResponse(request, "admin/sensors/ingestkey/issued.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    @admin.display(description="prefix", ordering="prefix")
    def shown_prefix(self, key: IngestKey) -> str:
        return f"{key.prefix}…"

    @admin.display(description="state")
    def state(self, key: IngestKey) -> SafeString:
        if key.revoked_at:
            return cells.badge("revoked", "badge-dim")
        if key.expires_at and key.expires_at <= timezone.now():
            return cells.badge("expired", "badge-warn")
        return cells.badge("usable", "badge-good")

    @admin.display(description="last used", ordering="last_used_at")
    def used(self, key: IngestKey) -> SafeString | str:
        return cells.moment(key.last_used_at, zone_of(key.site.timezone), timezone.now())

    @admin.action(description="Revoke: refused from now on", permissions=["change"])
    def revoke(self, request: HttpRequest, rows: QuerySet[IngestKey]) -> None:
        usable = list(rows.filter(revoked_at__isnull=True))
        for key in usable:
            keys.revoke(key, now=timezone.now())
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"{len(usable)} keys revoked.", messages.SUCCESS)
