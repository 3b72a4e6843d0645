"""System checks of the anomalies app."""

from __future__ import annotations

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from anomalies import policy, silence
from anomalies.episodes import policy as episode_policy_of


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
