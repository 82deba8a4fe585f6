"""Counting jobs against what their user may submit, in the transaction that makes them.

The rows that count stay locked until that transaction ends, so of any number of submissions at the
same moment exactly as many succeed as are left. A job counts once, when it is made, and whatever
becomes of it: a retry is the same job, and a cancelled one is not given back.
"""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime

from django.db import transaction
from rest_framework.exceptions import PermissionDenied

from apps.shared.api.bounds import LARGEST_INTEGER
from federated_imputation.monolith.accounts.models import UserProfile, UserServiceAccess
from federated_imputation.monolith.accounts.quotas import (
    begin_month,
    gigabytes,
    month_of,
    next_month,
)

__all__ = ["QuotaExceeded", "keep_storage_used", "reserve_jobs"]


class QuotaExceeded(PermissionDenied):
    """Raised with a sentence: which limit, how much of it is used, and when there is more.

    A view that lets it rise answers 403 with the code `quota_exceeded`.
    """

    default_code = "quota_exceeded"


def reserve_jobs(*, user_id: int, services: Collection[int], now: datetime) -> None:
    """Count jobs that are about to be made, all of them or none; call it in their transaction.

    Who has no profile has no limit of the month, and who has no row of access to a service none
    there.

    Args:
        user_id: Whose jobs they are.
        services: The id of the service of each job, so an id for each of them.

    Raises:
        QuotaExceeded: One of the limits does not leave room for all; the transaction must end.
        TransactionManagementError: There is no transaction.
    """
    _reserve_of_month(user_id=user_id, jobs=len(services), now=now)
    wanted = Counter(services)
    # In one order, so that two submissions to the same services cannot wait for each other.
    accesses = (
        UserServiceAccess.objects.filter(user_id=user_id, service_id__in=wanted)
        .select_related("service")
        .defer("api_key")
        .select_for_update(of=("self",), no_key=True)
        .order_by("service_id")
    )
    for access in accesses:
        _reserve_at_service(access, jobs=wanted[access.service_id], now=now)


@transaction.atomic
def keep_storage_used(*, user_id: int, count: Callable[[], int]) -> None:
    """Write how much a user stores into the profile, if there is one.

    Args:
        count: Tells the bytes that are stored and committed. It is asked when the profile is
            locked, so that of several at once the last has seen what all of them did.
    """
    found = UserProfile.objects.filter(user_id=user_id)
    profile = found.select_for_update(of=("self",), no_key=True).first()
    if profile is None:
        return
    used = gigabytes(count())
    if used != profile.storage_used_gb:
        profile.storage_used_gb = used
        profile.save(update_fields=["storage_used_gb", "updated_at"])


def _reserve_of_month(*, user_id: int, jobs: int, now: datetime) -> None:
    found = UserProfile.objects.filter(user_id=user_id)
    profile = found.select_for_update(of=("self",), no_key=True).first()
    if profile is None:
        return
    begin_month(profile, now=now)
    used, limit = profile.monthly_jobs_used, profile.monthly_job_limit
    if used + jobs > limit:
        month = month_of(now)
        raise QuotaExceeded(
            f"{_told(used, limit)} in {month:%B %Y}, and this asks for {jobs:,} more. The count "
            f"begins anew on {next_month(month):1 %B %Y}, 00:00 UTC; ask an administrator for a "
            "higher limit."
        )
    profile.monthly_jobs_used = used + jobs
    profile.save(update_fields=["monthly_jobs_used", "jobs_counted_in", "updated_at"])


def _reserve_at_service(access: UserServiceAccess, *, jobs: int, now: datetime) -> None:
    used, limit = access.quota_used, access.quota_limit
    if limit is not None and used + jobs > limit:
        raise QuotaExceeded(
            f"{_told(used, limit)} to {access.service.name}, and this asks for {jobs:,} more. "
            "This count does not begin anew; ask an administrator of the service for a higher "
            "limit."
        )
    access.quota_used = min(used + jobs, LARGEST_INTEGER)
    access.last_used = now
    access.save(update_fields=["quota_used", "last_used", "updated_at"])


def _told(used: int, limit: int) -> str:
    return f"You have submitted {max(used, 0):,} of the {max(limit, 0):,} jobs that you may submit"
