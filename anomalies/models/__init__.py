"""What is wrong, why we think so, how sure we are, and what people said about it."""

from anomalies.models.anomaly import Anomaly, AnomalyRevision
from anomalies.models.choices import Decision, Nature, PublishedStatus, Rung, Verdict
from anomalies.models.detection import DetectionLease, SilenceWatch
from anomalies.models.review import Review
from anomalies.models.validation import SensorValidationProfile, Validation, ValidationRule

__all__ = [
    "Anomaly",
    "AnomalyRevision",
    "Decision",
    "DetectionLease",
    "Nature",
    "PublishedStatus",
    "Review",
    "Rung",
    "SensorValidationProfile",
    "SilenceWatch",
    "Validation",
    "ValidationRule",
    "Verdict",
]
