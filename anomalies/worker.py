"""The worker: one process per job, forked from a parent that has the agents loaded.

Importing the scientific libraries takes seconds; done here, each job inherits them.
"""

from typing import Any

from rq.serializers import JSONSerializer
from rq.worker import Worker

from anomalies import detection, validation
from mlops import artifacts, ready

PRELOADED = (detection, validation, artifacts, ready)


class PreloadedWorker(Worker):
    """rq's forking worker; it reads JSON alone, since pickle would run what a job says."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "serializer": JSONSerializer})
