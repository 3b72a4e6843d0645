"""Which columns a model was fitted on, by name: what a loaded artifact is compared with. Pure.

A set is declared beside the code that computes it; here is only where each is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module

READINGS = "readings"

# name -> where its FeatureSet is declared. Imported when asked for: some modules are heavy.
WHERE: dict[str, str] = {
    "machining-baseline": "mlops.extraction.machining:BASELINE",
    "machining-engineered": "mlops.extraction.machining:ENGINEERED",
    "vibration-whole": "mlops.extraction.vibration:WHOLE",
    "vibration-whole-since-new": "mlops.extraction.vibration:WHOLE_SINCE_NEW",
    "vibration-since-new": "mlops.extraction.snapshots:SINCE_NEW",
    "sound-clip": "mlops.extraction.sound:CLIP",
    "turbofan-relative": "mlops.extraction.turbofan:RELATIVE",
    "forecast-steps": "mlops.forecasting.boosted:COLUMNS",
    "forecast-window": "mlops.forecasting.linear:WINDOW",
}


class UnknownFeatureSet(LookupError):
    """No code of this release computes a set of that name."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Ordered columns; `revision` goes up when the same names are computed in another way."""

    name: str
    columns: tuple[str, ...]
    revision: int = 1

    def fingerprint(self) -> str:
        """Tells this set from any other, also from an earlier revision of itself.

        >>> a, b = FeatureSet("x", ("rms",)), FeatureSet("x", ("rms",), revision=2)
        >>> a.fingerprint() == b.fingerprint()
        False
        """
        stated = "\n".join([*self.columns, str(self.revision)])
        return sha256(stated.encode()).hexdigest()[:16]


def feature_set(name: str) -> FeatureSet:
    """The set that this release computes under that name. UnknownFeatureSet."""
    if name not in WHERE:
        raise UnknownFeatureSet(f"there are no features named {name!r}")
    module, attribute = WHERE[name].split(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, FeatureSet):
        raise TypeError(f"{WHERE[name]} is no FeatureSet")
    return found
