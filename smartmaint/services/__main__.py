"""`python -m smartmaint.services`: the command line of the Makefile."""

import argparse
import signal
import sys
from collections.abc import Sequence

from smartmaint.services import demo, leftovers, postgres, run, timescale, up, valkey
from smartmaint.services.errors import ServiceError
from smartmaint.services.home import Home, open_home
from smartmaint.services.run import STOPPING
from smartmaint.services.say import say
from smartmaint.services.stack import stop_embedded


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the command, return its exit code."""
    options = _parser().parse_args(arguments)
    # `kill` and a closed terminal end the servers as Ctrl-C does; under nohup the latter does not.
    for number in STOPPING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        return int(options.command(open_home(), options))
    except ServiceError as error:
        say(f"smartmaint: {error}", to=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _interrupt(_number: int, _frame: object) -> None:
    # Stopping takes seconds and must be let to finish, however often a person presses Ctrl-C.
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m smartmaint.services", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    to_run = commands.add_parser("run", help="run a command on the services, then stop them")
    to_run.add_argument("line", nargs=argparse.REMAINDER, metavar="-- CMD ...")
    to_run.set_defaults(command=_run)

    to_demo = commands.add_parser("demo", help="the golden path, end to end")
    to_demo.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="-- ...", help="for manage.py demo"
    )
    to_demo.set_defaults(command=_demo)

    for name, function, text in (
        ("up", _up, "serve everything until Ctrl-C"),
        ("timescale", _timescale, "get and start TimescaleDB; the last line is its DATABASE_URL"),
        ("timescale-stop", _timescale_stop, "stop that TimescaleDB; its data stays"),
        ("status", _status, "say which embedded servers run"),
        ("stop", _stop, "stop the embedded servers, whoever started them"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=function)
    return parser


def _run(home: Home, options: argparse.Namespace) -> int:
    line = _after_dashes(options.line)
    if not line:
        raise ServiceError("Say what to run: python -m smartmaint.services run -- CMD ...")
    return run.run_on_stack(home, line)


def _after_dashes(words: Sequence[str]) -> Sequence[str]:
    """What a person put behind `--`, which keeps argparse from reading it as its own options."""
    return words[1:] if words[:1] == ["--"] else words


def _demo(home: Home, options: argparse.Namespace) -> int:
    return demo.demo(home, _after_dashes(options.arguments))


def _up(home: Home, _options: argparse.Namespace) -> int:
    up.up(home)


def _timescale(home: Home, _options: argparse.Namespace) -> int:
    url = timescale.start(home)
    say("TimescaleDB runs; make demo, up and test use it while it does. To name it yourself:")
    say(f"DATABASE_URL={url}")
    return 0


def _timescale_stop(home: Home, _options: argparse.Namespace) -> int:
    timescale.stop(home)
    return _status(home, _options)


def _status(home: Home, _options: argparse.Namespace) -> int:
    servers = (
        ("PostgreSQL", postgres.running(home)),
        ("Valkey", valkey.running(home)),
        ("TimescaleDB", timescale.running(home)),
    )
    for name, pid in servers:
        say(f"{name:<11} {f'runs as process {pid}' if pid else 'is down'}")
    say(f"data in     {home.state}")
    return 0


def _stop(home: Home, _options: argparse.Namespace) -> int:
    for name in leftovers.NAMES:
        leftovers.end(home, name)
    stop_embedded(home)
    return _status(home, _options)


if __name__ == "__main__":
    sys.exit(main())
