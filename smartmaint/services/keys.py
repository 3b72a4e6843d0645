"""Secrets for a local run, made once and kept in `.data/secrets.env` (0600)."""

import os
import secrets
from pathlib import Path

NAMES = ("SECRET_KEY", "JWT_SIGNING_KEY", "MODEL_SIGNING_KEY")


def local_keys(data: Path) -> dict[str, str]:
    """A value for each of NAMES: what the file holds, and a new one for what it lacks."""
    file = data / "secrets.env"
    kept = _read(file) if file.exists() else {}
    missing = [name for name in NAMES if name not in kept]
    if missing:
        kept |= {name: secrets.token_urlsafe(48) for name in missing}
        _write(file, kept)
    return kept


def _read(file: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return {name: value for name, value in pairs if name in NAMES}


def _write(file: Path, keys: dict[str, str]) -> None:
    unfinished = file.with_name(f"{file.name}.{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text("".join(f"{name}={value}\n" for name, value in keys.items()))
    unfinished.replace(file)
