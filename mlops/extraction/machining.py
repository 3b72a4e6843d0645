"""A milling machine's process data as features, plain and with the physics put in. Pure.

Source: S. Matzka, Explainable Artificial Intelligence for Predictive Maintenance Applications
(2020), the AI4I 2020 data set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.feature_sets import FeatureSet
from sensors.series import FloatArray

# What quality variant a product is: low, medium, high; and the strain its tool bears.
VARIANTS = ("L", "M", "H")
STRAIN_LIMIT_MIN_NM = np.array([11_000.0, 12_000.0, 13_000.0])
RADIANS_PER_S = 2 * np.pi / 60  # of one revolution a minute
# Columns of the data set that name a row, or its failure and the cause of it: never features.
IDS = ("UDI", "Product ID")
LABEL = "Machine failure"
CAUSES = ("TWF", "HDF", "PWF", "OSF", "RNF")

BASELINE = FeatureSet(
    "machining-baseline",
    (
        "variant",
        "air_temperature_k",
        "process_temperature_k",
        "rotational_speed_rpm",
        "torque_nm",
        "tool_wear_min",
    ),
)
ENGINEERED = FeatureSet(
    "machining-engineered",
    (
        *BASELINE.columns,
        "temperature_difference_k",
        "power_w",
        "strain_min_nm",
        "strain_of_limit",
    ),
)


@dataclass(frozen=True, slots=True)
class Processes:
    """One row a machined product, in order; all of shape (n,). variant: place in VARIANTS."""

    variant: NDArray[np.int64]
    air_k: FloatArray
    process_k: FloatArray
    speed_rpm: FloatArray
    torque_nm: FloatArray
    wear_min: FloatArray

    def __len__(self) -> int:
        return len(self.variant)


def baseline(rows: Processes) -> FloatArray:
    """Shape (n, 6): what was measured."""
    columns = (rows.air_k, rows.process_k, rows.speed_rpm, rows.torque_nm, rows.wear_min)
    return np.column_stack([rows.variant.astype(float), *columns])


def engineered(rows: Processes) -> FloatArray:
    """Shape (n, 10): and what physics makes of it.

    Heat leaves by the temperature difference; power is torque times angular speed; a worn tool
    under torque is strained, more than a cheap variant bears.
    """
    strain = rows.wear_min * rows.torque_nm
    return np.column_stack(
        [
            baseline(rows),
            rows.process_k - rows.air_k,
            power_w(rows.torque_nm, rows.speed_rpm),
            strain,
            strain / STRAIN_LIMIT_MIN_NM[rows.variant],
        ]
    )


def power_w(torque_nm: FloatArray, speed_rpm: FloatArray) -> FloatArray:
    """
    >>> power_w(np.array([40.0]), np.array([1500.0])).round()
    array([6283.])
    """
    return torque_nm * speed_rpm * RADIANS_PER_S
