"""System checks of the anomalies app."""

from __future__ import annotations

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from anomalies import policy, silence


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
