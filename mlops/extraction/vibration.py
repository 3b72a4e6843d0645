"""A stretch of vibration as features: in time, in frequency, and of its envelope. Pure.

Sources: R. B. Randall & J. Antoni, Rolling element bearing diagnostics - a tutorial (2011), for the
envelope spectrum and the fault orders.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import hilbert

from mlops.feature_sets import FeatureSet
from sensors.series import FloatArray

BANDS = 8  # of equal width, up to half the sampling rate
IN_TIME = ("rms", "peak_to_peak", "kurtosis", "skewness", "crest", "shape", "mean_abs")
# Multiples of the shaft's speed at which a fault of each part shows: outer race, inner race, ball.
# Those of a 6205-2RS JEM SKF, which CWRU's drive end has.
ORDERS = {"outer": 3.5848, "inner": 5.4152, "ball": 4.7135}
_WIDTH = 0.03  # of a fault frequency, to each side: bearings slip

WHOLE = FeatureSet(
    "vibration-whole",
    (
        *IN_TIME,
        *(f"band_{n + 1}_share" for n in range(BANDS)),
        "spectral_centroid_share",
        "spectral_entropy",
        *(f"envelope_{part}" for part in ORDERS),
        *(f"envelope_{part}_twice" for part in ORDERS),
    ),
)
WHOLE_SINCE_NEW = FeatureSet(
    "vibration-whole-since-new", tuple(f"{name}_since_new" for name in WHOLE.columns)
)
_LEAST = 1e-12


def whole(windows: FloatArray, rate_hz: float, shaft_hz: FloatArray) -> FloatArray:
    """windows: shape (n, samples), one unit throughout; shaft_hz: shape (n,).

    Returns shape (n, len(WHOLE.columns)). The first column and the two that are in the signal's
    unit are logarithms, all others do not depend on its scale.
    """
    return np.column_stack(
        [in_time(windows), in_frequency(windows), envelope(windows, rate_hz, shaft_hz)]
    )


def in_time(windows: FloatArray) -> FloatArray:
    """Shape (n, 7). Natural logarithms of rms, peak to peak and mean absolute value."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    size = np.abs(centred)
    rms = np.sqrt((centred**2).mean(axis=1)) + _LEAST
    mean_abs, peak = size.mean(axis=1) + _LEAST, size.max(axis=1)
    scaled = centred / rms[:, None]
    return np.column_stack(
        [
            np.log(rms),
            np.log(np.ptp(centred, axis=1) + _LEAST),
            (scaled**4).mean(axis=1) - 3.0,
            (scaled**3).mean(axis=1),
            peak / rms,
            rms / mean_abs,
            np.log(mean_abs),
        ]
    )


def in_frequency(windows: FloatArray) -> FloatArray:
    """Shape (n, BANDS + 2): shares of energy, centre of gravity (0 to 1), entropy (0 to 1)."""
    power = _spectrum(windows)
    shares = power / (power.sum(axis=1, keepdims=True) + _LEAST)
    bands = np.stack([part.sum(axis=1) for part in np.array_split(shares, BANDS, axis=1)], axis=1)
    place = np.linspace(0, 1, shares.shape[1])
    entropy = -(shares * np.log(shares + _LEAST)).sum(axis=1) / np.log(shares.shape[1])
    return np.column_stack([bands, shares @ place, entropy])


def envelope(windows: FloatArray, rate_hz: float, shaft_hz: FloatArray) -> FloatArray:
    """Shape (n, 6): how far the envelope's spectrum rises above its median (logarithm) at each
    part's fault frequency, and at twice that."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    amplitude = np.abs(hilbert(centred, axis=1))
    power = _spectrum(amplitude - amplitude.mean(axis=1, keepdims=True))
    step = rate_hz / windows.shape[1]
    floor = np.median(power[:, : power.shape[1] // 4], axis=1) + _LEAST
    columns = [
        np.log((_peaks(power, order * times * shaft_hz / step) + _LEAST) / floor)
        for times in (1, 2)
        for order in ORDERS.values()
    ]
    return np.column_stack(columns)


def cut(signal: FloatArray, samples: int) -> FloatArray:
    """Windows side by side, shape (n, samples); what is left over is dropped."""
    count = len(signal) // samples
    return np.asarray(signal[: count * samples].reshape(count, samples), dtype=float)


def _spectrum(windows: FloatArray) -> FloatArray:
    tapered = windows * np.hanning(windows.shape[1])
    return np.asarray(np.abs(np.fft.rfft(tapered, axis=1))[:, 1:] ** 2)


def _peaks(power: FloatArray, bins: FloatArray) -> FloatArray:
    """The largest line near a place in each row; lines count from 1."""
    found = np.zeros(len(power))
    for row, place in enumerate(bins):
        low = max(int(place * (1 - _WIDTH)) - 1, 0)
        high = max(int(np.ceil(place * (1 + _WIDTH))), low + 1)
        found[row] = power[row, low:high].max() if low < power.shape[1] else 0.0
    return found
