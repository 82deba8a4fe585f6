"""How the refusals of operations are answered."""

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import APIException, NotFound, ValidationError

from federated_imputation.monolith.accounts.operations.refusals import (
    Conflict,
    InvalidFields,
    Unknown,
)

__all__ = ["ConflictError", "answering_refusals"]


class ConflictError(APIException):
    """409 with a sentence that says what stands in the way."""

    status_code = 409
    default_code = "conflict"


@contextmanager
def answering_refusals() -> Iterator[None]:
    """Raise what REST framework answers, for what an operation raises: 404, 400 by field, 409."""
    try:
        yield
    except Unknown:
        raise NotFound from None
    except InvalidFields as refused:
        raise ValidationError(refused.errors) from None
    except Conflict as refused:
        raise ConflictError(str(refused)) from None
