"""Clips of a fan, with its physics. Pure.

A fan of nine blades sounds at its blade-pass frequency (blades times revolutions a second) and the
multiples of it, falling by 6 dB each; air is noise that falls with frequency. Where it is faulty,
one of three: a blade is bent (the tone is modulated once a turn), something rubs (bursts of high
noise once a turn), or its bearing whistles (a tone at 2.6 kHz). The speed differs between clips by
1 %.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from mlops.extraction.sound import RATE_HZ
from sensors.series import FloatArray

FAULTS = ("bent", "rubs", "whistles")
SECONDS = 2.0
BLADES, TURNS_HZ = 9, 25.0


def clip(fault: str | None, rng: np.random.Generator) -> FloatArray:
    """Shape (32000,), in -1..1. fault: one of FAULTS, or None."""
    t = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    turns = TURNS_HZ * (1 + 0.01 * rng.normal())
    strength = rng.uniform(0.3, 1.0)
    tone = sum(
        0.5**n * np.sin(2 * np.pi * BLADES * turns * (n + 1) * t + rng.uniform(0, 6))
        for n in range(5)
    )
    once = np.sin(2 * np.pi * turns * t)
    air = lfilter([1.0], [1.0, -0.9], rng.normal(size=len(t)))
    if fault == "bent":
        tone = tone * (1 + 0.8 * strength * once)
    sound = 0.02 * (1 + 0.1 * rng.normal()) * (np.asarray(tone) + 0.5 * air)
    if fault == "rubs":
        sound = sound + 0.02 * strength * (once > 0.9) * rng.normal(size=len(t))
    if fault == "whistles":
        sound = sound + 0.01 * strength * np.sin(2 * np.pi * 2600 * t)
    return np.asarray(np.clip(sound, -1, 1))
