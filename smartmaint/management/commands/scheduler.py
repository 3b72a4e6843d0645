"""Enqueue what runs by the clock. Run exactly one of these."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

import django_rq
from django.core.management.base import BaseCommand
from django_rq.cron import DjangoCronScheduler
from redis.exceptions import ConnectionError as RedisConnectionError
from rq.cron import CronJob

logger = logging.getLogger(__name__)

CONFIG = "smartmaint.cron"
PAUSE_S = 5


class Scheduler(DjangoCronScheduler):
    """rq's clock on the queues of the settings.

    rq's own enqueues by pickle whatever the queue is set to, which our workers refuse to read.
    """

    def enqueue_jobs(self) -> list[CronJob]:
        """Enqueue what is due, with each queue's own serializer."""
        now = datetime.now(UTC)
        due = [job for job in self.get_jobs() if job.should_run()]
        for job in due:
            queue = django_rq.get_queue(job.queue_name)
            queue.enqueue(job.func_name, args=job.args, kwargs=job.kwargs, **job.job_options)
            job.set_enqueue_time(now)
        return due


class Command(BaseCommand):
    help = f"Enqueue the jobs of {CONFIG} when they are due, until stopped. Run exactly one."

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            try:
                _run()
            except RedisConnectionError as error:
                logger.warning("Redis is away (%s); the clock starts again in %d s", error, PAUSE_S)
                time.sleep(PAUSE_S)
            else:
                return


def _run() -> None:
    scheduler = Scheduler()
    scheduler.load_config_from_file(CONFIG)
    logger.info("%d jobs by the clock", len(scheduler.get_jobs()))
    scheduler.start()
