"""What is decided about batches and schedules. Plain functions, no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from federated_imputation.monolith.jobs.plans.recurrence import Recurrence
from federated_imputation.monolith.jobs.states import FINAL as FINAL_OF_A_JOB
from federated_imputation.monolith.jobs.states import Status

__all__ = ["FINAL", "BatchStatus", "Following", "batch_status", "following"]


class BatchStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL: Final = frozenset({BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.CANCELLED})


def batch_status(jobs: Mapping[Status, int]) -> BatchStatus:
    """How a batch stands, of which so many jobs stand in each state.

    It is pending until a job begins, and over when all are: failed if one failed, else cancelled
    if one was, else completed; so, too, when all of its jobs were deleted.

    Args:
        jobs: A state that is left out counts 0.
    """
    total = sum(jobs.values())
    if total > sum(jobs.get(status, 0) for status in FINAL_OF_A_JOB):
        is_untouched = jobs.get(Status.PENDING, 0) == total
        return BatchStatus.PENDING if is_untouched else BatchStatus.RUNNING
    if jobs.get(Status.FAILED, 0):
        return BatchStatus.FAILED
    return BatchStatus.CANCELLED if jobs.get(Status.CANCELLED, 0) else BatchStatus.COMPLETED


@dataclass(frozen=True, kw_only=True)
class Following:
    """What a schedule does after an execution.

    Attributes:
        next_execution: `None` when it is over.
        because: Why it is over; '' while it is not.
    """

    next_execution: datetime | None
    because: str = ""


def following(
    recurrence: Recurrence,
    *,
    now: datetime,
    executions: int,
    most: int | None,
    refusals: int,
    most_refusals: int,
    refusal: str = "",
) -> Following:
    """When a schedule is due again, of which an execution just ended.

    Args:
        executions: Jobs that it made, this one included.
        most: Jobs that it shall make; `None` for no end.
        refusals: In a row, up to now.
        refusal: Why the last one was refused; '' when it was not.
    """
    if most is not None and executions >= most:
        return Following(next_execution=None, because=f"It ran {most} times, as it should.")
    if refusals >= most_refusals:
        return Following(
            next_execution=None,
            because=f"Switched off after {refusals} refusals in a row, the last: {refusal}",
        )
    following = recurrence.after(now)
    if following is not None:
        return Following(next_execution=following)
    told = f"Its only time was refused: {refusal}" if refusal else "Its time is over."
    return Following(next_execution=None, because=told)
