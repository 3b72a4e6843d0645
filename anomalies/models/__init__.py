"""What is wrong, why we think so, how sure we are, and what people said about it."""

from anomalies.models.anomaly import Anomaly, AnomalyRevision, PredictedCrossing
from anomalies.models.checkpoint import DetectionCheckpoint, FoldCheckpoint, MachineCheckpoint
from anomalies.models.choices import Decision, Nature, NatureSort, PublishedStatus, Rung, Verdict
from anomalies.models.detection import DetectionLease, SilenceWatch
from anomalies.models.episode import Episode, EpisodeEvent, Queue, Resolution, State
from anomalies.models.machine import MachineDetection, MachineNote
from anomalies.models.notification import Message, Notification, NotificationRoute
from anomalies.models.preview import Preview
from anomalies.models.review import FaultPeriod, Review
from anomalies.models.validation import (
    Calibration,
    SensorValidationProfile,
    Validation,
    ValidationRule,
)
from anomalies.models.window import HiddenAnomaly, MaintenanceWindow, WindowOccurrence

__all__ = [
    "Anomaly",
    "AnomalyRevision",
    "Calibration",
    "Decision",
    "DetectionCheckpoint",
    "DetectionLease",
    "Episode",
    "EpisodeEvent",
    "FaultPeriod",
    "FoldCheckpoint",
    "HiddenAnomaly",
    "MachineCheckpoint",
    "MachineDetection",
    "MachineNote",
    "MaintenanceWindow",
    "Message",
    "Nature",
    "NatureSort",
    "Notification",
    "NotificationRoute",
    "PredictedCrossing",
    "Preview",
    "PublishedStatus",
    "Queue",
    "Resolution",
    "Review",
    "Rung",
    "SensorValidationProfile",
    "SilenceWatch",
    "State",
    "Validation",
    "ValidationRule",
    "Verdict",
    "WindowOccurrence",
]
