"""Column types that Django has no field for."""

from typing import TYPE_CHECKING

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _FloatField = models.FloatField[float, float]
else:
    _FloatField = models.FloatField


class RealField(_FloatField):
    """Four bytes and six digits: float4. Eight would be a seventh of a reading more."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "real"
