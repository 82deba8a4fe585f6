"""The chain begins where it finds the log, and can be taken away."""

from django.core.management import call_command
from django.db import transaction

from federated_imputation.monolith.accounts.models import AuditLog, AuditSeal
from tests.factories import NOW
from tests.legacy_database import new_database


def test_rows_from_before_the_chain_stay_unsealed(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), new_database("chain") as alias:
        logs, seals = AuditLog.objects.using(alias), AuditSeal.objects.using(alias)
        call_command("migrate", "imputation", "0012", database=alias, verbosity=0)
        old = logs.bulk_create([AuditLog(action="login", timestamp=NOW) for _ in range(3)])

        call_command("migrate", "imputation", "0013", database=alias, verbosity=0)
        assert not seals.exists()
        with transaction.atomic(using=alias):
            new = [logs.create(action="logout", timestamp=NOW) for _ in range(2)]
        first, second = seals.order_by("position")
        assert (first.audit_id, second.audit_id) == (new[0].pk, new[1].pk)
        assert int(first.previous) == old[-1].pk

        call_command("migrate", "imputation", "0012", database=alias, verbosity=0)
        assert logs.update(action="free") == 5
