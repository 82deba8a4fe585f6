"""Writes about the sites of panels: fetched from the service that publishes them, or installed.

The story of a panel's tables. A panel has none until somebody wants to hold a file against it. Then
its service is asked, under a lease, so that it is asked once. What it publishes is written to a new
folder, and when the folder is whole the row names it; the one before stays on disk until the sweep,
a day later, so that a check that reads it is not disturbed. A service that fails, or publishes
nothing, is asked again later, and tables that are there stay meanwhile. What an operator installs
is never replaced by a service's.
"""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from django.db import transaction
from django.db.models import F, Q

from apps.federation.protocol import FederationError, ImputationService, NotAuthenticated
from apps.genotypes.sites import SitesError, write_site_tables
from apps.shared.durable import sync_tree
from apps.shared.leases import Claim, LeaseLost, Leases, held
from federated_imputation.monolith.accounts import queries as accounts
from federated_imputation.monolith.files import storage
from federated_imputation.monolith.files.models import PanelSites
from federated_imputation.monolith.registry import queries as registry

if TYPE_CHECKING:
    from federated_imputation.monolith.registry import models

__all__ = ["Connect", "claim_due_sites", "fetch_sites", "forget_sites", "install_sites"]

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
_REFRESH: Final = timedelta(days=7)
_FIRST_RETRY: Final = timedelta(minutes=10)
_LAST_RETRY: Final = timedelta(days=1)
_MOST_DOUBLINGS: Final = 8
_AT_ONCE: Final = 4
_LONGEST_MESSAGE: Final = 1000


class Connect(Protocol):
    """Makes one user's view of a service; an argument, so that tests bring theirs."""

    def __call__(self, *, service: "models.ImputationService", token: str) -> ImputationService: ...


def _due(now: datetime) -> Q:
    return Q(next_fetch_at__lte=now)


_SITES: Final = Leases(table=PanelSites, due=_due, order=("next_fetch_at", "panel_id"))


def claim_due_sites(*, now: datetime) -> list[int]:
    """Active panels whose service is to be asked for their sites; they count as announced."""
    wanted = [panel.pk for panel in registry.panels() if registry.is_supported(panel.service)]
    PanelSites.objects.bulk_create(
        [PanelSites(panel_id=panel_id, next_fetch_at=now) for panel_id in wanted],
        ignore_conflicts=True,
    )
    found: list[int] = _SITES.claim_due(now=now, most=_AT_ONCE, announced_for=_FIRST_RETRY)
    return found


def fetch_sites(
    panel_id: int,
    *,
    clock: Clock,
    user_id: int | None = None,
    connect: Connect = registry.connect,
) -> None:
    """Bring a panel's tables up to date, if that is due and nobody else does it.

    What goes wrong is kept as the row's message, for those who ask why a panel is unknown.

    Args:
        user_id: Whose token to use, when they have one; else the service's own.
    """
    now = clock()
    known = {"next_fetch_at": now, "source": "", "folder": "", "message": ""}
    PanelSites.objects.get_or_create(panel_id=panel_id, defaults=known)
    claimed = _SITES.claim(panel_id, now=now)
    if claimed is None:
        return
    with held(claimed, clock=clock) as hold:
        try:
            _fetch(claimed, panel_id, user_id=user_id, clock=clock, connect=connect)
            hold.check()
        except (FederationError, SitesError) as error:
            _note_failure(claimed, message=str(error), now=clock())
        except OSError as error:
            words = f"Its tables could not be written ({error.strerror})."
            _note_failure(claimed, message=words, now=clock())
        except LeaseLost:
            logger.warning("The sites of panel %s are fetched by another worker.", panel_id)


