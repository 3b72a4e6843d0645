"""The embedded servers: real starts, stops and crashes, in homes of their own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from smartmaint.services import daemon, databases, postgres, valkey
from smartmaint.services.account import SYSTEM_STATE, private_directory
from smartmaint.services.errors import ServiceError
from smartmaint.services.home import CHECKOUT, Home, open_home

SOCKET_NAME_LIMIT = 107


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """The home of a checkout with a long path; its servers and state are gone afterwards."""
    checkout = tmp_path / ("a-long-directory-name-" * 5) / "with a space and a $sign"
    checkout.mkdir(parents=True)
    made = open_home(checkout)
    yield made
    valkey.stop(made)
    postgres.stop(made)
    if made.account is not None:
        shutil.rmtree(made.state)
    shutil.rmtree(made.sockets, ignore_errors=True)


def write_row(home: Home) -> None:
    with psycopg.connect(postgres.url(home, "postgres")) as server:
        server.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        server.execute("INSERT INTO kept VALUES (1)")


def rows(home: Home) -> int:
    with psycopg.connect(postgres.url(home, "postgres")) as server:
        found = server.execute("SELECT count(*) FROM kept").fetchone()
    assert found is not None
    return int(found[0])


def kill(pid: int | None) -> None:
    assert pid is not None
    daemon.stop(pid, signals=(signal.SIGKILL,), patience_seconds=10)


def test_sockets_fit_their_limit_however_long_the_checkouts_path(home: Home) -> None:
    assert len(str(home.checkout)) > SOCKET_NAME_LIMIT
    assert len(str(home.sockets / ".s.PGSQL.5432.lock")) < SOCKET_NAME_LIMIT


def test_a_restarted_database_keeps_its_rows(home: Home) -> None:
    postgres.start(home)
    write_row(home)
    postgres.stop(home)
    assert postgres.running(home) is None
    postgres.start(home)
    assert rows(home) == 1


def test_a_killed_database_keeps_what_it_committed(home: Home) -> None:
    postgres.start(home)
    write_row(home)
    kill(postgres.running(home))
    postgres.start(home)
    assert rows(home) == 1


def test_a_pid_file_that_names_a_strangers_process_does_not_prevent_the_start(home: Home) -> None:
    postgres.start(home)
    pid_file = home.state / "postgres" / "postmaster.pid"
    kill(postgres.running(home))
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert postgres.running(home) is None
    postgres.start(home)
    assert postgres.running(home) not in {None, os.getpid()}


def test_starting_twice_is_starting_once(home: Home) -> None:
    postgres.start(home)
    first = postgres.running(home)
    postgres.start(home)
    assert postgres.running(home) == first


def test_the_servers_of_root_belong_to_an_account_without_rights(home: Home) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user's servers are the user's own")
    postgres.start(home)
    found = postgres.running(home)
    status = Path(f"/proc/{found}/status").read_text()
    owner = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1]
    assert home.account is not None
    assert int(owner) == home.account.uid != 0


def test_a_killed_queue_keeps_its_keys_and_never_evicts(home: Home) -> None:
    valkey.start(home)
    with redis.Redis.from_url(valkey.url(home, 3)) as server:
        server.set("kept", "1")
        assert server.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        server.execute_command("WAITAOF", 1, 0, 5000)
    kill(valkey.running(home))
    valkey.start(home)
    with redis.Redis.from_url(valkey.url(home, 3)) as server:
        assert server.get("kept") == b"1"


def test_a_data_directory_of_another_version_is_refused_in_words(home: Home) -> None:
    postgres.start(home)
    postgres.stop(home)
    (home.state / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(ServiceError, match="made by PostgreSQL 12"):
        postgres.start(home)


def test_a_database_can_be_made_emptied_and_removed(home: Home) -> None:
    postgres.start(home)
    url = postgres.url(home, "a name with 'quotes'")
    url = databases.renamed(url, "a name with 'quotes'")
    databases.ensure(url)
    databases.ensure(url)
    with psycopg.connect(url) as server:
        server.execute("CREATE TABLE t ()")
    databases.recreate(url)
    with psycopg.connect(url) as server:
        assert server.execute("SELECT to_regclass('t')").fetchone() == (None,)
    databases.drop(url)


def test_a_directory_that_somebody_else_made_first_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "sockets"
    theirs.mkdir(mode=0o777)
    theirs.chmod(0o777)
    with pytest.raises(ServiceError, match="not a private directory"):
        private_directory(theirs, None)
    link = tmp_path / "link"
    link.symlink_to(private_directory(tmp_path / "mine", None))
    with pytest.raises(ServiceError, match="not a private directory"):
        private_directory(link, None)


def test_a_copied_checkout_gets_servers_of_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    homes = [open_home(first)]
    shutil.copytree(first, second)
    homes.append(open_home(second))
    try:
        assert homes[0].sockets != homes[1].sockets
        assert open_home(first) == homes[0]
    finally:
        for made in homes:
            made.sockets.rmdir()
            if made.account is not None:
                made.state.rmdir()


def test_an_ordinary_user_keeps_everything_in_the_checkout(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests of this file run as an ordinary user already")
    nobody = shutil.which("runuser")
    reachable = subprocess.run(
        ["runuser", "-u", "nobody", "--", sys.executable, "-c", "import psycopg"],
        capture_output=True,
        check=False,
    )
    if nobody is None or reachable.returncode != 0:
        pytest.skip("this interpreter cannot be run by another user (its files are root's alone)")
    checkout = tmp_path / "checkout"
    shutil.copytree(CHECKOUT / "smartmaint", checkout / "smartmaint")
    for path in [tmp_path, *tmp_path.parents]:
        if path.stat().st_uid == os.getuid() and str(path).startswith("/tmp/pytest"):  # noqa: S108
            path.chmod(0o755)
    subprocess.run(["chown", "-R", "nobody", str(checkout)], check=True)
    script = "psql = __import__('psycopg').connect(__import__('os').environ['DATABASE_URL'])"
    done = subprocess.run(
        ["runuser", "-u", "nobody", "--", "env", "-u", "DATABASE_URL", "-u", "REDIS_URL",
         sys.executable, "-m", "smartmaint.services", "run", "--", "python", "-c", script],
        cwd=checkout, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (checkout / ".data" / "postgres" / "PG_VERSION").exists()


def test_state_of_root_lies_where_the_account_can_reach_it(home: Home) -> None:
    if home.account is None:
        assert home.state == home.data
    else:
        assert home.state.parent == SYSTEM_STATE
        assert replace(home, account=None).data == home.checkout / ".data"
