"""What is kept of machines whose sensors are judged together (anomalies.machines)."""

from django.db import models

from sensors.models import Asset


class MachineNote(models.Model):
    """A sensor of the machine was scored from `since` on: its sensors are to be judged together.

    Append-only, as scoring notes are; written in the transaction that closes those.
    """

    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField(help_text="Event time of the first reading that matters.")
    reason = models.CharField(max_length=100, help_text="What changes are put down to.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"machine {self.asset_id} from {self.since}"


class MachineDetection(models.Model):
    """What is known of a machine's sensors; its row is locked while they are judged."""

    asset = models.OneToOneField(
        Asset, on_delete=models.CASCADE, primary_key=True, related_name="detection"
    )
    members = models.JSONField(default=list, help_text="Of each sensor, since when, how often.")
    judged_until = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True, help_text="What fails comes after all others.")

    def __str__(self) -> str:
        return f"detection of machine {self.asset_id}"


class MachineCheckpoint(models.Model):
    """The joint fold's state after the first `rows` rows of a machine, from which it goes on.

    Few a machine, and the fewer the farther back (anomalies.folding.kept).
    """

    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.CharField(max_length=12, help_text="Of the detector and the grid.")
    rows = models.BigIntegerField(help_text="Rows that were folded.")
    time = models.DateTimeField(help_text="Start of the last of them.")
    state = models.BinaryField(help_text="Arrays of numbers; about 20 kB a sensor.")

    class Meta:
        constraints = [
            # A pass looks for the newest before an event time; there are a dozen at most.
            models.UniqueConstraint(
                fields=["asset", "version", "rows"], name="machine_checkpoint_once_per_row"
            ),
        ]

    def __str__(self) -> str:
        return f"machine {self.asset_id} after {self.rows} rows"
