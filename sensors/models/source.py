"""What is remembered of sources that are read on after a break: brokers and files."""

from django.db import models

from sensors.models.place import Site


class MqttArrival(models.Model):
    """When a message that states no time first came, in case its broker delivers it again.

    Written with the message's readings. The broker repeats a message under its number.
    """

    session = models.TextField(help_text="Broker and client id.")
    number = models.PositiveIntegerField(help_text="MQTT packet identifier.")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of topic and payload.")
    arrived_at = models.DateTimeField(help_text="The time its readings were given.")
    seen_at = models.DateTimeField(help_text="When it was last delivered.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="mqtt_arrival_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.session} {self.number}"


class FileIngest(models.Model):
    """How far `manage.py ingest` has come with a file; written with the readings of each batch."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="files")
    digest = models.BinaryField(
        max_length=32, help_text="SHA-256 of name, size, both ends of the file and its layout."
    )
    name = models.CharField(max_length=255)
    size = models.BigIntegerField(help_text="Bytes.")
    position = models.BigIntegerField(
        default=0, help_text="Bytes of text, of a Parquet file rows, that are done."
    )
    rows = models.BigIntegerField(default=0)
    lines = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "digest"], name="file_ingested_once"),
        ]

    def __str__(self) -> str:
        return self.name
