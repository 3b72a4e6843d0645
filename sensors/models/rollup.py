"""Readings put together by minute and hour."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from sensors.models.sensor import Sensor


class HourRollup(models.Model):
    """An hour of a sensor that has readings; a function of its minutes, computed anew each time."""

    pk = models.CompositePrimaryKey("sensor", "time")
    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    time = models.DateTimeField(help_text="When the hour begins (UTC).")
    count = models.BigIntegerField()
    minimum = models.FloatField(help_text="In the sensor's unit, as are the next three.")
    maximum = models.FloatField()
    mean = models.FloatField()
    last = models.FloatField(help_text="Value of the newest reading by event time.")
    quality_mean = models.FloatField(help_text="0 to 1.")
    flag_counts = ArrayField(
        models.BigIntegerField(),
        help_text="Readings that have each flag, in the order of sensors.quality.Flag.",
    )

    def __str__(self) -> str:
        return f"hour {self.time:%Y-%m-%d %H} of sensor {self.sensor_id}"


class MinuteRollups(models.Model):
    """The minutes of an hour that have readings, packed by sensors.minutes.

    One row an hour: a month of them is read from 720 rows instead of 43,200, and takes less than a
    third of the room.
    """

    pk = models.CompositePrimaryKey("sensor", "time")
    sensor = models.ForeignKey(
        Sensor, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    time = models.DateTimeField(help_text="When the hour begins (UTC).")
    packed = models.BinaryField(help_text="Records of sensors.minutes.MINUTE, oldest first.")
    flags = models.BinaryField(
        help_text="How many readings have each flag, uint32 a minute and flag; empty: no flags."
    )

    def __str__(self) -> str:
        return f"minutes of {self.time:%Y-%m-%d %H} of sensor {self.sensor_id}"
