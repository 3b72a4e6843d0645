"""TimescaleDB."""

from smartmaint.services.home import Home


def running_url(home: Home) -> str | None:
    """."""
    return None
