"""What Django's cache writes into Redis: JSON.

Django's own choice is pickle, with which whoever can write into Redis can run code here.
"""

import json
from typing import Any

__all__ = ["JsonSerializer"]


class JsonSerializer:
    """A `serializer` of Django's Redis cache; values are what JSON can hold."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False).encode()

    def loads(self, data: bytes) -> Any:
        """The value, or `None` (as if there were none) for what is no JSON."""
        try:
            return json.loads(data)
        except ValueError:
            return None
