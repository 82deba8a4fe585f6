"""The page envelope of every list: `{count, next, previous, results}`, 20 rows a page."""

from typing import Any

from rest_framework.pagination import PageNumberPagination

from apps.shared.api.bounds import BIGINT

__all__ = ["Page"]


class Page(PageNumberPagination):
    """`?page=N` from 1; a page that does not exist is 404."""

    page_size = 20

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        about = "Of the pages that there are; beyond the last one is 404."
        return [
            {
                "name": self.page_query_param,
                "in": "query",
                "required": False,
                "description": about,
                "schema": dict(BIGINT),
            }
        ]
