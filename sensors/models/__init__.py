"""What was measured: sites, machines, sensors, their readings and what could not be accepted."""

from sensors.models.conflict import ReadingConflict
from sensors.models.key import IngestKey, IngestReceipt, is_a_line_template
from sensors.models.note import RollupNote, ScoringNote
from sensors.models.operating import OperatingState
from sensors.models.place import Asset, Site, is_a_time_zone
from sensors.models.quarantine import QuarantinedReading
from sensors.models.reading import Reading
from sensors.models.retention import RetentionRun
from sensors.models.rollup import HourRollup, MinuteRollups
from sensors.models.sensor import KIND_CHOICES, MAX_EXTERNAL_ID, Sensor, SensorProfile, SensorRhythm
from sensors.models.source import FileIngest, MqttArrival
from sensors.models.state_source import StateSource

__all__ = [
    "KIND_CHOICES",
    "MAX_EXTERNAL_ID",
    "Asset",
    "FileIngest",
    "HourRollup",
    "IngestKey",
    "IngestReceipt",
    "MinuteRollups",
    "MqttArrival",
    "OperatingState",
    "QuarantinedReading",
    "Reading",
    "ReadingConflict",
    "RetentionRun",
    "RollupNote",
    "ScoringNote",
    "Sensor",
    "SensorProfile",
    "SensorRhythm",
    "Site",
    "StateSource",
    "is_a_line_template",
    "is_a_time_zone",
]
