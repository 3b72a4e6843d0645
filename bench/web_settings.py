"""The shipped settings, and beside the shipped addresses those of bench/web_urls.py."""

from smartmaint.settings import *  # noqa: F403

ROOT_URLCONF = "bench.web_urls"
