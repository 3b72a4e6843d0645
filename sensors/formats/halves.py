"""Lines read by two threads at once, each a half of the document. Pure.

While a batch is read the database waits, so a second core is mostly free. Arrow lets go of the
interpreter's lock; two halves of a document of lines then take little more than half the time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pyarrow as pa

# A shorter document is read sooner than a second thread is awake.
LEAST_BYTES = 2**17


def read(lines: bytes, one: Callable[[pa.Buffer], pa.Table]) -> pa.Table:
    """The table that `one` makes of these lines, of which each must stand for itself.

    one: called with a buffer of whole lines, in any thread. What it raises is raised.
    """
    whole = pa.py_buffer(lines)
    middle = lines.find(b"\n", len(lines) // 2) + 1 if len(lines) >= LEAST_BYTES else 0
    if not 0 < middle < len(lines):
        return one(whole)
    second = _threads().submit(one, whole.slice(middle))
    try:
        first = one(whole.slice(0, middle))
    finally:
        second.exception()  # nobody may read the buffer when this has returned
    return pa.concat_tables([first, second.result()])


@cache
def _threads() -> ThreadPoolExecutor:
    """Begun with the first large document, so after a server has forked."""
    return ThreadPoolExecutor(2, thread_name_prefix="formats")
