"""How services stand, for all workers together: `breaker` decides, one row a service remembers.

While a service answers, a call costs one read of that row and no write.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from apps.federation.protocol import HeldBack
from federated_imputation.monolith.registry import breaker
from federated_imputation.monolith.registry.breaker import Standing
from federated_imputation.monolith.registry.models import ImputationService, ServiceStanding

__all__ = [
    "Pass",
    "enter",
    "lock_standing",
    "note_answer",
    "note_silence",
    "standing_of",
    "standing_shown",
]


@dataclass(frozen=True, kw_only=True)
class Pass:
    """The leave to call a service now.

    Attributes:
        is_probe: Whether everybody else waits for what comes of it.
        was_failing: Whether an answer is news.
    """

    service_id: int
    is_probe: bool
    was_failing: bool


def standing_of(service_id: int) -> Standing:
    row = ServiceStanding.objects.filter(service_id=service_id).first()
    return breaker.CLOSED if row is None else _read(row)


def standing_shown(service: ImputationService) -> Standing:
    """How a service that was read with its `standing` stands; no query."""
    row: ServiceStanding | None = getattr(service, "standing", None)
    return breaker.CLOSED if row is None else _read(row)


def enter(service_id: int, *, now: datetime) -> Pass:
    """Leave to call the service at `now`.

    Raises:
        HeldBack: It does not answer, and it is not yet time to ask, or somebody else is asking.
    """
    standing = standing_of(service_id)
    if standing.is_open:
        with transaction.atomic():
            row = lock_standing(service_id)
            standing = _read(row)
            allowed = breaker.asked(standing, now=now)
            if allowed is not None:
                _write(row, allowed)
        if allowed is None:
            raise _held_back(standing, now)
    return Pass(service_id=service_id, is_probe=standing.is_open, was_failing=standing.failures > 0)


def note_answer(leave: Pass) -> None:
    """The service answered the call that `leave` allowed."""
    if not leave.was_failing:
        return
    with transaction.atomic():
        _write(lock_standing(leave.service_id), breaker.answered())


def note_silence(leave: Pass, why: str, *, now: datetime, jitter: float) -> None:
    """The call that `leave` allowed stayed without an answer."""
    with transaction.atomic():
        row = lock_standing(leave.service_id)
        after = breaker.unanswered(_read(row), why, is_probe=leave.is_probe, now=now, jitter=jitter)
        _write(row, after)


def lock_standing(service_id: int) -> ServiceStanding:
    """The row of a service, made if need be and locked until the transaction ends."""
    rows = ServiceStanding.objects.select_for_update()
    row = rows.filter(service_id=service_id).first()
    return row if row is not None else rows.get_or_create(service_id=service_id)[0]


def _held_back(standing: Standing, now: datetime) -> HeldBack:
    return HeldBack(
        "The service does not answer"
        + (f" since {standing.failing_since:%Y-%m-%d %H:%M} UTC" if standing.failing_since else "")
        + f" ({standing.last_error.rstrip('.')}).",
        next_try_at=max(standing.next_try_at or now, standing.probe_until or now),
    )


def _read(row: ServiceStanding) -> Standing:
    return Standing(
        failures=row.failures,
        failing_since=row.failing_since,
        last_error=row.last_error,
        next_try_at=row.next_try_at,
        probe_until=row.probe_until,
    )


def _write(row: ServiceStanding, standing: Standing) -> None:
    if _read(row) != standing:
        for name, value in asdict(standing).items():
            setattr(row, name, value)
        row.save()