def install_sites(panel_id: int, lists: Sequence[Path], *, now: datetime) -> Mapping[str, int]:
    """Make tables of an operator's lists, in place of whatever the panel had.

    Args:
        lists: VCF files, with genotypes or without, that together are the panel's sites.

    Returns:
        Sites by chromosome.

    Raises:
        UnknownPanel: There is no such panel.
        SitesError: A list cannot be used; nothing is changed.
        OSError: A list cannot be read, or the disk is full; nothing is changed.
    """
    registry.get_panel(panel_id=panel_id)
    folder, sources, sites = _tables_of(panel_id, lists)
    with transaction.atomic():
        row, _ = PanelSites.objects.select_for_update().get_or_create(panel_id=panel_id)
        row.fence += 1  # a fetch under way is dropped
        row.lease_until = row.dispatched_until = row.next_fetch_at = None
        row.folder, row.sources, row.source = folder, sources, PanelSites.Source.OPERATOR
        row.fetched_at, row.message, row.failures = now, "", 0
        row.save()
    return sites


def forget_sites(*, panel_ids: Sequence[int]) -> None:
    """Delete what is known of the sites of panels that go; a day later the sweep takes the tables.

    A fetch that is under way finds no row to write to.
    """
    PanelSites.objects.filter(panel_id__in=panel_ids).delete()


def _fetch(
    claimed: Claim, panel_id: int, *, user_id: int | None, clock: Clock, connect: Connect
) -> None:
    panel = registry.get_panel(panel_id=panel_id)
    service = connect(service=panel.service, token=_token(panel.service, user_id, now=clock()))
    place = storage.absolute(str(storage.MAKING / f"sites-{uuid.uuid4().hex}"))
    storage.make_folder(place)
    try:
        lists = service.panel_sites(panel.panel_id, place)
        if not lists:
            message = f"{panel.service.name} publishes no list of this panel's sites."
            _release(claimed, next_fetch_at=clock() + _REFRESH, message=message, failures=0)
            return
        folder, sources, _ = _tables_of(panel_id, lists)
    finally:
        storage.remove_folder(place)
    now = clock()
    _release(
        claimed,
        folder=folder,
        sources=sources,
        source=PanelSites.Source.SERVICE,
        fetched_at=now,
        next_fetch_at=now + _REFRESH,
        message="",
        failures=0,
    )


def _token(service: "models.ImputationService", user_id: int | None, *, now: datetime) -> str:
    try:
        token = accounts.reveal_credential(service_id=service.pk, user_id=user_id, now=now)
    except accounts.Undecryptable as error:
        raise NotAuthenticated(str(error), status=401) from error
    if token is None and service.api_key_required:
        raise NotAuthenticated(f"There is no token for {service.name}.", status=401)
    return token or ""


def _tables_of(
    panel_id: int, lists: Sequence[Path]
) -> tuple[str, dict[str, str], Mapping[str, int]]:
    """A new folder with the tables of `lists`, whole and on the disk, and what went into it."""
    folder = str(storage.PANELS / str(panel_id) / uuid.uuid4().hex)
    place = storage.absolute(folder)
    storage.make_folder(place)
    try:
        manifests = [write_site_tables(each, place) for each in lists]
        sync_tree(place)
    except (OSError, SitesError):
        storage.remove_folder(place)
        raise
    sources = {each.name: storage.digest(each)[1] for each in lists}
    sites = {name: entry.sites for name, entry in manifests[-1].chromosomes.items()}
    return folder, sources, sites


def _note_failure(claimed: Claim, *, message: str, now: datetime) -> None:
    row = claimed.rows().first()
    if row is None:
        return
    wait = min(_LAST_RETRY, _FIRST_RETRY * 2 ** min(row.failures, _MOST_DOUBLINGS))
    told = message[:_LONGEST_MESSAGE]
    _release(claimed, next_fetch_at=now + wait, message=told, failures=F("failures") + 1)


def _release(claimed: Claim, **columns: object) -> None:
    """Write what became of the fetch, and let go.

    Raises:
        LeaseLost: Another worker, or an operator, was faster.
    """
    if not claimed.rows().update(**columns, lease_until=None):
        raise LeaseLost
