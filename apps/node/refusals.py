"""What the node refuses, told in the real server's words.

Each refusal is a class beside the function that raises it; the API turns any of them into
`{"message": …, "success": false}` with its status.
"""

from typing import ClassVar

__all__ = ["Refusal"]


class Refusal(Exception):
    """A request that cannot be granted.

    Attributes:
        status: HTTP status of the answer.
        message: Sentence for the client.
    """

    status: ClassVar[int] = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
