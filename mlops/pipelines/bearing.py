"""bearing: which part is damaged, and how worn is it? CWRU, and run-to-failure sets.

`bearing-fault-type` names the damaged part from a sixth of a second of vibration (CWRU).
`bearing-wear` says how unusual the whole feature vector of a snapshot has become since the bearing
was new (XJTU-SY, FEMTO, or the raw snapshots of IMS test 2).
"""

from __future__ import annotations

from mlops.pipelines import Order, Trained
from mlops.pipelines import bearing_fault_type as fault_type
from mlops.pipelines import bearing_wear as wear


def run(order: Order) -> list[Trained]:
    return [*fault_type.run(order), *wear.run(order)]
