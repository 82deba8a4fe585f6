"""The admin site: Django's, in the look of unfold."""

from typing import TYPE_CHECKING

from django.contrib.admin import AdminSite
from django.urls import URLPattern, URLResolver
from unfold.sites import UnfoldAdminSite

__all__ = ["OperatorSite"]

if TYPE_CHECKING:
    _Site = AdminSite
else:
    _Site = UnfoldAdminSite


class OperatorSite(_Site):
    """Without unfold's search over all pages, which looks past what a page lets be searched."""

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [url for url in super().get_urls() if getattr(url, "name", None) != "search"]
