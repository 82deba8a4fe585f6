"""How much is tried: what is usual at a desk, or, with `TESTS=whole`, all that a release needs."""

import os

__all__ = ["is_whole"]


def is_whole() -> bool:
    """Whether everything is to be tried, however long it takes."""
    return os.environ.get("TESTS") == "whole"
