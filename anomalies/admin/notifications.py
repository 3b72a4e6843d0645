"""Routes, which people write, and messages, which they can only look at and send again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from anomalies.models import Message, NotificationRoute
from sensors.admin import cells
from sensors.admin.empty import Empty
from sensors.admin.read_only import ReadOnly
from sensors.admin.tenancy import SiteScopedAdmin, VisibleRelatedFilter
from sensors.models import Site
from sensors.presentation import age, shortened, zone_of

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MESSAGE_STATES = {"waiting": "badge-warn", "sent": "badge-good", "failed": "badge-bad"}


class RouteForm(forms.ModelForm):
    """The secret is taken and never shown again; left empty it stays."""

    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput(render_value=False),
        help_text="Of a webhook: whsec_ and base64. Leave it empty to keep it.",
    )
    weekdays = forms.TypedMultipleChoiceField(
        choices=list(enumerate(DAYS)), coerce=int, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = NotificationRoute
        fields = ("name", "enabled", "site", "asset", "queue", "min_severity", "channel", "target",
                  "secret", "weekdays", "hours_from", "hours_until", "after_minutes",
                  "repeat_minutes", "send_resolved")  # fmt: skip

    def clean_secret(self) -> str:
        return self.cleaned_data["secret"] or self.instance.secret


@admin.register(NotificationRoute)
class NotificationRouteAdmin(SiteScopedAdmin):
    form = RouteForm
    empty = Empty(
        headline="Nobody is told of anything.",
        text="A route says who is told of which episodes, by mail, a webhook or a chat.",
    )
    list_display = ("name", "scope", "channel", "shown_target", "hours", "escalation", "enabled")
    list_filter = ("enabled", "channel", ("site", VisibleRelatedFilter))
    list_select_related = ("site", "asset")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Their sites' routes, and a superuser's for every site."""
        rows = NotificationRoute.objects.all()
        if not request.user.is_superuser:
            rows = rows.filter(Q(site__in=Site.objects.for_user(request.user)))
        return rows.order_by(*self.get_ordering(request) or ("site__name", "name"))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "site" and field is not None:
            field.required = not request.user.is_superuser
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if obj.site_id is None and not request.user.is_superuser:
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    @admin.display(description="tells of")
    def scope(self, route: NotificationRoute) -> SafeString:
        where = " · ".join(str(part) for part in (route.site or "every site", route.asset) if part)
        queue = route.get_queue_display() if route.queue else "machines and instruments"
        return cells.two_lines(where, f"{queue}, severity {route.min_severity} or more")

    @admin.display(description="to")
    def shown_target(self, route: NotificationRoute) -> str:
        """Addresses of chats hold credentials: only where they begin is shown."""
        if route.channel == NotificationRoute.Channel.CHAT:
            return f"{route.target.partition('://')[0]}://…"
        return shortened(route.target)

    @admin.display(description="when")
    def hours(self, route: NotificationRoute) -> SafeString:
        days = (
            "every day"
            if len(set(route.weekdays)) == len(DAYS)
            else ", ".join(DAYS[day] for day in sorted(set(route.weekdays)))
        )
        hours = "all day"
        if route.hours_from is not None and route.hours_until is not None:
            hours = f"{route.hours_from:%H:%M} – {route.hours_until:%H:%M}, site time"
        return cells.two_lines(days, hours)

    @admin.display(description="if nobody acknowledges")
    def escalation(self, route: NotificationRoute) -> SafeString:
        first = f"after {route.after_minutes} min" if route.after_minutes else "at once"
        again = f"again after {route.repeat_minutes} min" if route.repeat_minutes else "once"
        return cells.two_lines(first, again)


@admin.register(Message)
class MessageAdmin(ReadOnly, SiteScopedAdmin):
    empty = Empty(
        text="A message is made when an episode opens, grows worse or is resolved and a route "
        "takes it. What is older than six hours is told to nobody."
    )
    list_display = ("subject", "route", "shown_state", "attempts", "error", "when")
    list_filter = ("state", ("route", VisibleRelatedFilter), ("site", VisibleRelatedFilter))
    list_select_related = ("route", "site")
    show_full_result_count = False
    actions = ("send_again",)
    fields = ("subject", "route", "site", "shown_state", "attempts", "next_attempt_at", "sent_at",
              "error", "key", "text")  # fmt: skip
    readonly_fields = fields

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("anomalies.change_message")

    @admin.action(description="Send again what has failed", permissions=["resend"])
    def send_again(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        failed = rows.filter(state=Message.State.FAILED)
        now = timezone.now()
        count = failed.update(state=Message.State.WAITING, next_attempt_at=now, created_at=now)
        self.message_user(request, f"{count} messages wait to be sent.", messages.SUCCESS)

    @admin.display(description="message")
    def subject(self, message: Message) -> str:
        return str(message)

    @admin.display(description="state", ordering="state")
    def shown_state(self, message: Message) -> SafeString:
        return cells.badge(message.state, MESSAGE_STATES[message.state], title=message.error)

    @admin.display(description="when", ordering="created_at")
    def when(self, message: Message) -> SafeString | str:
        now, zone = timezone.now(), zone_of(message.site.timezone)
        if message.state == Message.State.WAITING:
            return f"next attempt {age(message.next_attempt_at, now)}"
        return cells.moment(message.sent_at or message.created_at, zone, now)

    @admin.display(description="text")
    def text(self, message: Message) -> SafeString:
        return format_html('<pre class="payload">{}</pre>', message.content.get("body", ""))
