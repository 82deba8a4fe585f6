"""Query parameters of lists."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

__all__ = ["Filters"]


class Filters(serializers.Serializer[Any]):
    """The base of every serializer that reads query parameters; an empty one counts as absent."""

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """The valid values of those parameters of `request` that the class names.

        Raises:
            ValidationError: One of them is not what it must be.
        """
        given = cls(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        valid: dict[str, Any] = given.validated_data
        return valid

    def to_internal_value(self, data: Mapping[str, str]) -> Any:
        return super().to_internal_value(
            {name: value for name, value in data.items() if value.strip()}
        )
