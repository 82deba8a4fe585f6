"""What operators do to services on their admin pages, each row by the operation for it."""

from typing import Final

from django.http import HttpRequest
from django.utils import timezone

from apps.federation.probing import Status
from apps.shared.admin.confirming import NotDone, RowAction
from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.registry.clients import is_supported
from federated_imputation.monolith.registry.health.operations import check_services
from federated_imputation.monolith.registry.models import ImputationService, ServiceSync
from federated_imputation.monolith.registry.operations import (
    ServiceInUse,
    delete_service,
    request_sync,
    run_due_sync,
    update_service,
)
from federated_imputation.monolith.registry.presentation import public_url, sync_told
from federated_imputation.monolith.registry.queries import (
    UnknownService,
    count_jobs_under_way,
    sync_of,
)

__all__ = ["SERVICE_ACTIONS", "told_of"]

_GONE: Final = "It is not there any more."
_UNASKED: Final = "Nothing is known of it."


def told_of(sync: ServiceSync) -> str:
    """What came of the last synchronisation of a service, in words; '' when there was none."""
    return sync_told(
        outcome=sync.outcome,
        added=sync.added,
        changed=sync.changed,
        withdrawn=sync.withdrawn,
        message=sync.message,
    )


def _foresee_check(request: HttpRequest, service: ImputationService) -> str:
    if not service.is_active:
        raise NotDone("It is switched off, so it is not asked.")
    return f"{public_url(service.api_url)} is asked whether it is up, without any token."


def _check(request: HttpRequest, service: ImputationService) -> str:
    (answer,) = check_services([service], force=True)
    if answer.is_resting:
        raise NotDone(answer.note)
    if answer.state is None:
        raise NotDone(answer.note or _UNASKED)
    told = " ".join(
        part for part in (answer.state.message, answer.state.error, answer.note) if part
    )
    if answer.state.status != Status.HEALTHY:
        raise NotDone(told)
    return told


def _foresee_sync(request: HttpRequest, service: ImputationService) -> str:
    if not is_supported(service):
        raise NotDone(f"The platform cannot ask its API ({service.api_type}) for panels.")
    return "It is asked what it offers; panels appear, change or are retired accordingly."


def _request_sync(request: HttpRequest, service: ImputationService) -> str:
    _foresee_sync(request, service)
    try:
        request_sync(
            service_id=service.pk,
            user_id=request.user.pk,
            origin=origin_of(request),
            now=timezone.now(),
        )
    except UnknownService:
        raise NotDone(_GONE) from None
    return "It will be asked soon; its page tells what came of it."


def _sync(request: HttpRequest, service: ImputationService) -> str:
    _request_sync(request, service)
    run_due_sync(service.pk)
    sync = sync_of(service_id=service.pk)
    told = told_of(sync)
    if sync.outcome == "failed":
        raise NotDone(told)
    return told or "Somebody else is asking it; its page tells what came of it."


def _foresee_switching_off(request: HttpRequest, service: ImputationService) -> str:
    if not service.is_active:
        raise NotDone("It is switched off already.")
    under_way = count_jobs_under_way(service_id=service.pk)
    if under_way:
        raise NotDone(f"It has {under_way} jobs that are not over.")
    return "Nobody sees it or sends to it any more. Panels, jobs and secrets stay."


def _switch_off(request: HttpRequest, service: ImputationService) -> str:
    try:
        delete_service(
            service_id=service.pk,
            force=False,
            by=find_rights(request.user),
            origin=origin_of(request),
            now=timezone.now(),
        )
    except ServiceInUse as refused:
        raise NotDone(str(refused)) from None
    except UnknownService:
        raise NotDone(_GONE) from None
    return "Switched off."


def _foresee_switching_on(request: HttpRequest, service: ImputationService) -> str:
    if service.is_active:
        raise NotDone("It is switched on already.")
    return "Users see it again and may send to it."


def _switch_on(request: HttpRequest, service: ImputationService) -> str:
    try:
        update_service(
            service_id=service.pk,
            wanted={"is_active": True},
            by=find_rights(request.user),
            origin=origin_of(request),
            now=timezone.now(),
        )
    except UnknownService:
        raise NotDone(_GONE) from None
    return "Switched on."


SERVICE_ACTIONS: Final = (
    RowAction(
        name="check_now",
        title="Check now",
        permission="change",
        foresee=_foresee_check,
        act=_check,
        most=5,  # one after the other, each for 12 seconds at most
    ),
    RowAction(
        name="synchronise",
        title="Synchronise panels",
        permission="change",
        foresee=_foresee_sync,
        act=_request_sync,
        act_alone=_sync,
    ),
    RowAction(
        name="switch_off",
        title="Switch off",
        permission="change",
        foresee=_foresee_switching_off,
        act=_switch_off,
    ),
    RowAction(
        name="switch_on",
        title="Switch on",
        permission="change",
        foresee=_foresee_switching_on,
        act=_switch_on,
    ),
)
