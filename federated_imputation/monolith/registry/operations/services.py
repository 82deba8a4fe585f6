"""Writes of services themselves.

Each write locks the service's row and saves the changed fields only, so that of two people who
change different fields neither undoes the other. A secret never becomes a column: `api_key` is kept
encrypted, and settings that would hold one are refused before they get here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations import (
    CredentialKind,
    forget_credential,
    record_audit,
    store_credential,
)
from federated_imputation.monolith.accounts.operations.changes import Changes, changes_to, told
from federated_imputation.monolith.accounts.queries import Capability, Rights
from federated_imputation.monolith.deletions.queries import Kind, Subject, is_being_deleted
from federated_imputation.monolith.registry.masking import with_hidden
from federated_imputation.monolith.registry.models import ImputationService
from federated_imputation.monolith.registry.operations.addresses import change_address
from federated_imputation.monolith.registry.operations.removal import remove_service
from federated_imputation.monolith.registry.presentation import public_url
from federated_imputation.monolith.registry.queries import (
    UnknownService,
    count_jobs_under_way,
    get_service,
)

__all__ = [
    "API_TYPES",
    "InvalidService",
    "ServiceInUse",
    "create_service",
    "delete_service",
    "refuse_pair",
    "update_service",
]

_Service = ImputationService.ServiceType
_Api = ImputationService.ApiType
# Which API a service of a type may speak.
API_TYPES: Final[Mapping[str, frozenset[str]]] = {
    _Service.H3AFRICA: frozenset({_Api.GA4GH, _Api.MICHIGAN}),
    _Service.MICHIGAN: frozenset({_Api.MICHIGAN}),
    _Service.DNASTACK: frozenset({_Api.DNASTACK, _Api.GA4GH}),
}
# Where jobs and secrets go. Users trust the platform with their genotypes, so the right `admin` at
# the service is not enough to change it.
_OF_THE_PLATFORM: Final = frozenset({"api_config", "api_type", "api_url", "service_type"})
# What the synchronisation keeps in `api_config`; nobody else writes it.
_OFFERS: Final = "offers"
_TOLD: Final = frozenset(
    {
        "api_key_required",
        "api_type",
        "is_active",
        "max_file_size_mb",
        "name",
        "service_type",
        "supported_formats",
    }
)


class InvalidService(Exception):
    """Raised with what is wrong, by field: `{"name": ["…"]}`; nothing was changed."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("Some fields do not fit.")
        self.errors = errors


class ServiceInUse(Exception):
    """Jobs of the service are under way, so it stays; nothing was changed."""


@transaction.atomic
def create_service(
    *, wanted: Mapping[str, Any], by: Rights, origin: Origin | None, now: datetime
) -> ImputationService:
    """Make a service.

    Args:
        wanted: Fields of `ImputationService`; `name`, `service_type`, `api_type` and `api_url` at
            least. `api_key` is the token with which the platform itself asks the service.
        origin: From where; `None` when there was no request.

    Raises:
        InvalidService: The name is taken, or such a service does not speak that API.
    """
    given = dict(wanted)
    secret = given.pop("api_key", "")
    given["api_config"] = _config(given.get("api_config", {}), stored={})
    service = ImputationService(created_at=now)
    changes = changes_to(service, given)
    refuse_pair(given["service_type"], given["api_type"])
    _write(service, changes)
    if secret:
        _keep_secret(service, secret, now=now)
    _audit("create_service", service, changes, secret, by=by, origin=origin, now=now)
    return get_service(service_id=service.pk)


@transaction.atomic
def update_service(
    *,
    service_id: int,
    wanted: Mapping[str, Any],
    by: Rights,
    origin: Origin | None,
    now: datetime,
) -> ImputationService:
    """Write the fields whose wanted value differs from the one they have.

    Another address means that all that opened the old one is forgotten (`change_address`). Settings
    that no client is shown stay as they are. An empty `api_key` forgets the service's own token.

    Args:
        wanted: As for `create_service`; what is left out stays.

    Raises:
        UnknownService: There is no such service.
        PermissionDenied: A field is for those who manage services, and the caller does not.
        InvalidService: As for `create_service`.
    """
    service = _locked(service_id)
    given = dict(wanted)
    secret: str | None = given.pop("api_key", None)
    config = given.get("api_config")
    if given.get("api_url") == public_url(service.api_url):
        del given["api_url"]  # what was read is taken back, without the user that is not shown
    if config is not None:
        given["api_config"] = _config(config, stored=service.api_config)
    changes = changes_to(service, given)
    _refuse_fields_of_the_platform(changes, by=by)
    if {"api_type", "service_type"} & changes.keys():
        refuse_pair(
            given.get("service_type", service.service_type), given.get("api_type", service.api_type)
        )
    if "api_url" in changes:
        change_address(
            service_id=service_id,
            api_url=given["api_url"],
            user_id=by.user_id,
            origin=origin,
            now=now,
        )
        service.refresh_from_db()
        if "api_config" in changes:
            before, _ = changes["api_config"]
            changes["api_config"] = (before, _config(config, stored=service.api_config))
    _write(service, changes)
    if secret is not None:
        _keep_secret(service, secret, now=now)
    _audit("update_service", service, changes, secret, by=by, origin=origin, now=now)
    return get_service(service_id=service_id)


