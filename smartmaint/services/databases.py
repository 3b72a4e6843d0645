"""Databases inside a PostgreSQL server, by URL."""

from urllib.parse import SplitResult, quote, unquote, urlsplit

import psycopg
from psycopg import sql

from smartmaint.services.errors import ServiceError


def name_of(url: str) -> str:
    """The database a URL names.

    >>> name_of("postgresql://u:p@127.0.0.1:5432/smartmaint?sslmode=require")
    'smartmaint'
    """
    return unquote(urlsplit(url).path.removeprefix("/"))


def renamed(url: str, name: str) -> str:
    """The same server, another database.

    >>> renamed("postgresql://u@%2Ftmp%2Fs/smartmaint?sslmode=require", "mlflow")
    'postgresql://u@%2Ftmp%2Fs/mlflow?sslmode=require'
    """
    return join_url(urlsplit(url)._replace(path=f"/{quote(name)}"))


def for_sqlalchemy(url: str) -> str:
    """The URL as SQLAlchemy reads it, with the psycopg driver named.

    SQLAlchemy takes a socket directory from the query only.

    >>> for_sqlalchemy("postgresql://u@%2Ftmp%2Fs/mlflow")
    'postgresql+psycopg://u@/mlflow?host=/tmp/s'
    >>> for_sqlalchemy("postgres://u:p@db.example/mlflow?sslmode=require")
    'postgresql+psycopg://u:p@db.example/mlflow?sslmode=require'
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = parts.query
    if host.lower().startswith("%2f"):
        query = "&".join(filter(None, [query, f"host={unquote(host)}"]))
        host = ""
    return join_url(
        parts._replace(scheme="postgresql+psycopg", netloc=f"{user}{at}{host}", query=query)
    )


def join_url(parts: SplitResult) -> str:
    """A URL from its parts; unlike urllib's own, it keeps the slashes of an empty host.

    >>> join_url(urlsplit("unix:///run/valkey.sock?db=0"))
    'unix:///run/valkey.sock?db=0'
    """
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"


def without_password(url: str) -> str:
    """The URL for a person's eyes.

    >>> without_password("postgresql://u:secret@127.0.0.1:5433/smartmaint")
    'postgresql://u@127.0.0.1:5433/smartmaint'
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return join_url(parts._replace(netloc=f"{name}{at}{host}"))


def ensure(url: str) -> None:
    """Create the database that `url` names, unless it is there. Raises ServiceError."""
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError:
        _on_server(url, "CREATE DATABASE {}")


def recreate(url: str) -> None:
    """An empty database under the name in `url`; connections to the old one are cut."""
    drop(url)
    _on_server(url, "CREATE DATABASE {}")


def drop(url: str) -> None:
    """Remove the database that `url` names, if it is there. Raises ServiceError."""
    _on_server(url, "DROP DATABASE IF EXISTS {} WITH (FORCE)")


def _on_server(url: str, statement: str) -> None:
    name = name_of(url)
    try:
        with psycopg.connect(
            renamed(url, "postgres"), connect_timeout=10, autocommit=True
        ) as server:
            server.execute(sql.SQL(statement).format(sql.Identifier(name)))
    except psycopg.errors.DuplicateDatabase:
        return
    except psycopg.Error as error:
        raise ServiceError(f"Database {name!r} cannot be prepared: {error}") from error
