"""Make an administrator when there is none: `python -m smartmaint.services.first_admin`."""

import os
import secrets
import sys

import django

from smartmaint.services.say import say


def main() -> int:
    """Create the user `admin` and say its password, once; nothing to do when a superuser exists."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartmaint.settings")
    django.setup()
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return 0
    password = secrets.token_urlsafe(12)
    users.create_superuser("admin", "admin@localhost", password)
    say("")
    say(f"  First administrator: admin   password: {password}")
    say("  It is shown this once; `manage.py changepassword admin` sets another.")
    say("")
    return 0


if __name__ == "__main__":
    sys.exit(main())
