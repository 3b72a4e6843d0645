"""A sound clip as features: MFCC and what its spectrum is like, mean and spread over time. Pure.

librosa is imported when a clip is read: it takes seconds.
"""

from __future__ import annotations

import numpy as np

from mlops.feature_sets import FeatureSet
from sensors.series import FloatArray

RATE_HZ = 16_000
MFCC = 13
_SPECTRAL = ("spectral_centroid", "spectral_bandwidth", "rms", "zero_crossing_rate")
CLIP = FeatureSet(
    "sound-clip",
    (
        *(f"mfcc_mean_{n + 1}" for n in range(MFCC)),
        *(f"mfcc_std_{n + 1}" for n in range(MFCC)),
        *(f"{name}_{what}" for name in _SPECTRAL for what in ("mean", "std")),
    ),
)


def of_clip(clip: FloatArray, rate_hz: int = RATE_HZ) -> FloatArray:
    """clip: shape (samples,), in -1..1. Shape (34,), in librosa's default frames."""
    import librosa

    y = clip.astype(np.float32)
    tracks = [
        librosa.feature.spectral_centroid(y=y, sr=rate_hz)[0],
        librosa.feature.spectral_bandwidth(y=y, sr=rate_hz)[0],
        librosa.feature.rms(y=y)[0],
        librosa.feature.zero_crossing_rate(y)[0],
    ]
    mfcc = librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=MFCC)
    spectral = [value for track in tracks for value in (track.mean(), track.std())]
    return np.array([*mfcc.mean(axis=1), *mfcc.std(axis=1), *spectral], dtype=float)
