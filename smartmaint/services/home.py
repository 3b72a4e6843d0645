"""Where a checkout keeps its servers' data, sockets, locks and logs."""

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from smartmaint.services.account import (
    SYSTEM_STATE,
    Account,
    private_directory,
    service_account,
)
from smartmaint.services.errors import ServiceError

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Home:
    """The places of one checkout. `data` is ours; `state` and `sockets` are the servers'."""

    checkout: Path
    data: Path
    state: Path
    sockets: Path
    account: Account | None

    @property
    def logs(self) -> Path:
        """Logs of the processes we start ourselves (web, worker, MLflow)."""
        return self.data / "logs"


def open_home(checkout: Path = CHECKOUT) -> Home:
    """The home of `checkout`, with its directories made.

    Sockets lie on a short path because their names hold at most 107 bytes. Root's state lies
    under /var/lib/smartmaint, which the servers' account can reach whatever the checkout's modes.
    Raises ServiceError when `.data` belongs to someone else.
    """
    data = checkout / ".data"
    try:
        for name in ("logs", "static"):  # WhiteNoise warns where the latter is missing
            (data / name).mkdir(parents=True, exist_ok=True)
        key = _checkout_key(checkout, data / "instance.json")
    except PermissionError as error:
        raise ServiceError(
            f"{data} cannot be written by user id {os.geteuid()} ({error}). Was it made by another "
            f"user? Give it back with chown, or use a checkout of your own."
        ) from error
    account = service_account()
    if account is None:
        sockets = private_directory(Path(f"/tmp/smartmaint-{os.geteuid()}-{key}"), None)  # noqa: S108
        return Home(checkout, data, data, sockets, None)
    state = SYSTEM_STATE / key
    state.mkdir(parents=True, exist_ok=True, mode=0o755)
    return Home(checkout, data, state, private_directory(state / "run", account), account)


def _checkout_key(checkout: Path, note: Path) -> str:
    """Eight hex digits: stable in this checkout, new in a copy or a fresh clone."""
    place = str(checkout.resolve())
    known = json.loads(note.read_text()) if note.exists() else {}
    if known.get("checkout") != place:
        known = {"checkout": place, "token": secrets.token_hex(8)}
        unfinished = note.with_name(f"{note.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(known))
        unfinished.replace(note)
        known = json.loads(note.read_text())
    return hashlib.sha256(f"{place}\0{known['token']}".encode()).hexdigest()[:8]
