#!/usr/bin/env python
"""Django's command line for smartmaint."""

import os
import secrets
import sys

WITHOUT_SERVERS = {"backtest", "evaluate"}  # they read files alone, and run where nothing is set up


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartmaint.settings")
    if WITHOUT_SERVERS.intersection(sys.argv[1:3]):
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        os.environ.setdefault("DATABASE_URL", "postgresql://no-server.invalid/none")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)
    except (ImproperlyConfigured, OperationalError) as error:
        if "--traceback" in sys.argv:
            raise
        is_away = isinstance(error, OperationalError)
        said = str(error).strip()
        sys.exit(f"PostgreSQL cannot be used: {said.splitlines()[0]}" if is_away else said)


if __name__ == "__main__":
    main()
