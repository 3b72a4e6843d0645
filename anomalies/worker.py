"""The worker: one process per job, forked from a parent that has the agents loaded.

Importing the scientific libraries takes seconds; done here, each job inherits them.
"""

from rq.worker import Worker

from anomalies import detection, validation

__all__ = ["PreloadedWorker"]

PRELOADED = (detection, validation)


class PreloadedWorker(Worker):
    """rq's forking worker; importing this module is what it adds."""
