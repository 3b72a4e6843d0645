"""Pages of what is ordered by text."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from smartmaint.api import CursorPages


class TextCursorPages(CursorPages):
    """A cursor comes from outside: one with NUL in it is none, and PostgreSQL would refuse it."""

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        if cursor is not None and "\0" in str(cursor.position or ""):
            raise NotFound(self.invalid_cursor_message)
        return cursor