def delete_service(
    *, service_id: int, force: bool, by: Rights, origin: Origin | None, now: datetime
) -> ImputationService | None:
    """Switch a service off, or delete it for good with all that belongs to it.

    What belongs to it: panels, rights, secrets, and its jobs with their files (`remove_service`).
    Switched off, it is switched on again by `update_service`.

    Args:
        force: Whether to delete it.

    Returns:
        The service that is switched off now; `None` when it is deleted.

    Raises:
        UnknownService: There is no such service.
        ServiceInUse: It has jobs that are pending, queued or running.
    """
    with transaction.atomic():
        service = _locked(service_id)
        under_way = count_jobs_under_way(service_id=service_id)
        if under_way:
            raise ServiceInUse(f"{service.name} has {under_way} jobs that are not over.")
        if not force:
            changes = changes_to(service, {"is_active": False})
            _write(service, changes)
            _audit("deactivate_service", service, changes, None, by=by, origin=origin, now=now)
            return get_service(service_id=service_id)
        remove_service(service_id, user_id=by.user_id, origin=origin, now=now)
    return None


def _locked(service_id: int) -> ImputationService:
    service = ImputationService.objects.select_for_update().filter(pk=service_id).first()
    if service is None or is_being_deleted(Subject(kind=Kind.SERVICE, id=service_id)):
        raise UnknownService(service_id)
    return service


def _refuse_fields_of_the_platform(changes: Changes, *, by: Rights) -> None:
    theirs = sorted(_OF_THE_PLATFORM & changes.keys())
    if theirs and not by.may(Capability.MANAGE_SERVICES):
        raise PermissionDenied(f"Only who manages services may change: {', '.join(theirs)}.")


def refuse_pair(service_type: str, api_type: str) -> None:
    """Let a pair pass that `API_TYPES` has.

    Raises:
        InvalidService: With the APIs that such a service speaks.
    """
    allowed = API_TYPES[service_type]
    if api_type not in allowed:
        words = " or ".join(sorted(allowed))
        raise InvalidService(
            {"api_type": [f"A service of type {service_type} speaks {words}, not {api_type}."]}
        )


def _config(given: Any, *, stored: Any) -> dict[str, Any]:
    offers = {_OFFERS: stored[_OFFERS]} if _OFFERS in stored else {}
    told = {name: entry for name, entry in given.items() if name != _OFFERS}
    return {**with_hidden(told, stored=stored), **offers}


def _write(service: ImputationService, changes: Changes) -> None:
    """Save a new row whole, and of an old one the changed columns."""
    for name, (_, new) in changes.items():
        setattr(service, name, new)
    columns = None if service._state.adding else [*(changes.keys() - {"api_url"}), "updated_at"]
    try:
        with transaction.atomic():
            service.save(update_fields=columns)
    except IntegrityError:
        raise InvalidService({"name": ["A service with this name already exists."]}) from None


def _keep_secret(service: ImputationService, secret: str, *, now: datetime) -> None:
    kind = CredentialKind.API_TOKEN
    if secret:
        store_credential(service_id=service.pk, kind=kind, secret=secret, now=now)
    else:
        forget_credential(service_id=service.pk, kind=kind)


def _audit(
    action: str,
    service: ImputationService,
    changes: Changes,
    secret: str | None,
    *,
    by: Rights,
    origin: Origin | None,
    now: datetime,
) -> None:
    """Audit a write; of the secret only whether one was given or taken away."""
    details = {"name": service.name, **told(changes, with_values=_TOLD)}
    if secret is not None:
        details["fields"] = sorted([*details["fields"], "api_key"])
    record_audit(
        action=action,
        user_id=by.user_id,
        resource_type="service",
        resource_id=str(service.pk),
        details=details,
        origin=origin,
        now=now,
    )
