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
