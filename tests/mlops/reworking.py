"""Artifacts that were changed by somebody: plain functions."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from mlops import artifacts

Change = Callable[[dict[str, Any], dict[str, bytes]], None]


def reworked(packed: bytes, change: Change) -> bytes:
    """The artifact after `change` of its manifest and its files."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(contents.pop(artifacts.MANIFEST))
    change(manifest, contents)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(artifacts.MANIFEST, json.dumps(manifest))
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()
