"""A Redis database for a test or a demo run: emptied before use, and nobody else's."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import redis

from smartmaint.services.databases import join_url
from smartmaint.services.errors import ServiceError

MARK = "smartmaint:scratch"


def redis_database(url: str, number: int) -> str:
    """The same server, database `number`.

    >>> redis_database("redis://:secret@cache.example:6379/0", 15)
    'redis://:secret@cache.example:6379/15'
    >>> redis_database("unix:///run/valkey.sock?db=0", 8)
    'unix:///run/valkey.sock?db=8'
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "unix" or "db" in query:
        return join_url(parts._replace(query=urlencode({**query, "db": number}, safe="/")))
    return join_url(parts._replace(path=f"/{number}"))


def claim(url: str) -> None:
    """Empty the database and mark it as scratch.

    Raises ServiceError when it holds keys that no earlier scratch run left, or does not answer.
    """
    try:
        with redis.Redis.from_url(url) as server:
            if server.dbsize() and not server.exists(MARK) and not _is_embedded(url):
                raise ServiceError(
                    f"The Redis database {url} is to be emptied for this run but holds keys. Empty "
                    f"it, or unset REDIS_URL to use the embedded server."
                )
            server.flushdb()
            server.set(MARK, "1")
    except redis.RedisError as error:
        raise ServiceError(f"Redis at {url} cannot be used: {error}") from error


def _is_embedded(url: str) -> bool:
    """The embedded server is this checkout's alone, so a killed run is all that can be in there."""
    return url.startswith("unix://")
