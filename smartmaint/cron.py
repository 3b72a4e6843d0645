"""What runs by the clock: `manage.py scheduler`, one of them only.

Redis may lose any of these; the next tick does the same work from PostgreSQL.
"""

from rq import cron

from anomalies.tasks import (
    forecast,
    housekeeping,
    learn_fleets,
    look_for_drift,
    recalibrate,
    retrain,
    run_notification,
    sweep,
)
from sensors.tasks import roll_up

cron.register(sweep, queue_name="detection", interval=30, result_ttl=60, ttl=60)
cron.register(run_notification, queue_name="notification", interval=15, result_ttl=60, ttl=60)
cron.register(roll_up, queue_name="detection", interval=30, result_ttl=60, ttl=60)
cron.register(look_for_drift, queue_name="training", cron="13 1 * * *", ttl=7200)
cron.register(forecast, queue_name="training", cron="43 1 * * *", result_ttl=3600, ttl=7200)
cron.register(learn_fleets, queue_name="training", cron="53 0 * * *", ttl=7200)
cron.register(recalibrate, queue_name="training", cron="23 2 * * *", ttl=7200)
cron.register(retrain, queue_name="training", cron="13 2 * * *", result_ttl=3600, ttl=7200)
cron.register(housekeeping, queue_name="detection", cron="17 3 * * *", ttl=3600)
