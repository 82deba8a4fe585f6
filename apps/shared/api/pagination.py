"""The page envelope of every list: `{count, next, previous, results}`, 20 rows a page."""

from rest_framework.pagination import PageNumberPagination

__all__ = ["Page"]


class Page(PageNumberPagination):
    """`?page=N` from 1; a page that does not exist is 404."""

    page_size = 20
