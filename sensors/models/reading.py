"""What was measured."""

from django.db import models

from sensors.fields import RealField
from sensors.models.sensor import Sensor
from sensors.querysets import ReadingQuerySet


class Reading(models.Model):
    """One value of one sensor at one time: a hypertable where TimescaleDB is there.

    A reading is (sensor, time); a second one of the same pair is a duplicate. Without a
    foreign-key constraint: with one, concurrent writers that create chunks deadlock.
    """

    pk = models.CompositePrimaryKey("sensor", "time")
    sensor = models.ForeignKey(
        Sensor, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    time = models.DateTimeField(help_text="When it was measured (UTC).")
    value = models.FloatField(help_text="In the sensor's unit.")
    quality = RealField(help_text="0 to 1.")
    flags = models.SmallIntegerField(default=0, help_text="Bits; see sensors.quality.Flag.")

    objects = ReadingQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.sensor_id} {self.time:%Y-%m-%d %H:%M:%S} {self.value:g}"
