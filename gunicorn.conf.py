"""The web server's settings; the environment says what differs between machines."""

import ctypes
import gc
import os
import shutil
import tempfile

from gunicorn.arbiter import Arbiter
from gunicorn.http import parser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.base import Worker

# Of glibc's malloc.h; and how much a web process may keep for the next batch.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, IN_HEAP_BYTES = 2**27, 2**25
# A body of a megabyte is read in 16 pieces instead of 128, each of which may have to be waited for.
READ_BYTES = 2**16

# The connection pool belongs to web processes alone (it does not survive a worker's fork), so it is
# switched on here, where only gunicorn's children inherit it, before Django loads.
os.environ.setdefault("DB_POOL", "1")
# The children count into files of one directory, so that /metrics speaks for all of them.
metrics = os.environ.setdefault(
    "PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="smartmaint-metrics-")
)

bind = f"{os.environ.get('WEB_HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "16"))
worker_class = "gthread"
# Each child builds its own pool and its own breaker; a preloaded one would be shared sockets.
preload_app = False
# Its default place is one file in the user's home, which two checkouts would fight over.
control_socket_disable = True
timeout = 60
graceful_timeout = 20
keepalive = 30
# A slow leak in a library ends with the child; the jitter keeps children from leaving together. A
# busy process serves hundreds of requests a second, and is away for a moment while it is replaced.
max_requests = int(os.environ.get("WEB_MAX_REQUESTS", "1000000"))
max_requests_jitter = max_requests // 10
accesslog = os.environ.get("WEB_ACCESS_LOG") or None
# Heartbeats are files; in memory they never wait for a busy disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


class LargePieces(SocketUnreader):
    def __init__(self, sock: object) -> None:
        super().__init__(sock, max_chunk=READ_BYTES)


parser.SocketUnreader = LargePieces


def on_starting(server: Arbiter) -> None:  # noqa: ARG001 - gunicorn's signature
    """Load what every child needs and none changes, so that it is in memory once."""
    from sensors.formats import alike

    alike.prepare()
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Worker) -> None:  # noqa: ARG001 - gunicorn's signature
    """What was loaded stays for good: looking through it for garbage would only cost time.

    And look less often: the rows of one batch are thousands of objects, none of them in a cycle.
    """
    _keep_memory()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _keep_memory() -> None:
    """The columns of each batch lie where those of the last one lay.

    Otherwise that memory goes back to the system within milliseconds, and comes back page by page.
    """
    import pyarrow as pa

    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, IN_HEAP_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        pa.set_memory_pool(pa.system_memory_pool())


def child_exit(server: Arbiter, worker: Worker) -> None:  # noqa: ARG001 - gunicorn's signature
    """Take a child that is gone out of the gauges."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)


def on_exit(server: Arbiter) -> None:  # noqa: ARG001 - gunicorn's signature
    """Leave no counters behind: the next start counts from zero."""
    shutil.rmtree(metrics, ignore_errors=True)
