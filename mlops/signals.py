"""What the models say to whoever listens."""

from django.dispatch import Signal

# Sent after commit with `name`, the registered model whose champion is another version now.
champion_changed = Signal()
