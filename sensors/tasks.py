"""Background work of the acquisition: queue, timeout and retry are declared here and in
smartmaint/cron.py."""

from __future__ import annotations

import logging

from sensors import rollups

logger = logging.getLogger(__name__)

# Less than the 30 seconds between two of them: a worker has other things to do as well.
ROLL_UP_SECONDS = 20


def roll_up() -> None:
    """Compute what is noted for the roll-ups; what is left over waits for the next tick."""
    rolled = rollups.roll_up(seconds=ROLL_UP_SECONDS)
    if rolled.notes:
        logger.info("rolled up %s", rolled)
