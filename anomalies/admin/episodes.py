"""The list of episodes and the page of one: what moved in which order, what was done about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from anomalies import presentation
from anomalies.admin import episode_page
from anomalies.admin.filters import DefaultFilter, SeverityFilter
from anomalies.episodes import acting
from anomalies.models import Episode, State
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.read_only import ReadOnly
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.presentation import age


class StateFilter(DefaultFilter):
    title = "state"
    parameter_name = "state"
    usual = "Not resolved"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((value, str(label)) for value, label in State.choices), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen == "all":
            return queryset
        if chosen in State.values:
            return queryset.filter(state=chosen)
        return queryset.exclude(state=State.RESOLVED)


class ActForm(forms.Form):
    """What a person does on the page. Which fields count depends on the act."""

    act = forms.ChoiceField(
        choices=[(name, name) for name in ("acknowledge", "start", "resolve", "reopen", "assign",
                                           "snooze", "comment", "link")]
    )  # fmt: skip
    text = forms.CharField(required=False, max_length=acting.LONGEST_TEXT)
    hours = forms.FloatField(required=False, min_value=0.1, max_value=24 * 90)
    to = forms.ModelChoiceField(get_user_model().objects.none(), required=False)
    url = forms.CharField(required=False, max_length=2000)


@admin.register(Episode)
class EpisodeAdmin(ReadOnly, SiteScopedAdmin):
    change_form_template = "admin/anomalies/episode/change_form.html"
    change_list_template = "admin/anomalies/episode/change_list.html"
    empty = Empty(
        headline="Nothing is open.",
        text="Credible anomalies of one machine become an episode here.",
        elsewhere=(("what is over", "?state=resolved"), ("everything", "?state=all")),
    )
    list_display = (
        *("shown_severity", "subject", "shown_state", "when", "first_mover", "shown_evidence"),
        *("shown_confidence", "shown_assignee"),
    )
    list_display_links = ("shown_severity", "subject")
    list_filter = (
        StateFilter,
        "queue",
        SeverityFilter,
        ("site", VisibleRelatedFilter),
        ("asset", VisibleRelatedFilter),
        "started_at",
    )
    list_select_related = ("site", "asset", "sensor", "first_sensor", "assignee")
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-severity", "-started_at", "-id")
    search_fields = ("asset__name", "sensor__external_id", "first_sensor__external_id")
    search_help_text = "Machine or sensor"

    def may_act(self, request: HttpRequest) -> bool:
        return request.user.has_perm("anomalies.change_episode")

    def get_urls(self) -> list[URLPattern]:
        address = path(
            "<path:object_id>/act/",
            self.admin_site.admin_view(self.act_view),
            name="anomalies_episode_act",
        )
        return [address, *super().get_urls()]

    # --- the page of one -------------------------------------------------------------------------

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context.update(self.page(request, kwargs["obj"]))
        return super().render_change_form(request, context, *args, **kwargs)

    def page(self, request: HttpRequest, episode: Episode) -> dict[str, Any]:
        return {
            **episode_page.page(episode),
            "may_act": self.may_act(request),
            "acts": _acts(episode),
            "people": members_of(episode),
        }

    @method_decorator(require_POST)
    def act_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.may_act(request):
            raise PermissionDenied
        episode: Episode | None = self.get_object(request, object_id)
        if episode is None:
            raise Http404
        form = ActForm(request.POST)
        form.fields["to"].queryset = members_of(episode)  # type: ignore[attr-defined]
        try:
            _do(episode, request.user, _said(form))
        except (acting.Conflict, ValidationError) as error:
            text = " ".join(getattr(error, "messages", [str(error)]))
            self.message_user(request, f"Nothing is changed: {text}", messages.ERROR)
        else:
            self.message_user(request, "Done, and written down.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:anomalies_episode_change", args=[episode.pk]))

    # --- columns ---------------------------------------------------------------------------------

    @admin.display(description="severity", ordering="severity")
    def shown_severity(self, episode: Episode) -> SafeString:
        return presentation.severity(episode.severity)

    @admin.display(description="what", ordering="asset__name")
    def subject(self, episode: Episode) -> SafeString:
        kind = "machine" if episode.asset_id else episode.get_queue_display().rstrip("s")
        return cells.two_lines(str(episode.subject), f"{kind} · {episode.site}")

    @admin.display(description="state", ordering="state")
    def shown_state(self, episode: Episode) -> SafeString:
        return episode_page.state_badge(episode)

    @admin.display(description="since", ordering="started_at")
    def when(self, episode: Episode) -> SafeString:
        ago = age(episode.started_at, timezone.now())
        return cells.two_lines(
            episode_page.began(episode), f"{ago} · {episode_page.lasted(episode)}"
        )

    @admin.display(description="moved first", ordering="first_sensor__external_id")
    def first_mover(self, episode: Episode) -> SafeString:
        others = f"and {episode.sensors - 1} more" if episode.sensors > 1 else "alone"
        return cells.two_lines(episode.first_sensor.external_id, others)

    @admin.display(description="anomalies", ordering="anomalies_count")
    def shown_evidence(self, episode: Episode) -> str:
        return f"{episode.anomalies_count:,}"

    @admin.display(description="confidence", ordering="confidence")
    def shown_confidence(self, episode: Episode) -> SafeString | str:
        return cells.share_bar(episode.confidence)

    @admin.display(description="assigned to", ordering="assignee__username")
    def shown_assignee(self, episode: Episode) -> str:
        return str(episode.assignee or cells.DASH)


def members_of(episode: Episode) -> QuerySet[Any]:
    people = get_user_model().objects.filter(is_active=True)
    return (
        people.filter(Q(sites=episode.site_id) | Q(is_superuser=True))
        .distinct()
        .order_by("username")
    )


def _acts(episode: Episode) -> list[tuple[str, str]]:
    """What its state allows, as (act, label)."""
    ways = {
        "acknowledge": (State.ACKNOWLEDGED, "Acknowledge"),
        "start": (State.IN_PROGRESS, "Start work"),
        "resolve": (State.RESOLVED, "Resolve"),
        "reopen": (State.REOPENED, "Reopen"),
    }
    return [(act, label) for act, (to, label) in ways.items() if episode.state in acting.WAYS[to]]


def _said(form: ActForm) -> dict[str, Any]:
    """Raises ValidationError for what is no act."""
    if not form.is_valid():
        raise ValidationError([error for errors in form.errors.values() for error in errors])
    return form.cleaned_data


def _do(episode: Episode, person: Any, said: dict[str, Any]) -> None:
    now = timezone.now()
    by: dict[str, Any] = {"person": person, "now": now}
    moves: dict[str, Callable[..., Episode]] = {
        "acknowledge": acting.acknowledge,
        "start": acting.start,
        "resolve": acting.resolve,
        "reopen": acting.reopen,
    }
    match said["act"]:
        case "assign":
            acting.assign(episode, to=said["to"], **by)
        case "snooze":
            until = now + timedelta(hours=said["hours"] or 0)
            acting.snooze(episode, until=until, **by)
        case "comment":
            acting.comment(episode, text=said["text"], **by)
        case "link":
            acting.link(episode, url=said["url"], title=said["text"], **by)
        case move:
            moves[move](episode, note=said["text"], **by)
