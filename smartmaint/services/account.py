"""Who the embedded servers run as.

An ordinary user runs them. PostgreSQL refuses to run as root, so root's servers belong to a system
account of their own, and use copies of the binaries: the account cannot, and shall not, read a
virtual environment that lies under /root.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from smartmaint.services.errors import ServiceError

SERVICE_ACCOUNT = "smartmaint-svc"
SYSTEM_STATE = Path("/var/lib/smartmaint")


@dataclass(frozen=True)
class Account:
    """A system user that owns the servers' files and processes."""

    name: str
    uid: int
    gid: int


def service_account() -> Account | None:
    """The account for root's servers, made on first use; None for an ordinary user.

    Raises ServiceError when the account is missing and cannot be made.
    """
    if os.geteuid() != 0:
        return None
    try:
        return _look_up()
    except KeyError:
        _create()
        return _look_up()


def _look_up() -> Account:
    entry = pwd.getpwnam(SERVICE_ACCOUNT)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    if useradd is None:
        raise ServiceError(
            f"PostgreSQL does not run as root and `useradd` is missing. Make a system user named "
            f"{SERVICE_ACCOUNT}, or run as an ordinary user, or set DATABASE_URL and REDIS_URL."
        )
    done = subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_STATE),
         "--shell", "/usr/sbin/nologin", SERVICE_ACCOUNT],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    already_there = 9
    if done.returncode not in {0, already_there}:
        raise ServiceError(f"useradd {SERVICE_ACCOUNT} failed: {done.stderr.strip()}")


def private_directory(path: Path, account: Account | None) -> Path:
    """`path`, made if missing, ours or the account's, closed to everyone else (0700).

    Raises ServiceError when it is a link, or somebody else made it first.
    """
    owner = os.geteuid() if account is None else account.uid
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if account is not None:
            os.chown(path, account.uid, account.gid)
    found = path.lstat()
    if path.is_symlink() or not path.is_dir() or found.st_uid != owner or found.st_mode & 0o077:
        raise ServiceError(
            f"{path} is not a private directory of user id {owner}; remove it and try again."
        )
    return path


def reachable_copy(name: str, sources: list[Path], account: Account | None) -> Path:
    """A directory holding `sources` that the servers' account can execute from.

    name: folder name, with the version in it, so that an upgraded wheel gets a new copy.
    For an ordinary user the originals serve: their parent is returned.
    """
    if account is None:
        return sources[0].parent
    target = SYSTEM_STATE / "programs" / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for source in sources:
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, unfinished / source.name)
    _open_for_reading(unfinished)
    try:
        unfinished.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(unfinished)
    return target


def _open_for_reading(tree: Path) -> None:
    for path in [tree, *tree.rglob("*")]:
        if path.is_symlink():
            continue
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
