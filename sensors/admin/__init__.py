"""The admin of what was measured. Readings have no page of their own: a sensor's chart is it."""

from sensors.admin.conflicts import ReadingConflictAdmin
from sensors.admin.keys import IngestKeyAdmin
from sensors.admin.places import AssetAdmin, SiteAdmin
from sensors.admin.quarantine import QuarantinedReadingAdmin
from sensors.admin.sensors import SensorAdmin
from sensors.admin.states import OperatingStateAdmin, StateSourceAdmin

__all__ = [
    "AssetAdmin",
    "IngestKeyAdmin",
    "OperatingStateAdmin",
    "QuarantinedReadingAdmin",
    "ReadingConflictAdmin",
    "SensorAdmin",
    "SiteAdmin",
    "StateSourceAdmin",
]
