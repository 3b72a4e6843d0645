"""The web server's settings; the environment says what differs between machines."""

import os

# The connection pool belongs to web processes alone (it does not survive a worker's fork), so it
# is switched on here, in the one process that gunicorn's children inherit from, before Django loads.
os.environ.setdefault("DB_POOL", "1")

bind = f"{os.environ.get('WEB_HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "gthread"
# Each child builds its own pool and its own breaker; a preloaded one would be shared sockets.
preload_app = False
timeout = 60
graceful_timeout = 20
keepalive = 30
# A slow leak in a library ends with the child; the jitter keeps children from leaving together.
max_requests = 20_000
max_requests_jitter = 2_000
accesslog = os.environ.get("WEB_ACCESS_LOG") or None
# A tmpfs heartbeat never blocks on a busy disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
