"""TCP ports on the loopback address, and waiting for what answers there."""

import http.client
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from smartmaint.services.errors import ServiceError


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def port_near(wanted: int, tries: int = 20) -> int:
    """`wanted` if it is free, else the next one that is. Raises ServiceError when none is."""
    for port in range(wanted, wanted + tries):
        if is_free(port):
            return port
    raise ServiceError(f"Ports {wanted} to {wanted + tries - 1} are all taken.")


def wait_for(url: str, *, seconds: float, alive: Callable[[], bool]) -> None:
    """Return when `url` answers 200.

    alive: whether it makes sense to go on waiting; may raise an error of its own. Raises
    ServiceError when it does not, or when `seconds` have passed.
    """
    deadline = time.monotonic() + seconds
    while not _answers(url):
        if time.monotonic() > deadline or not alive():
            raise ServiceError(f"{url} does not answer.")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == http.HTTPStatus.OK)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False
