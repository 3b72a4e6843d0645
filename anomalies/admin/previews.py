"""Previews: what would have been with a rule, a window, a policy or a model changed."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from anomalies import tasks
from anomalies.models import MaintenanceWindow, Preview, ValidationRule
from mlops import serving
from mlops.models import ModelApproval
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter, visible
from sensors.presentation import age, local, zone_of

MOST_DAYS = 90
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:")
STATES = {
    "waiting": "badge-dim", "running": "badge-note", "done": "badge-good", "failed": "badge-bad",
    "stopped": "badge-dim",
}  # fmt: skip
HEADS = {
    "anomalies": ("sensor", "start", "end", "score", "decision"),
    "episodes": ("subject", "started_at", "last_at", "severity", "anomalies"),
    "notifications": ("subject", "said_at", "event", "route", "turn"),
}


class PreviewForm(forms.ModelForm):
    """What is left empty stays as it is; nothing at all asks whether it comes out as it did."""

    days = forms.IntegerField(min_value=1, max_value=MOST_DAYS, initial=7, label="The last … days")
    rule = forms.ModelChoiceField(
        ValidationRule.objects.none(), required=False,
        help_text="As if it were on, if it is off; as if it were off, if it is on.",
    )  # fmt: skip
    without_window = forms.ModelChoiceField(
        MaintenanceWindow.objects.none(), required=False, help_text="As if it had not been."
    )
    model = forms.ModelChoiceField(
        ModelApproval.objects.none(), required=False, label="Champion",
        help_text="As if this version were champion.",
    )  # fmt: skip
    policies = forms.JSONField(
        initial=dict,
        required=False,
        help_text='Settings, such as {"EPISODE_POLICY": {"rejoin_s": 3600}}.',
    )

    class Meta:
        model = Preview
        fields = ("site",)

    def clean(self) -> dict[str, Any]:
        from anomalies.replay.change import Change, ChangeError

        said: dict[str, Any] = super().clean() or self.cleaned_data
        rule, window, model = (said.get(name) for name in ("rule", "without_window", "model"))
        change = {
            "policies": said.get("policies") or {},
            "flip_rule": rule.pk if rule else None,
            "without_window": window.pk if window else None,
            "models": {model.name: model.version} if model else {},
        }
        try:
            found = Change.from_json(change)
            found.check()
        except (ChangeError, AttributeError) as error:
            raise ValidationError(str(error)) from error
        self.instance.change = found.as_json()
        return said


@admin.register(Preview)
class PreviewAdmin(SiteScopedAdmin):
    form = PreviewForm
    change_form_template = "admin/anomalies/preview/change_form.html"
    empty = Empty(
        text="A preview runs the last days once more with a rule, a window, a model or a "
        "setting changed, and shows what would have been. Nothing of the plant is changed"
        " by it.",
        command="manage.py replay --since 2026-03-01",
    )
    list_display = ("what", "site", "span", "shown_state", "asked")
    list_filter = ("state", ("site", VisibleRelatedFilter))
    list_select_related = ("site", "asked_by")
    fields = ("site", "days", "rule", "without_window", "model", "policies")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Asked for once; another one is another preview."""
        return False

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is not None:  # its page shows the result; there is nothing to fill in
            return super().get_form(request, obj, change, **{**kwargs, "form": forms.ModelForm})
        form: Any = super().get_form(request, obj, change, **kwargs)
        rules = self.admin_site.get_model_admin(ValidationRule).get_queryset(request)
        form.base_fields["rule"].queryset = rules
        form.base_fields["without_window"].queryset = visible(MaintenanceWindow, request)
        approved = self.admin_site.get_model_admin(ModelApproval).get_queryset(request)
        form.base_fields["model"].queryset = approved.filter(
            name__startswith=serving.PREFIX, revoked_at__isnull=True
        )
        return form

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else ("site",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """From the page of a rule or a window."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        sites = visible(Preview._meta.get_field("site").related_model, request)[:2]
        return {**({"site": sites[0].pk} if len(sites) == 1 else {}), **initial}

    def get_urls(self) -> list[URLPattern]:
        address = path(
            "<path:object_id>/stop/",
            self.admin_site.admin_view(self.stop_view),
            name="anomalies_preview_stop",
        )
        return [address, *super().get_urls()]

    @method_decorator(require_POST)
    def stop_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Whoever may ask for one may stop it: it keeps others waiting."""
        from anomalies.replay import previews

        if not self.has_add_permission(request):
            raise PermissionDenied
        preview: Preview | None = self.get_object(request, object_id)
        if preview is None:
            raise Http404
        if previews.stop(preview):
            self.log_change(request, preview, "Stopped.")
        else:
            messages.info(request, "It was over already.")
        return self.response_post_save_change(request, preview)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        now = timezone.now()
        obj.until, obj.since = now, now - timedelta(days=form.cleaned_data["days"])
        obj.asked_at, obj.asked_by = now, request.user
        super().save_model(request, obj, form, change)
        tasks.wake_previews()

    def response_add(self, request: HttpRequest, obj: Any, *args: Any) -> HttpResponse:
        return self.response_post_save_change(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        page = reverse("admin:anomalies_preview_change", args=[obj.pk])
        return HttpResponseRedirect(page)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        preview = kwargs.get("obj")
        if preview is not None:
            context.update(self.page(preview))
            may_stop = not preview.is_over and self.has_add_permission(request)
            context["stop"] = (
                reverse("admin:anomalies_preview_stop", args=[preview.pk]) if may_stop else ""
            )
        return super().render_change_form(request, context, *args, **kwargs)

    def page(self, preview: Preview) -> dict[str, Any]:
        result, zone = preview.result or {}, zone_of(preview.site.timezone)
        return {
            "title": "What would have been",
            "subtitle": None,
            "preview": preview,
            "said": self.what(preview),
            "range": self.span(preview),
            "state": self.shown_state(preview),
            "percent": f"{preview.share:.0%}",
            "counts": _counts(result),
            "tables": [_table(name, result, zone) for name in HEADS] if result else [],
            "quality": _quality(result, zone),
            "doubts": result.get("doubts", []),
        }

    # --- columns ---------------------------------------------------------------------------------

    @admin.display(description="what")
    def what(self, preview: Preview) -> str:
        from anomalies.replay.change import Change

        return str(Change.from_json(preview.change))

    @admin.display(description="range")
    def span(self, preview: Preview) -> str:
        zone = zone_of(preview.site.timezone)
        return f"{local(preview.since, zone)} – {local(preview.until, zone)}"

    @admin.display(description="state")
    def shown_state(self, preview: Preview) -> SafeString:
        text = preview.get_state_display().lower()
        if preview.state == Preview.State.RUNNING:
            text += f", {preview.share:.0%}"
        return cells.badge(text, STATES[preview.state], title=preview.error)

    @admin.display(description="asked")
    def asked(self, preview: Preview) -> SafeString:
        return cells.two_lines(age(preview.asked_at, timezone.now()), str(preview.asked_by or ""))


def _counts(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    """(what, was, would be, added, gone, changed)."""
    rows: list[tuple[Any, ...]] = []
    for name in HEADS if result else ():
        numbers, moved = result["counts"], result["differences"][name]["counts"]
        rows.append((
            name, numbers["was"][name], numbers["would_be"][name],
            moved["added"], moved["gone"], moved["changed"],
        ))  # fmt: skip
    return rows


def _table(name: str, result: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """The difference of one sort of record, as lines with a sign."""
    found = result["differences"][name]
    lines = [("+", _cells(name, one, zone), "") for one in found["added"]]
    lines += [("−", _cells(name, one, zone), "") for one in found["gone"]]
    lines += [
        ("~", _cells(name, one["would_be"], zone), _moves(one, zone)) for one in found["changed"]
    ]
    total = sum(found["counts"][kind] for kind in ("added", "gone", "changed"))
    head = [column.removesuffix("_at").replace("_", " ") for column in HEADS[name]]
    return {"name": name, "head": head, "lines": lines, "more": total - len(lines)}


def _cells(name: str, record: dict[str, Any], zone: ZoneInfo) -> list[str]:
    return [_plain(record[column], zone) for column in HEADS[name]]


def _moves(one: dict[str, Any], zone: ZoneInfo) -> str:
    moved = one["fields"].items()
    return ", ".join(
        f"{name.replace('_', ' ')} {_plain(was, zone)} → {_plain(would_be, zone)}"
        for name, (was, would_be) in moved
    )


def _plain(value: Any, zone: ZoneInfo) -> str:
    """Times on the site's clock, which is the page's."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, str) and TIME.match(value):
        return local(datetime.fromisoformat(value), zone)
    return json.dumps(value) if isinstance(value, dict | list) else str(value).replace("_", " ")


def _quality(result: dict[str, Any], zone: ZoneInfo) -> list[tuple[str, str, str]]:
    quality = result.get("quality")
    if not quality:
        return []
    was, would_be = quality["was"], quality["would_be"]
    return [
        (name.replace("_", " "), _plain(was[name], zone), _plain(would_be[name], zone))
        for name in was
    ]
