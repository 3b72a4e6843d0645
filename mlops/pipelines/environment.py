"""Where a model was made: libraries, Python, and which code."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version as version_of

from django.conf import settings

# What reads an artifact and computes its features. Inferring them takes ten seconds a model.
REQUIREMENTS = ("numpy", "scipy", "scikit-learn", "skops", "lightgbm")


def pip_requirements() -> list[str]:
    """`name==version` of each, as a requirements file has it."""
    return [f"{name}=={version_of(name)}" for name in REQUIREMENTS]


def python_version() -> str:
    return platform.python_version()


@cache
def code_version() -> str:
    """The commit, with `-dirty` where files differ from it; `unknown` outside a checkout."""
    try:
        said = subprocess.run(
            ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"),  # noqa: S607
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return said.stdout.strip()
