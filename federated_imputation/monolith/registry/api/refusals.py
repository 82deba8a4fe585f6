"""How the refusals of the registry's operations are answered."""

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import NotFound, ValidationError

from federated_imputation.monolith.registry.operations import InvalidService, ServiceInUse
from federated_imputation.monolith.registry.queries import UnknownService

__all__ = ["answering_refusals"]


@contextmanager
def answering_refusals() -> Iterator[None]:
    """Raise what REST framework answers, for what an operation raises: 404, or 400."""
    try:
        yield
    except UnknownService:
        raise NotFound from None
    except InvalidService as refused:
        raise ValidationError(refused.errors) from None
    except ServiceInUse as refused:
        raise ValidationError({"error": str(refused)}) from None
