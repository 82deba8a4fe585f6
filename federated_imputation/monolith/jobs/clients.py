"""What the worker asks of whoever knows the adapters."""

from typing import TYPE_CHECKING, Protocol

from apps.federation import protocol
from federated_imputation.monolith.registry.queries import connect, is_supported

if TYPE_CHECKING:
    from federated_imputation.monolith.registry.models import ImputationService

__all__ = ["Connect", "connect", "is_supported"]


class Connect(Protocol):
    """Makes one user's view of a service; an argument of the worker, so that tests bring theirs."""

    def __call__(
        self, *, service: "ImputationService", token: str
    ) -> protocol.ImputationService: ...
