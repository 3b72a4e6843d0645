"""The list of anomalies and the page of one. Detections are read only; verdicts are given here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from anomalies import presentation
from anomalies.admin import detail, filters, outlook, picture, reviews
from anomalies.models import Anomaly, Verdict
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.read_only import ReadOnly
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter


@admin.register(Anomaly)
class AnomalyAdmin(ReadOnly, SiteScopedAdmin):
    change_form_template = "admin/anomalies/anomaly/change_form.html"
    empty = Empty(
        headline="Nothing awaits review.",
        text="New anomalies appear here as soon as detection has found and validation has "
        "judged them.",
        elsewhere=(
            ("what people judged", "?review=reviewed"),
            ("everything ever found", "?review=all&standing=all"),
        ),
    )
    list_display = (
        *("shown_severity", "shown_sensor", "kind", "when", "values", "shown_score"),
        *("shown_status", "shown_confidence", "found_by", "shown_verdict"),
    )
    list_display_links = ("shown_severity", "shown_sensor")
    list_filter = (
        filters.ReviewFilter,
        filters.SeverityFilter,
        filters.StatusFilter,
        filters.QueueFilter,
        "nature_sort",
        filters.KindFilter,
        ("sensor__site", VisibleRelatedFilter),
        ("sensor__asset", VisibleRelatedFilter),
        "rung",
        "start",
        filters.StandingFilter,
    )
    list_select_related = ("sensor", "sensor__asset", "sensor__site")
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-severity", "-start", "-id")
    date_hierarchy = "start"
    search_fields = ("sensor__external_id", "sensor__asset__name", "detector", "model_name")
    search_help_text = "Sensor id, machine, detector or model"
    actions = ("confirm", "false_positive", "unsure")

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("anomalies.add_review")

    # --- the page of one -------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        address = path(
            "<path:object_id>/review/",
            self.admin_site.admin_view(self.review_view),
            name="anomalies_anomaly_review",
        )
        return [address, *super().get_urls()]

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        found: Anomaly | None = super().get_object(request, object_id, from_field)
        return found

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context.update(self.page(request, kwargs["obj"]))
        return super().render_change_form(request, context, *args, **kwargs)

    def page(self, request: HttpRequest, anomaly: Anomaly) -> dict[str, Any]:
        waiting, now = self.waiting(request), timezone.now()
        return {
            "title": f"{anomaly.sensor.kind.capitalize()} of {anomaly.sensor.external_id}",
            "subtitle": None,
            "anomaly": anomaly,
            "severity": presentation.severity(anomaly.severity),
            "badges": [
                presentation.status(anomaly),
                presentation.verdict(anomaly.verdict),
                presentation.going_on(anomaly),
                presentation.standing(anomaly),
            ],
            "began": f"{presentation.began(anomaly)} · {presentation.lasted(anomaly, now)}",
            "chart": picture.chart(anomaly),
            "parts": detail.parts(anomaly),
            "silence": detail.silent(anomaly) or outlook.ahead(anomaly),
            "outage": detail.outage(anomaly),
            "waterfall": detail.waterfall(anomaly.validations.first()),
            "facts": detail.facts(anomaly),
            "receipt": detail.receipt(anomaly),
            "revisions": [(row, detail.changes(row)) for row in anomaly.revisions.all()],
            "reviews": [
                (row, presentation.verdict(row.verdict))
                for row in anomaly.reviews.select_related("person")
            ],
            "may_review": self.has_review_permission(request) and not anomaly.withdrawn_at,
            "review_form": reviews.NoteForm(),
            "waiting_count": waiting.count(),
            "previous": reviews.preceding(waiting, anomaly),
            "next": reviews.following(waiting, anomaly),
        }

    def waiting(self, request: HttpRequest) -> Any:
        return Anomaly.objects.for_user(request.user).standing().awaiting_review()

    @method_decorator(require_POST)
    def review_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A verdict from the page of an anomaly; goes on to the next one that waits."""
        if not self.has_review_permission(request):
            raise PermissionDenied
        anomaly = self.get_object(request, object_id)
        if anomaly is None:
            raise Http404
        form = reviews.ReviewForm(request.POST)
        if anomaly.withdrawn_at or not form.is_valid():
            self.message_user(request, "That was no verdict: nothing is changed.", messages.ERROR)
            return HttpResponseRedirect(self._address(anomaly))
        upcoming = reviews.following(self.waiting(request), anomaly)
        verdict, note = Verdict(form.cleaned_data["verdict"]), form.cleaned_data["note"]
        reviews.review_all(
            [anomaly], verdict=verdict, note=note, person=request.user, now=timezone.now()
        )
        name = presentation.VERDICTS[verdict][0]
        self.message_user(request, f"{anomaly}: {name}.", messages.SUCCESS)
        return HttpResponseRedirect(self._address(upcoming))

    def _address(self, anomaly: Anomaly | None) -> str:
        if anomaly is None:
            return reverse("admin:anomalies_anomaly_changelist")
        return reverse("admin:anomalies_anomaly_change", args=[anomaly.pk])

    # --- verdicts on many ------------------------------------------------------------------------

    @admin.action(description="Confirm the selected anomalies …", permissions=["review"])
    def confirm(self, request: HttpRequest, rows: QuerySet[Anomaly]) -> HttpResponse | None:
        return self._review_selected(request, rows, Verdict.CONFIRMED)

    @admin.action(description="Mark as false positive …", permissions=["review"])
    def false_positive(self, request: HttpRequest, rows: QuerySet[Anomaly]) -> HttpResponse | None:
        return self._review_selected(request, rows, Verdict.FALSE_POSITIVE)

    @admin.action(description="Mark as unsure …", permissions=["review"])
    def unsure(self, request: HttpRequest, rows: QuerySet[Anomaly]) -> HttpResponse | None:
        return self._review_selected(request, rows, Verdict.UNSURE)

    def _review_selected(
        self, request: HttpRequest, rows: QuerySet[Anomaly], verdict: Verdict
    ) -> HttpResponse | None:
        """Asks for a note first; the second time round it is there."""
        rows = rows.filter(withdrawn_at__isnull=True)
        form = reviews.NoteForm(request.POST if "apply" in request.POST else None)
        if not form.is_valid():
            return self._ask_for_note(request, rows, verdict, form)
        count = reviews.review_all(
            rows,
            verdict=verdict,
            note=form.cleaned_data["note"],
            person=request.user,
            now=timezone.now(),
        )
        name = presentation.VERDICTS[verdict][0]
        self.message_user(request, f"{count} anomalies: {name}.", messages.SUCCESS)
        return None

    def _ask_for_note(
        self, request: HttpRequest, rows: QuerySet[Anomaly], verdict: Verdict, form: Any
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{reviews.VERDICT_NAMES[verdict]}: {rows.count()} anomalies",
            "opts": self.opts,
            "form": form,
            "rows": [(row, presentation.severity(row.severity)) for row in rows[:100]],
            "action": request.POST.get("action"),
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "verdict_name": reviews.VERDICT_NAMES[verdict],
        }
        return TemplateResponse(request, "admin/anomalies/anomaly/review_selected.html", context)

    # --- columns ---------------------------------------------------------------------------------

    @admin.display(description="severity", ordering="severity")
    def shown_severity(self, anomaly: Anomaly) -> SafeString:
        return presentation.severity(anomaly.severity)

    @admin.display(description="status", ordering="status")
    def shown_status(self, anomaly: Anomaly) -> SafeString:
        return presentation.status(anomaly)

    @admin.display(description="sensor", ordering="sensor__external_id")
    def shown_sensor(self, anomaly: Anomaly) -> SafeString:
        return cells.sensor_name(anomaly.sensor)

    @admin.display(description="kind", ordering="sensor__kind")
    def kind(self, anomaly: Anomaly) -> SafeString:
        return cells.two_lines(anomaly.sensor.kind, presentation.nature(anomaly))

    @admin.display(description="when", ordering="start")
    def when(self, anomaly: Anomaly) -> SafeString:
        return presentation.when(anomaly, timezone.now())

    @admin.display(description="observed", ordering="observed")
    def values(self, anomaly: Anomaly) -> SafeString:
        return presentation.values(anomaly)

    @admin.display(description="score", ordering="score")
    def shown_score(self, anomaly: Anomaly) -> SafeString | str:
        return cells.share_bar(anomaly.score)

    @admin.display(description="confidence", ordering="confidence")
    def shown_confidence(self, anomaly: Anomaly) -> SafeString | str:
        return cells.share_bar(anomaly.confidence)

    @admin.display(description="found by", ordering="rung")
    def found_by(self, anomaly: Anomaly) -> SafeString:
        return presentation.found_by(anomaly)

    @admin.display(description="verdict", ordering="verdict")
    def shown_verdict(self, anomaly: Anomaly) -> SafeString | str:
        return presentation.standing(anomaly) or presentation.verdict(anomaly.verdict)
