"""How much users store, written where people look: `storage_used_gb` of the profile.

Nothing is enforced by that number; `refuse_overflow` counts by itself. So an upload need not wait
for it: it is counted anew after the transaction that changed something, for a moment alone with
the user's profile. A crash in between leaves it as it was, until the user's next change or the
hourly `correct_storage_used`.
"""

from functools import partial

from django.db import transaction

from federated_imputation.monolith.accounts import operations as accounts
from federated_imputation.monolith.accounts import queries as account_queries
from federated_imputation.monolith.files import queries

__all__ = ["correct_storage_used", "recount_on_commit", "recount_storage"]


def recount_on_commit(*, user_id: int) -> None:
    """Count what the user stores once the transaction under way is kept; never its failure."""
    # Not a partial: of a failure Django tells the function's name, and a partial has none.
    transaction.on_commit(lambda: recount_storage(user_id=user_id), robust=True)


def recount_storage(*, user_id: int) -> None:
    """Write how much the user stores, genotype files and results together, into the profile."""
    accounts.keep_storage_used(
        user_id=user_id, count=partial(queries.all_stored_bytes, user_id=user_id)
    )


def correct_storage_used() -> int:
    """Count anew where the profile says something else; return for how many users."""
    stored = queries.all_stored_bytes_by_user()
    wrong = account_queries.users_with_other_storage(stored)
    for user_id in wrong:
        recount_storage(user_id=user_id)
    return len(wrong)
