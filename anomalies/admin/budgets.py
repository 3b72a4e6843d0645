"""Alert budgets: asked for on a form, shown with what they cost, applied on confirmation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from anomalies import budget, budgeting
from anomalies.budget import Cost
from anomalies.budgeting import NotApplied, Proposed
from anomalies.models import Calibration
from sensors.admin.tenancy import visible
from sensors.models import Site

MOST_STEPS = 12
MOST_WEEKS = 520


class BudgetForm(forms.Form):
    site = forms.ModelChoiceField(Site.objects.none(), empty_label=None)
    per_week = forms.FloatField(
        label="At most … episodes a week", min_value=0, max_value=10_000, initial=5,
        help_text="Of all machines of the site together.",
    )  # fmt: skip
    weeks = forms.FloatField(
        label="By the last … weeks", min_value=0.1, max_value=MOST_WEEKS, initial=4
    )

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        super().__init__(data)
        self.fields["site"].queryset = visible(Site, request)  # type: ignore[attr-defined]


class ConfirmedForm(BudgetForm):
    """What is applied is what was shown: of this kind, to this threshold."""

    kind = forms.CharField(max_length=20)
    threshold = forms.FloatField()
    accept_missed = forms.BooleanField(required=False)


def budget_view(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        return _apply(model_admin, request)
    form = BudgetForm(request, request.GET if "site" in request.GET else None)
    asked = form.cleaned_data if form.is_bound and form.is_valid() else None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Alert budget",
        "opts": model_admin.opts,
        "form": form,
        "asked": asked,
        "panels": _panels(asked),
        "may_apply": may_apply(request),
    }
    return TemplateResponse(request, "admin/anomalies/calibration/budget.html", context)


def may_apply(request: HttpRequest) -> bool:
    return request.user.has_perm("anomalies.change_calibration")


def _panels(asked: dict[str, Any] | None) -> list[dict[str, Any]]:
    if asked is None:
        return []
    found = budgeting.propose_each(**asked, now=timezone.now())
    return [{"found": one, "rows": _rows(one), "says": _says(one)} for one in found]


def _rows(found: Proposed) -> list[tuple[str, Cost]]:
    """Of the thresholds between, as (mark, what it comes to), with the two that count."""
    before, after = found.budget.before, found.budget.after
    shown = [*budget.spread(found.budget.steps, MOST_STEPS), before, *([after] if after else [])]
    marks = {**({after: "proposed"} if after else {}), before: "now"}
    steps = sorted(set(shown), key=lambda step: step.threshold)
    return [(marks.get(step, ""), step) for step in steps]


def _says(found: Proposed) -> str:
    if found.budget.after is None:
        return "No threshold meets the budget: what is left is certain, or of other kinds."
    return "" if found.moves else "The budget is met as it is."


def _apply(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    if not may_apply(request):
        raise PermissionDenied
    form = ConfirmedForm(request, request.POST)
    if not form.is_valid():
        messages.error(request, "That was no budget: nothing is changed.")
        return HttpResponseRedirect(reverse("admin:anomalies_calibration_budget"))
    said = form.cleaned_data
    try:
        row = _applied(request, said)
    except (NotApplied, LookupError) as reason:
        messages.error(request, f"Nothing is changed: {str(reason.args[0]).removesuffix('.')}.")
        asked = urlencode({name: request.POST[name] for name in ("site", "per_week", "weeks")})
        return HttpResponseRedirect(f"{reverse('admin:anomalies_calibration_budget')}?{asked}")
    model_admin.log_addition(request, row, f"By a budget of {said['per_week']:g} a week.")
    messages.success(request, f"{row} is in force. It can be taken back below.")
    return HttpResponseRedirect(reverse("admin:anomalies_calibration_changelist"))


def _applied(request: HttpRequest, said: dict[str, Any]) -> Calibration:
    """Raises NotApplied, also where what comes out now is not what was shown; LookupError."""
    now = timezone.now()
    person: Any = request.user
    asked = {name: said[name] for name in ("site", "kind", "per_week", "weeks")}
    (found,) = budgeting.propose_each(**asked, now=now)
    after = found.budget.after
    if after is None or abs(after.threshold - said["threshold"]) > budget.JUST_ABOVE / 2:
        raise NotApplied("something came meanwhile, and the proposal is another one")
    return budgeting.apply(found, person=person, now=now, accept_missed=said["accept_missed"])
