"""What the registry asks of external services, and which adapter speaks with which."""

from typing import Protocol

from apps.federation import protocol
from apps.federation.michigan import APPLICATION, Michigan
from apps.shared.http import configured
from federated_imputation.monolith.registry.models import ImputationService

__all__ = ["Catalogue", "connect", "is_supported"]


class Catalogue(Protocol):
    """Tells what a service offers; each adapter is one."""

    def discover(self) -> protocol.Discovery:
        """What it offers now; may raise any `FederationError`."""


def is_supported(service: ImputationService) -> bool:
    """Whether there is an adapter for the API that `service` speaks."""
    return service.api_type == ImputationService.ApiType.MICHIGAN


def connect(*, service: ImputationService, token: str) -> protocol.ImputationService:
    """The view that the owner of `token` has of `service`, through the guarded client.

    Raises:
        Rejected: There is no adapter for its API, or the token or the address cannot be used.
    """
    if not is_supported(service):
        raise protocol.Rejected(
            f"The API of {service.name} ({service.api_type}) is not supported.", status=501
        )
    try:
        return Michigan(
            base_url=service.api_url,
            token=token,
            client=configured.from_settings(),
            application=str(service.api_config.get("application", APPLICATION)),
        )
    except ValueError as error:
        raise protocol.Rejected(f"{service.name}: {error}", status=400) from None
