"""Compiling inner loops, once per machine. Pure."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba
from numba.core import config as numba_config

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """To machine code on the first call; kept on disk for the calls of later processes.

    Without `fastmath`: sums keep their order, so that the same readings give the same bits.
    """
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))


def compiled_bare(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, for functions that make no array, and call only functions that make none.

    Nothing counts who uses an array then. For small functions that call each other for every byte
    of a text, the counting takes longer than all else that they do.
    """
    bare = numba.njit(cache=True, nogil=True, _nrt=False)  # type: ignore[call-overload] # not in its types
    return cast("Callable[P, R]", bare(function))


def _keep_code_somewhere() -> None:
    """Beside the source, where it can be written; a container's file system often cannot."""
    if "NUMBA_CACHE_DIR" not in os.environ and not os.access(Path(__file__).parent, os.W_OK):
        kept = Path(tempfile.gettempdir()) / f"smartmaint-numba-{os.getuid()}"
        os.environ["NUMBA_CACHE_DIR"] = str(kept)
        numba_config.reload_config()  # type: ignore[no-untyped-call] # it has no types


_keep_code_somewhere()
