"""What goes wrong outside our own code, said in words a person can act on."""

from pathlib import Path


class ServiceError(RuntimeError):
    """A server or tool could not do its part; the message names the cause and the next step."""


def tail(log: Path, lines: int = 15) -> str:
    """The last `lines` lines of a log, indented; a remark when there is no log."""
    if not log.exists():
        return f"  (no log at {log})"
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in text)
