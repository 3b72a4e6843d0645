"""States that folds go on from."""

from typing import ClassVar

from django.db import models

from sensors.models import Asset, Sensor


class FoldCheckpoint(models.Model):
    """The state of a fold after the first `rows` rows of its owner, from which it goes on.

    Few an owner, and the fewer the farther back (anomalies.folding.kept); read and written by
    anomalies.kept_states.
    """

    OWNER: ClassVar[str]  # the column that says whose it is

    version = models.CharField(max_length=12, help_text="Of what folds, and of its layout.")
    rows = models.BigIntegerField(help_text="Rows that were folded.")
    time = models.DateTimeField(help_text="Event time of the last of them.")
    state = models.BinaryField(help_text="Arrays of numbers.")

    class Meta:
        abstract = True


class DetectionCheckpoint(FoldCheckpoint):
    """Of the core, which folds a sensor's readings; about 33 kB."""

    OWNER = "sensor_id"

    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints = [
            # A pass looks for the newest before an event time; there are a dozen a sensor at most.
            models.UniqueConstraint(
                fields=["sensor", "version", "rows"], name="checkpoint_once_per_row"
            ),
        ]

    def __str__(self) -> str:
        return f"sensor {self.sensor_id} after {self.rows} readings"


class MachineCheckpoint(FoldCheckpoint):
    """Of the joint fold, by the grid of an era of a machine; about 20 kB a sensor.

    The time of a row is its start.
    """

    OWNER = "asset_id"

    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints = [
            # A pass looks for the newest before an event time; there are a dozen at most.
            models.UniqueConstraint(
                fields=["asset", "version", "rows"], name="machine_checkpoint_once_per_row"
            ),
        ]

    def __str__(self) -> str:
        return f"machine {self.asset_id} after {self.rows} rows"
