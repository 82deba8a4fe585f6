"""Where a service is, and what a move means for the secrets that opened it."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations import forget_service_secrets, record_audit
from federated_imputation.monolith.registry.masking import is_same_origin, without_secrets
from federated_imputation.monolith.registry.models import ImputationService, ServiceConfiguration
from federated_imputation.monolith.registry.presentation import public_url
from federated_imputation.monolith.registry.queries import UnknownService

__all__ = ["AddressChange", "change_address"]


@dataclass(frozen=True, kw_only=True)
class AddressChange:
    """What a new address meant.

    Attributes:
        is_elsewhere: Whether it is another scheme, host or port than before.
        forgotten: How many stored secrets were deleted.
    """

    is_elsewhere: bool
    forgotten: int


@transaction.atomic
def change_address(
    *, service_id: int, api_url: str, user_id: int | None, origin: Origin | None, now: datetime
) -> AddressChange:
    """Let a service be at `api_url` from now on, and audit it.

    What opened the service at another origin is never sent to the new one: its secrets, those of
    its users and of jobs under way are deleted in the same transaction, and so is what the legacy
    system left in its own columns. They must be given again.

    Args:
        user_id: Who changes it; `None` for the platform itself.
        origin: From where; `None` when there was no request.

    Raises:
        UnknownService: There is no such service.
    """
    # The lock keeps a secret for the old place from being stored until this is over.
    service = ImputationService.objects.select_for_update().filter(pk=service_id).first()
    if service is None:
        raise UnknownService(service_id)
    before, service.api_url = service.api_url, api_url
    is_elsewhere = not is_same_origin(before, api_url)
    forgotten = _forget_what_opens(service) if is_elsewhere else 0
    service.save(update_fields=["api_url", "api_config", "api_key", "updated_at"])
    record_audit(
        action="change_address",
        user_id=user_id,
        resource_type="service",
        resource_id=str(service_id),
        details={
            "from": public_url(before),
            "to": public_url(api_url),
            "secrets_forgotten": forgotten,
        },
        origin=origin,
        now=now,
    )
    return AddressChange(is_elsewhere=is_elsewhere, forgotten=forgotten)


def _forget_what_opens(service: ImputationService) -> int:
    service.api_key = ""
    service.api_config = without_secrets(service.api_config)
    for configuration in ServiceConfiguration.objects.filter(service=service):
        configuration.api_key = configuration.api_secret = ""
        configuration.additional_headers = {}
        configuration.settings = without_secrets(configuration.settings)
        configuration.save()
    return forget_service_secrets(service_id=service.pk)
