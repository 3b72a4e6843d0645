"""No filter of an admin's list offers rows of another site by name."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin import FieldListFilter
from django.contrib.admin.utils import get_fields_from_path
from django.db.models import Model

from sensors.admin.tenancy import VisibleRelatedFilter
from sensors.querysets import TenantQuerySet

LISTS = admin.site._registry


def is_scoped(model: type[Model] | None) -> bool:
    return model is not None and isinstance(model._default_manager.all(), TenantQuerySet)


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_a_filter_by_rows_of_sites_offers_ones_own_alone(model: type[Model]) -> None:
    for found in LISTS[model].list_filter:
        path, kind = found if isinstance(found, tuple) else (found, FieldListFilter)
        if not isinstance(path, str):
            continue  # a filter of its own
        related = get_fields_from_path(model, path)[-1].related_model
        if is_scoped(related):
            assert issubclass(kind, VisibleRelatedFilter), f"{model.__name__}: {path}"
