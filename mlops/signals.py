"""What the models say to whoever listens."""

from django.dispatch import Signal

# Sent after commit with `name`, the registered model whose champion is another version now.
champion_changed = Signal()

# Asked with `sensor_ids`. Who knows of faults answers, by sensor id, the spans of time (start, end)
# that are not to be learnt from.
faults_known = Signal()
