"""What a process loads before it does anything."""

import subprocess
import sys

HEAVY = (
    "mlflow",
    "sklearn",
    "scipy",
    "pandas",
    "lightgbm",
    "boto3",
    "matplotlib",
    "skops",
    "numba",
)
PROGRAM = f"""
import sys
from smartmaint.wsgi import application
from django.urls import get_resolver
get_resolver().url_patterns
print(*[name for name in {HEAVY} if name in sys.modules])
"""


def test_a_web_process_loads_no_scientific_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
