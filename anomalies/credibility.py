"""What people's verdicts say of a detector on a sensor: a Beta posterior that fades. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from anomalies.evidence import Term
from anomalies.policy import ValidationPolicy
from sensors.series import FloatArray

# A machine is overhauled, a door is walled up: after so many days a verdict counts half. A
# constant, since counts are stored as faded as they were when they were last written.
HALF_LIFE_DAYS = 120.0


def faded(age_days: FloatArray, half_life_days: float = HALF_LIFE_DAYS) -> FloatArray:
    """What a verdict of that age still counts: 0..1, of the same shape.

    >>> faded(np.array([0.0, 120.0, 240.0]))
    array([1.  , 0.5 , 0.25])
    """
    return np.asarray(np.power(0.5, np.maximum(age_days, 0.0) / half_life_days))


@dataclass(frozen=True, slots=True)
class Posterior:
    """Verdicts on what a detector found, as far as they still count.

    confirmed, refuted: of this sensor; of_kind: the same of the other sensors of its kind at its
    site.
    """

    confirmed: float = 0.0
    refuted: float = 0.0
    of_kind: tuple[float, float] = (0.0, 0.0)

    def credibility(self, prior: float, most_of_kind: float = 0.0) -> float:
        """Mean of the Beta posterior: 0..1, 0.5 without verdicts.

        The prior is Beta(prior, prior) with the verdicts of the kind, which count as
        `most_of_kind` of the sensor's own at most. Rises with every confirmation and falls with
        every refutation.
        """
        told = sum(self.of_kind)
        share = min(1.0, most_of_kind / told) if told else 0.0
        up, down = (prior + share * n for n in self.of_kind)
        return (up + self.confirmed) / (up + down + self.confirmed + self.refuted)

    def term(self, policy: ValidationPolicy, *, least: float = -1.0) -> Iterator[Term]:
        """What the verdicts move the confidence by, `least` at least."""
        own, kind = self.confirmed + self.refuted, sum(self.of_kind)
        if not own and not kind:
            return
        mean = self.credibility(policy.profile_prior, policy.profile_kind_most)
        reason = (
            f"people confirmed {self.confirmed:.3g} and refuted {self.refuted:.3g} of this sensor"
        )
        if kind:
            up, down = self.of_kind
            reason += f", {up:.3g} and {down:.3g} of others of its kind"
        value = policy.profile_weight * (2 * mean - 1)
        yield Term("profile", "verdicts", max(value, least), reason)
