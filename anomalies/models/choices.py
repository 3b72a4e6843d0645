"""The words that rows of this app are described by."""

from django.db import models


class Rung(models.TextChoices):
    """The ladder, lowest first. An anomaly records the rung that gave its peak score."""

    LIMITS = "limits"
    FLEET = "fleet"
    STATISTICAL = "statistical"
    LOCAL = "local"
    CHAMPION = "champion"


class Nature(models.TextChoices):
    INSTRUMENT = "instrument", "the sensor"
    MACHINE = "machine", "the machine"
    PREDICTED = "predicted", "what the machine is heading for"


class NatureSort(models.TextChoices):
    """Which fault of an instrument it is; the last one is the machine's."""

    OUT_OF_RANGE = "out_of_range", "impossible value"
    CLOCK = "clock", "clock jump"
    DROPOUT = "dropout", "dropout"
    SATURATION = "saturation", "saturation"
    STUCK = "stuck", "stuck"
    SPIKE = "spike", "spike"
    CALIBRATION = "calibration", "calibration drift"
    SILENCE = "silence", "silence"
    TOGETHER = "together", "several sensors together"


class Decision(models.TextChoices):
    CREDIBLE = "credible_anomaly"
    FALSE_POSITIVE = "false_positive_suspected"
    INVESTIGATE = "further_investigation_needed"
    INSUFFICIENT = "insufficient_data"
    ERROR = "validation_error"


class PublishedStatus(models.TextChoices):
    """What readers are told; the last two decisions publish as further investigation."""

    CREDIBLE = "credible_anomaly"
    FALSE_POSITIVE = "false_positive_suspected"
    INVESTIGATE = "further_investigation_needed"


class Verdict(models.TextChoices):
    CONFIRMED = "confirmed"
    FALSE_POSITIVE = "false_positive"
    UNSURE = "unsure"
