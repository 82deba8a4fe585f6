"""Bases of admin pages, typed: Django's own are generic only for the type checker."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import unfold.admin
import unfold.decorators
from django.contrib import admin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Field, JSONField
from django.forms import Field as FormField
from django.http import HttpRequest

__all__ = ["EditableAdmin", "ReadOnlyAdmin", "TableInline", "labelled"]

_Column = TypeVar("_Column", bound=Callable[..., str])

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _ModelAdmin = unfold.admin.ModelAdmin
    _TabularInline = unfold.admin.TabularInline


class _WithoutPopups:
    """A related row is chosen here and written on its own page, where its own rules are told."""

    def formfield_for_dbfield(
        self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        field: FormField | None = super().formfield_for_dbfield(  # type: ignore[misc]
            db_field, request, **kwargs
        )
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field


class EditableAdmin(_WithoutPopups, _ModelAdmin):
    """A page in the look of unfold."""

    list_filter_sheet = False
    list_disable_select_all = True  # an action is confirmed row by row


class TableInline(_WithoutPopups, _TabularInline):
    """Rows that are written with the row they belong to."""


class ReadOnlyAdmin(EditableAdmin):
    """Rows that code alone writes: nobody adds, changes or deletes them by hand."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """As Django's, with JSON as plain text: unfold colours it by styles in the page."""
        json_fields = {
            field.name: _as_plain_json(field)
            for field in self.opts.concrete_fields
            if isinstance(field, JSONField)
        }
        names: list[Any] = list(super().get_fields(request, obj))
        return [json_fields.get(name, name) for name in names]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _as_plain_json(field: Any) -> Callable[[Any], str]:
    def shown(row: Any) -> str:
        return json.dumps(getattr(row, field.name), indent=2, ensure_ascii=False)

    shown.__name__ = field.name
    shown.short_description = field.verbose_name  # type: ignore[attr-defined]
    return shown


def labelled(**looks: str) -> Callable[[_Column], _Column]:
    """Show the words that a column returns as labels.

    Args:
        looks: By word, `success`, `warning`, `danger` or `info`; other words are plain.
    """
    decorate: Callable[[_Column], _Column] = unfold.decorators.display(label=looks)
    return decorate
