"""Ids of rows, as they come in."""

import re
from typing import Any

from rest_framework import serializers

from apps.shared.api.bounds import LARGEST_ID

__all__ = ["Id"]

_PLAIN = re.compile(r"[0-9]{1,19}")


class Id(serializers.IntegerField):
    """A number from 1 to what a row's id can be; text must be plain digits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_ID, **options})

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and not _PLAIN.fullmatch(data):
            self.fail("invalid")
        return super().to_internal_value(data)
