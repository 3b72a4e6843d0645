"""Rules of the validation agent: refused at saving when they could not be applied."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from anomalies import presentation, rehearsal, rules
from anomalies.bars import signed
from anomalies.models import Anomaly, ValidationRule
from sensors.admin.empty import Empty
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.models import Site

EXAMPLE = (
    '[{"field": "kind", "op": "==", "value": "vibration"}, '
    '{"field": "value_delta_pct", "op": ">", "value": 50}]'
)


def conditions_help() -> SafeString:
    fields = format_html_join(
        "", "<dt><code>{}</code></dt><dd>{}</dd>", (rules.NUMBERS | rules.TEXTS).items()
    )
    return format_html(
        "All must hold; none at all holds always. An example: <code>{}</code>"
        "<details><summary>Fields and comparisons</summary><dl class='fields'>{}</dl>"
        "<p>Numbers: {}. Texts: {}.</p></details>",
        EXAMPLE,
        fields,
        " ".join(rules.COMPARISONS),
        " ".join(sorted(rules.TEXT_OPS)),
    )


DAYS = (7, 14, 30, 90)
SHOWN, WANTED_DAYS = "_shown", "_days"
UNSENT = frozenset({"csrfmiddlewaretoken", SHOWN, WANTED_DAYS})


def _told(request: HttpRequest) -> str:
    """Of the form as it was sent: what was shown of another one does not count."""
    fields = sorted((n, request.POST.getlist(n)) for n in request.POST if n not in UNSENT)
    return sha256(repr(fields).encode()).hexdigest()


def _days(request: HttpRequest) -> int:
    said = request.POST.get(WANTED_DAYS, "")
    return int(said) if said.isdecimal() and int(said) in DAYS else 14


class ValidationRuleForm(forms.ModelForm):
    class Meta:
        model = ValidationRule
        fields = ("name", "site", "kind", "conditions", "adjustment", "forced_decision",
                  "priority", "enabled")  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "conditions" in self.fields:
            self.fields["conditions"].help_text = conditions_help()
            self.fields["conditions"].initial = []
            self.fields["conditions"].required = False

    def clean_conditions(self) -> object:
        """No conditions at all are none that fail."""
        return self.cleaned_data["conditions"] or []


@admin.register(ValidationRule)
class ValidationRuleAdmin(SiteScopedAdmin):
    form = ValidationRuleForm
    change_form_template = "admin/anomalies/previewable_form.html"
    empty = Empty(
        headline="The built-in rules apply.",
        text="A rule of your own raises, lowers or decides what the validation agent makes of "
        "an anomaly. Before it is saved you see what it would have changed.",
    )
    list_display = ("name", "scope", "conditions_in_words", "effect", "priority", "enabled")
    list_filter = ("enabled", "kind", ("site", VisibleRelatedFilter))
    list_select_related = ("site",)
    search_fields = ("name",)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What it would have changed is shown before it is saved, and again if it was changed."""
        told = _told(request)
        if request.method == "POST" and request.POST.get(SHOWN) != told:
            rule = self.get_object(request, object_id) if object_id else None
            if rule is None or self.has_change_permission(request, rule):
                form = self.get_form(request, rule, change=rule is not None)(
                    request.POST, instance=rule
                )
                if form.is_valid() and self._may_write(request, form.instance):
                    return self._rehearsed(request, form.instance, told)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _rehearsed(self, request: HttpRequest, rule: Any, told: str) -> HttpResponse:
        visible, now = Anomaly.objects.for_user(request.user), timezone.now()
        days = _days(request)
        found = rehearsal.rehearse(rule, visible, days=days, now=now)
        sent = [(n, v) for n in request.POST if n not in UNSENT for v in request.POST.getlist(n)]
        context = {
            **self.admin_site.each_context(request),
            "title": f"What “{rule}” would have changed",
            "rule": rule,
            "effect": self.effect(rule),
            "found": found,
            "lines": [self._line(line) for line in found.lines],
            "sent": sent,
            "shown": told,
            "choices": DAYS,
        }
        return TemplateResponse(request, "admin/anomalies/validationrule/rehearsal.html", context)

    def _line(self, line: rehearsal.Line) -> dict[str, Any]:
        anomaly = line.anomaly
        return {
            "address": reverse("admin:anomalies_anomaly_change", args=[anomaly.pk]),
            "sensor": anomaly.sensor,
            "began": presentation.began(anomaly),
            "verdict": presentation.verdict(anomaly.verdict),
            "before": presentation.published(line.before.would_be.status.value),
            "after": presentation.published(line.after.would_be.status.value),
            "confidences": (line.before.would_be.confidence, line.after.would_be.confidence),
            "hides": line.hides_a_confirmed_fault,
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Their sites' rules, and those of every site, which are theirs to read."""
        own = Site.objects.for_user(request.user)
        everyone = Q(site__isnull=True)
        rows = ValidationRule.objects.filter(Q(site__in=own) | everyone)
        return rows.order_by(*self.get_ordering(request) or ("priority", "name"))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A rule for every site is a superuser's to make."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "site" and field is not None:
            field.required = not request.user.is_superuser
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self._may_write(request, obj):
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_write(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_write(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        if not request.user.is_superuser:
            queryset = queryset.filter(site__isnull=False)
        super().delete_queryset(request, queryset)

    def _may_write(self, request: HttpRequest, rule: Any) -> bool:
        return rule is None or rule.site_id is not None or bool(request.user.is_superuser)

    @admin.display(description="where")
    def scope(self, rule: ValidationRule) -> str:
        return f"{rule.site or 'every site'} · {rule.kind or 'every kind'}"

    @admin.display(description="when")
    def conditions_in_words(self, rule: ValidationRule) -> SafeString | str:
        try:
            return rule.parsed().reason
        except rules.RuleError as error:
            return format_html('<span class="warn">{}</span>', error)

    @admin.display(description="effect", ordering="adjustment")
    def effect(self, rule: ValidationRule) -> str:
        if rule.forced_decision:
            return f"decides: {rule.get_forced_decision_display().lower()}"
        return f"confidence {signed(rule.adjustment)}"
