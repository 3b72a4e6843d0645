"""What a replay changes, and putting that in force for as long as it runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from anomalies import detection_policy, silence
from anomalies import policy as validation_policy
from anomalies.episodes import policy as episode_policy
from anomalies.models import MaintenanceWindow, ValidationRule, WindowOccurrence
from anomalies.notify import pacing
from anomalies.windows import keeping
from mlops import serving
from mlops.models import ModelApproval
from sensors.models import Asset

# What each policy of a file must be to be one; they raise what they have against it.
POLICIES: Mapping[str, Any] = {
    "DETECTION_POLICY": detection_policy.parse,
    "VALIDATION_POLICY": validation_policy.parse,
    "EPISODE_POLICY": episode_policy.parse,
    "NOTIFY_POLICY": pacing.parse,
    "SILENCE_POLICY": silence.parse,
    "FALSE_ALARMS_BY_KIND": detection_policy.parse_by_kind,
}


class ChangeError(ValueError):
    """A change that cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """policies: settings by name. flip_rule: the rule as if it were on, where it is off, and off
    where it is on. rule: fields of a rule to add; it replaces one of its name and site. window:
    fields of a window to add. without_window: one as if it had not been. models: versions by name,
    as if they were champions. Nothing at all: as it is configured now."""

    policies: Mapping[str, Any] = field(default_factory=dict)
    flip_rule: int | None = None
    rule: Mapping[str, Any] | None = None
    window: Mapping[str, Any] | None = None
    without_window: int | None = None
    models: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: object) -> Change:
        """Raises ChangeError."""
        known = {one.name for one in fields(cls)}
        if not isinstance(values, Mapping) or set(values) - known:
            raise ChangeError(f"A change has {', '.join(sorted(known))}.")
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value}

    def __str__(self) -> str:
        parts = [f"{name} {json.dumps(values)}" for name, values in self.policies.items()]
        parts += [f"{name} v{version} as champion" for name, version in self.models.items()]
        if self.flip_rule is not None:
            parts.append(f"rule {self.flip_rule} flipped")
        if self.rule is not None:
            parts.append(f"with the rule {self.rule.get('name', '')!r}")
        if self.window is not None:
            parts.append(f"with a window from {self.window.get('starts_at')}")
        if self.without_window is not None:
            parts.append(f"without window {self.without_window}")
        return "; ".join(parts) or "as it is configured now"

    def check(self) -> None:
        """Whether it can be made. Raises ChangeError."""
        for name, values in self.policies.items():
            _check_policy(name, values)
        for name, version in self.models.items():
            approved = ModelApproval.objects.filter(name=name, version=version)
            if not approved.filter(revoked_at__isnull=True).exists():
                raise ChangeError(f"{name} has no approved version {version}.")

    @contextmanager
    def in_force(self, sites: Collection[int], *, now: datetime) -> Iterator[None]:
        """Within the block it is so. Call it in the session of a replay: it writes rows there.

        Raises ChangeError.
        """
        self.check()
        try:
            self._rows(sites, now=now)
        except ValidationError as error:
            raise ChangeError("; ".join(error.messages)) from error
        with _settings(self.policies), serving.as_if_champions(self.models):
            yield

    def _rows(self, sites: Collection[int], *, now: datetime) -> None:
        if self.flip_rule is not None:
            _flip(self.flip_rule)
        if self.rule is not None:
            _put_rule(self.rule)
        if self.without_window is not None:
            _drop_window(self.without_window)
        if self.window is not None:
            _add_window(self.window, sites, now=now)


def _check_policy(name: str, values: Any) -> None:
    if name not in POLICIES:
        raise ChangeError(f"{name} is none of {', '.join(POLICIES)}.")
    try:
        POLICIES[name](values)
    except (ValueError, TypeError) as error:
        raise ChangeError(f"{name}: {error}") from error


def _flip(pk: int) -> None:
    rule = ValidationRule.objects.filter(pk=pk).first()
    if rule is None:
        raise ChangeError(f"There is no rule {pk} for these sites.")
    rule.enabled = not rule.enabled
    rule.save(update_fields=["enabled"])


def _put_rule(values: Mapping[str, Any]) -> None:
    try:
        rule = ValidationRule(**values)
    except TypeError as error:
        raise ChangeError(f"The rule: {error}") from error
    ValidationRule.objects.filter(name=rule.name, site=rule.site_id).delete()
    rule.full_clean(exclude=["conditions"])  # none at all are allowed; `clean` reads them
    rule.save()


def _drop_window(pk: int) -> None:
    if not WindowOccurrence.objects.filter(window=pk).delete()[0]:
        raise ChangeError(f"There is no window {pk} at these sites.")
    MaintenanceWindow.objects.filter(pk=pk).update(calendar="")


def _add_window(values: Mapping[str, Any], sites: Collection[int], *, now: datetime) -> None:
    given = dict(values)
    asset = Asset.objects.filter(pk=given.pop("asset", None)).first()
    if asset is None and len(sites) != 1:
        raise ChangeError("A window needs a site: replay one.")
    times = {
        name: datetime.fromisoformat(str(given.pop(name)))
        for name in ("starts_at", "ends_at")
        if given.get(name)
    }
    site = asset.site_id if asset else next(iter(sites))
    try:
        window = MaintenanceWindow(site_id=site, asset=asset, **times, **given)
    except TypeError as error:
        raise ChangeError(f"The window: {error}") from error
    window.full_clean()
    window.save()
    keeping.plan(window, now=now)


@contextmanager
def _settings(values: Mapping[str, Any]) -> Iterator[None]:
    before = {name: getattr(settings, name) for name in values}
    for name, value in values.items():
        setattr(settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)
