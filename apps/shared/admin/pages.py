"""Bases of admin pages, typed: Django's own are generic only for the type checker."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

__all__ = ["EditableAdmin", "ReadOnlyAdmin", "TableInline"]

if TYPE_CHECKING:
    EditableAdmin = admin.ModelAdmin[Any]
    TableInline = admin.TabularInline[Any, Any]
else:
    EditableAdmin = admin.ModelAdmin
    TableInline = admin.TabularInline


class ReadOnlyAdmin(EditableAdmin):
    """Rows that code alone writes: nobody adds, changes or deletes them by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
