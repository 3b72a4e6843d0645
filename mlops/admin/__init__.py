"""What was learned, as people look at it: versions, who serves, challengers, drifts."""

from mlops.admin.drifts import DriftAdmin, RetrainingAdmin
from mlops.admin.fleets import FleetPriorAdmin
from mlops.admin.shadow import ShadowScoresAdmin
from mlops.admin.versions import ModelApprovalAdmin, PromotionAdmin, ServedModelAdmin

__all__ = [
    "DriftAdmin",
    "FleetPriorAdmin",
    "ModelApprovalAdmin",
    "PromotionAdmin",
    "RetrainingAdmin",
    "ServedModelAdmin",
    "ShadowScoresAdmin",
]
