"""Readings with known physics and known faults, for seeding, training and evaluation. Pure.

`physics` says how a healthy sensor reads, `faults` what can go wrong with it, `fleet` puts twenty
of them on six machines. Everything is a function of the seed.
"""

from sensors.generator.faults import FAULTS, Fault, FaultSort, Injected, Scales, inject
from sensors.generator.fleet import (
    DEFAULT_PLAN,
    LAYOUT,
    Fleet,
    Plan,
    Stream,
    generate,
    labelled_stream,
)
from sensors.generator.physics import (
    RANGES,
    Behaviour,
    as_stored,
    draw_behaviour,
    grid,
    normal,
    normal_values,
)

__all__ = [
    "DEFAULT_PLAN",
    "FAULTS",
    "LAYOUT",
    "RANGES",
    "Behaviour",
    "Fault",
    "FaultSort",
    "Fleet",
    "Injected",
    "Plan",
    "Scales",
    "Stream",
    "as_stored",
    "draw_behaviour",
    "generate",
    "grid",
    "inject",
    "labelled_stream",
    "normal",
    "normal_values",
]
