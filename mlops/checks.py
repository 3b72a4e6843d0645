"""System checks of the mlops app."""

from __future__ import annotations

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from mlops import retraining_policy


@register
def retraining(**_: object) -> list[CheckMessage]:
    try:
        retraining_policy.parse(settings.RETRAINING_POLICY)
    except retraining_policy.RetrainingPolicyError as error:
        hint = 'For example {"max_age_days": 90}. See mlops/retraining_policy.py for every name.'
        return [
            Error(f"RETRAINING_POLICY cannot be used: {error}", hint=hint, id="mlops.E001"),
        ]
    return []
