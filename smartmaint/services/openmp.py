"""LightGBM needs libgomp, which a bare Debian lacks and scikit-learn's wheel brings along."""

import ctypes
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

NAME = "libgomp.so.1"


def library_path(directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variable that lets a process find libgomp; none where the system has it.

    directory: where the link with the name that the loader looks for is kept.
    """
    brought = None if _system_has_it() else _in_scikit_learn()
    if brought is None:
        return {}
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / NAME
    if not link.is_symlink() or link.readlink() != brought:
        unfinished = directory / f"{NAME}.{os.getpid()}"
        unfinished.symlink_to(brought)
        unfinished.replace(link)
    others = environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": f"{directory}:{others}" if others else str(directory)}


def _system_has_it() -> bool:
    try:
        ctypes.CDLL(NAME)
    except OSError:
        return False
    return True


def _in_scikit_learn() -> Path | None:
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        return None
    libraries = Path(spec.origin).parents[1] / "scikit_learn.libs"
    return next(iter(libraries.glob("libgomp-*.so*")), None)
