"""First in starts the servers, last out stops them, however a holder ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartmaint.services import daemon, keys, lease, leftovers, network, run
from smartmaint.services.errors import ServiceError
from smartmaint.services.home import CHECKOUT, Home
from smartmaint.services.scratch import claim

HOLDER = """
import sys, time
from pathlib import Path
from typing import Any
from smartmaint.services import lease
def note(word):
    with Path(sys.argv[1], "events").open("a") as events:
        events.write(word + " ")
with lease.shared(Path(sys.argv[1]), start=lambda: note("start"), stop=lambda: note("stop")):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(directory: Path) -> subprocess.Popen[bytes]:
    """A process that holds the lease until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def events(directory: Path) -> list[str]:
    return (directory / "events").read_text().split()


def test_the_last_one_out_stops_the_servers(tmp_path: Path) -> None:
    first, second = holder(tmp_path), holder(tmp_path)
    first.communicate()
    assert "stop" not in events(tmp_path)
    second.communicate()
    assert events(tmp_path)[-1] == "stop"
    assert events(tmp_path).count("stop") == 1


def test_a_killed_holder_does_not_keep_the_servers_up(tmp_path: Path) -> None:
    killed, other = holder(tmp_path), holder(tmp_path)
    killed.kill()
    killed.communicate()
    other.communicate()
    assert events(tmp_path)[-1] == "stop"


def test_a_failed_start_leaves_nothing_running(tmp_path: Path) -> None:
    stopped = []

    def fail() -> None:
        raise ServiceError("no")

    with (
        pytest.raises(ServiceError),
        lease.shared(tmp_path, start=fail, stop=lambda: stopped.append(1)),
    ):
        pass
    assert stopped == [1]


def test_two_test_runs_get_different_numbers(tmp_path: Path) -> None:
    with (
        lease.first_free(tmp_path, "tests", 2) as first,
        lease.first_free(tmp_path, "tests", 2) as second,
    ):
        assert (first, second) == (0, 1)
    with lease.first_free(tmp_path, "tests", 2) as again:
        assert again == 0


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not network.is_free(port)
        assert network.port_near(port) > port


def test_keys_are_made_once_and_are_the_owners_alone(tmp_path: Path) -> None:
    made = keys.local_keys(tmp_path)
    assert made == keys.local_keys(tmp_path)
    assert set(made) == set(keys.NAMES)
    assert len(set(made.values())) == len(keys.NAMES)
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_a_foreign_redis_database_with_keys_is_not_emptied() -> None:
    with pytest.raises(ServiceError, match="cannot be used"):
        claim("redis://127.0.0.1:1/0")


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], cwd=tmp_path)
    yield process
    process.kill()
    process.wait()


def test_what_a_killed_up_left_is_ended_by_the_next(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    home = Home(tmp_path, tmp_path, tmp_path, tmp_path, None)
    leftovers.note(home, "up", [sleeper.pid, os.getpid()])
    with leftovers.only_one(home, "up"):
        assert sleeper.wait(5) == -signal.SIGKILL
        with pytest.raises(ServiceError, match="already runs"), leftovers.only_one(home, "up"):
            pass


def test_an_interrupted_run_ends_its_command_and_its_servers(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo $$; exec sleep 60"]
    run = subprocess.Popen(
        [sys.executable, "-m", "smartmaint.services", "run", "--", *command],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
    )
    assert run.stdout is not None
    sleeping = int(run.stdout.readline())
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=60)
    assert run.returncode == 130
    assert not daemon.alive(sleeping)


def test_one_that_is_told_to_stop_while_it_starts_its_command_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def interrupted(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*args, **options))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.call(["sleep", "60"], os.environ)
    assert started[0].poll() is not None
