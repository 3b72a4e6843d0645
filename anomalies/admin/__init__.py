"""The review workplace: what was found, why, how sure we are, and what people say about it."""

from anomalies.admin.anomalies import AnomalyAdmin
from anomalies.admin.calibrations import CalibrationAdmin
from anomalies.admin.episodes import EpisodeAdmin
from anomalies.admin.notifications import MessageAdmin, NotificationRouteAdmin
from anomalies.admin.previews import PreviewAdmin
from anomalies.admin.rules import ValidationRuleAdmin
from anomalies.admin.sensors import ReviewedSensorAdmin
from anomalies.admin.windows import MaintenanceWindowAdmin

__all__ = [
    "AnomalyAdmin",
    "CalibrationAdmin",
    "EpisodeAdmin",
    "MaintenanceWindowAdmin",
    "MessageAdmin",
    "NotificationRouteAdmin",
    "PreviewAdmin",
    "ReviewedSensorAdmin",
    "ValidationRuleAdmin",
]
