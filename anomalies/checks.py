"""System checks of the anomalies app."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004

from anomalies import detection_policy as detection_policy_of
from anomalies import policy, silence
from anomalies.episodes import policy as episode_policy_of
from anomalies.notify import addresses, pacing


@register
def validation_policy(**_: object) -> list[CheckMessage]:
    try:
        policy.parse(settings.VALIDATION_POLICY)
    except policy.PolicyError as error:
        return [
            Error(
                f"VALIDATION_POLICY cannot be used: {error}",
                hint='For example {"credible_threshold": 0.7, "kinds": {"vibration": '
                '{"min_history": 10}}}. See anomalies/policy.py for every name.',
                id="anomalies.E001",
            )
        ]
    return []


@register
def silence_policy(**_: object) -> list[CheckMessage]:
    try:
        silence.parse(settings.SILENCE_POLICY)
    except silence.SilencePolicyError as error:
        return [
            Error(
                f"SILENCE_POLICY cannot be used: {error}",
                hint='For example {"floor_s": 900, "intervals": 8}. See anomalies/silence.py for '
                "every name.",
                id="anomalies.E002",
            )
        ]
    return []


@register
def episode_policy(**_: object) -> list[CheckMessage]:
    try:
        episode_policy_of.parse(settings.EPISODE_POLICY)
    except episode_policy_of.EpisodePolicyError as error:
        return [
            Error(
                f"EPISODE_POLICY cannot be used: {error}",
                hint='For example {"enter_score": 0.7, "kinds": {"flow": {"exit_quiet_s": 7200}}}. '
                "See anomalies/episodes/policy.py for every name.",
                id="anomalies.E003",
            )
        ]
    return []


@register
def notification_settings(**_: object) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    try:
        pacing.parse(settings.NOTIFY_POLICY)
    except pacing.PacingError as error:
        hint = 'For example {"group_wait_s": 60}. See anomalies/notify/pacing.py for every name.'
        found.append(
            Error(f"NOTIFY_POLICY cannot be used: {error}", hint=hint, id="anomalies.E004")
        )
    try:
        addresses.parse(settings.NOTIFY_ALLOWED_NETWORKS)
    except ValueError as error:
        hint = "For example 10.1.2.0/24, separated by commas."
        message = f"NOTIFY_ALLOWED_NETWORKS cannot be used: {error}"
        found.append(Error(message, hint=hint, id="anomalies.E005"))
    return found + _allowed_networks()


@register
def detection_settings(**_: object) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    try:
        detection_policy_of.parse(settings.DETECTION_POLICY)
    except detection_policy_of.DetectionPolicyError as error:
        hint = 'For example {"false_alarms": 2}. See anomalies/detection_policy.py for every name.'
        message = f"DETECTION_POLICY cannot be used: {error}"
        found.append(Error(message, hint=hint, id="anomalies.E009"))
    try:
        detection_policy_of.parse_by_kind(settings.FALSE_ALARMS_BY_KIND)
    except detection_policy_of.DetectionPolicyError as error:
        hint = 'False alarms in 30 days, for example {"vibration": 0.5}.'
        message = f"FALSE_ALARMS_BY_KIND cannot be used: {error}"
        found.append(Error(message, hint=hint, id="anomalies.E010"))
    return found


@register(Tags.security, deploy=True)
def public_url(**_: object) -> list[CheckMessage]:
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme in {"http", "https"} and url.hostname:
        return []
    hint = "PUBLIC_URL=https://smartmaint.example"
    if settings.PUBLIC_URL:
        return [Error("PUBLIC_URL is no http address.", hint=hint, id="anomalies.E006")]
    message = "PUBLIC_URL is not set: messages do not link to the episode."
    return [Warning(message, hint=hint, id="anomalies.W007")]


def _allowed_networks() -> list[CheckMessage]:
    if not settings.NOTIFY_ALLOWED_NETWORKS or settings.DEBUG:
        return []
    return [
        Warning(
            "NOTIFY_ALLOWED_NETWORKS is set: who may write routes can call hosts in them.",
            hint="Leave it empty, except in tests.",
            id="anomalies.W008",
        )
    ]
