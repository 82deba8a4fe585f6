"""The chain of the audit log: the database seals, refuses changes, and a check finds them."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import StringIO
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import AuditLog, AuditSeal
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.accounts.queries import AuditHead, verify_audit_log
from tests.factories import NOW, make_user
from tests.locks import waiting_for_a_lock

pytestmark = pytest.mark.django_db


def record(action="login", **fields):
    values = {"user_id": None, "origin": None, "now": NOW, **fields}
    return record_audit(action=action, **values)


def commit():
    """Do what a commit does: run the deferred triggers."""
    connection.check_constraints()


@pytest.fixture
def rows():
    """Five sealed rows, and before them an id that no row has."""
    with transaction.atomic():
        record()
        transaction.set_rollback(True)
    made = [record(f"login_{number}") for number in range(5)]
    commit()
    return made


@contextmanager
def triggers_off():
    """Do what the owner of the tables can do, and nobody else."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor
        cursor.execute("SET LOCAL session_replication_role = origin")


def found():
    fault = verify_audit_log().fault
    return fault and (fault.kind, fault.position, fault.audit_id)


def test_rows_are_sealed_at_the_commit_in_their_order(rows):
    record()  # not committed yet
    seals = list(AuditSeal.objects.order_by("position"))
    assert [seal.position for seal in seals] == [1, 2, 3, 4, 5]
    assert [seal.audit_id for seal in seals] == [row.pk for row in rows]
    assert [seal.previous for seal in seals[1:]] == [seal.digest for seal in seals[:-1]]
    commit()
    report = verify_audit_log()
    assert (report.fault, report.sealed, report.unsealed) == (None, 6, 0)
    last = AuditSeal.objects.order_by("position").last()
    assert last is not None
    assert report.head == AuditHead(position=6, digest=last.digest)


@pytest.mark.parametrize(
    "function", ["imputation_audit_queue", "imputation_audit_seal", "imputation_end_tokens"]
)
def test_no_other_role_fires_our_triggers_from_a_table_of_its_own(function):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE mallory")
        cursor.execute("SET LOCAL ROLE mallory")
        cursor.execute("CREATE TEMPORARY TABLE own (id bigint, audit_id bigint, actor_id integer)")
        with pytest.raises(ProgrammingError, match="permission denied for function"):
            cursor.execute(
                f"CREATE TRIGGER own AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION {function}()"
            )


def test_rows_of_a_role_that_may_only_append_are_sealed():
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE legacy")
        cursor.execute("GRANT INSERT, SELECT ON imputation_auditlog TO legacy")
        cursor.execute("GRANT USAGE ON SEQUENCE imputation_auditlog_id_seq TO legacy")
        cursor.execute("SET LOCAL ROLE legacy")
        record()
        commit()
        cursor.execute("RESET ROLE")
    report = verify_audit_log()
    assert (report.fault, report.sealed) == (None, 1)


def test_an_empty_log_is_good():
    assert verify_audit_log().head is None
    assert found() is None


def test_every_column_may_hold_anything():
    user = make_user()
    origin = Origin(address="2001:db8::7", user_agent="naïve 🧬 \r\n")
    details = {"z": [1, 2.50, 1e300, None, True], "a": {"ü": "\u2028"}, "": "3:abc,"}
    record(user_id=user.pk, origin=origin, resource_type="-", resource_id=",", details=details)
    record(now=NOW.replace(year=1), origin=Origin(address="10.0.0.1", user_agent=""))
    AuditLog.objects.create(action="", details="a plain string", timestamp=NOW)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO imputation_auditlog"
            " (action, resource_type, resource_id, details, user_agent, ip_address, timestamp)"
            " VALUES ('sql', '', '', 'null', '', '10.0.0.0/8', 'infinity')"
        )
    commit()
    assert verify_audit_log().sealed == 4
    assert found() is None


def test_a_rolled_back_transaction_leaves_no_seal(rows):
    with transaction.atomic():
        record()
        transaction.set_rollback(True)
    record("logout")
    commit()
    assert verify_audit_log().sealed == 6
    assert found() is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE imputation_auditlog SET action = 'other'",
        "UPDATE imputation_auditlog SET id = -id",
        "UPDATE imputation_auditlog SET user_id = (SELECT min(id) FROM auth_user)",
        "UPDATE imputation_auditlog SET user_id = NULL, user_agent = 'other'",
        "DELETE FROM imputation_auditlog",
        "TRUNCATE imputation_auditlog",
        "UPDATE imputation_auditseal SET digest = previous",
        "DELETE FROM imputation_auditseal",
        "TRUNCATE imputation_auditseal",
        "INSERT INTO imputation_auditseal VALUES (99, 99, NULL, '', '')",
        "INSERT INTO imputation_auditpending VALUES (1, NULL)",
    ],
)
def test_nothing_that_is_sealed_can_be_changed(rows, statement):
    make_user()
    with (
        pytest.raises(IntegrityError, match="audit log"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert found() is None


def test_a_row_cannot_be_changed_before_it_is_sealed_either():
    row = record()
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditLog.objects.filter(pk=row.pk).update(action="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        row.delete()


def test_a_database_can_be_emptied_as_a_whole(rows):
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE imputation_auditlog, imputation_auditseal")
    record()
    commit()
    assert verify_audit_log().sealed == 1
    assert found() is None


def test_a_deleted_account_is_forgotten_by_its_rows_and_not_by_their_seals():
    user = make_user()
    record(user_id=user.pk)
    commit()
    user_id = user.pk
    record("delete_user", user_id=user_id)  # sealed after the account is gone
    user.delete()
    commit()
    assert set(AuditLog.objects.values_list("user_id", flat=True)) == {None}
    assert set(AuditSeal.objects.values_list("actor_id", flat=True)) == {user_id}
    assert found() is None


def test_a_changed_byte_is_found(rows):
    changes = {
        "action": "'logim_2'",
        "resource_type": "'user'",
        "resource_id": "'1'",
        "details": """'{"a": 1}'""",
        "ip_address": "'10.0.0.1'",
        "user_agent": "' '",
        "timestamp": "timestamp + interval '1 microsecond'",
        "user_id": str(make_user().pk),
    }
    for column, value in changes.items():
        with transaction.atomic():
            with triggers_off() as cursor:
                cursor.execute(
                    f'UPDATE imputation_auditlog SET "{column}" = {value} WHERE id = %s',  # noqa: S608
                    [rows[2].pk],
                )
            assert found() == ("changed", 3, rows[2].pk), column
            transaction.set_rollback(True)
    assert found() is None


def test_a_changed_actor_is_found(rows):
    with triggers_off() as cursor:
        cursor.execute("UPDATE imputation_auditseal SET actor_id = 7 WHERE position = 4")
    assert found() == ("changed", 4, rows[3].pk)


def test_a_deleted_row_is_found(rows):
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM imputation_auditlog WHERE id = %s", [rows[1].pk])
    assert found() == ("missing", 2, rows[1].pk)


def test_a_row_deleted_with_its_seal_is_found(rows):
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM imputation_auditlog WHERE id = %s", [rows[1].pk])
        cursor.execute("DELETE FROM imputation_auditseal WHERE position = 2")
        assert found() == ("missing", 2, None)
        cursor.execute("UPDATE imputation_auditseal SET position = -position WHERE position > 2")
        cursor.execute(
            "UPDATE imputation_auditseal SET position = -position - 1 WHERE position < 0"
        )
    assert found() == ("missing", 2, rows[2].pk)


def test_swapped_rows_are_found(rows):
    with triggers_off() as cursor:
        for wrong, right in ((-1, rows[1].pk), (rows[1].pk, rows[3].pk), (rows[3].pk, -1)):
            cursor.execute("UPDATE imputation_auditlog SET id = %s WHERE id = %s", [wrong, right])
    assert found() == ("changed", 2, rows[1].pk)


def test_swapped_seals_are_found(rows):
    with triggers_off() as cursor:
        for wrong, right in ((-1, 2), (2, 3), (3, -1)):
            cursor.execute(
                "UPDATE imputation_auditseal SET position = %s WHERE position = %s", [wrong, right]
            )
    assert found() == ("reordered", 2, rows[2].pk)


INSERTION = (
    "INSERT INTO imputation_auditlog"
    " (id, action, resource_type, resource_id, details, user_agent, timestamp)"
    " VALUES (%s, 'login', '', '', '{}', '', '2020-01-01')"
)


@pytest.mark.parametrize("step", [-1, 1_000])
def test_an_old_row_put_into_the_log_is_found(rows, step):
    inserted = rows[0].pk + step
    with triggers_off() as cursor:
        cursor.execute(INSERTION, [inserted])
    assert found() == ("inserted", None, inserted)


def test_a_row_put_into_the_chain_is_found(rows):
    with triggers_off() as cursor:
        cursor.execute("UPDATE imputation_auditseal SET position = -position WHERE position > 2")
        cursor.execute(
            "UPDATE imputation_auditseal SET position = -position + 1 WHERE position < 0"
        )
        cursor.execute(INSERTION, [1_000_000])
        cursor.execute(
            "INSERT INTO imputation_auditseal SELECT 3, 1000000, NULL, digest,"
            " imputation_audit_digest(digest, '3', '1000000', NULL, 'login', '', '', '{}', NULL,"
            " '', '1577836800.000000') FROM imputation_auditseal WHERE position = 2"
        )
    assert found() == ("inserted", 3, rows[2].pk)


def test_an_end_that_was_cut_off_is_found_against_a_noted_head(rows):
    head = verify_audit_log().head
    record()
    commit()
    assert verify_audit_log(expected=head).fault is None
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM imputation_auditlog WHERE id >= %s", [rows[3].pk])
        cursor.execute("DELETE FROM imputation_auditseal WHERE position > 3")
    assert found() is None, "nothing in the database tells of the end"
    fault = verify_audit_log(expected=head).fault
    assert fault is not None
    assert (fault.kind, fault.position) == ("missing", 4)


def test_a_chain_written_anew_is_found_against_a_noted_head(rows):
    head = verify_audit_log().head
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE imputation_auditlog, imputation_auditseal")
    for number in range(5):
        record(f"other_{number}")
    commit()
    assert found() is None
    fault = verify_audit_log(expected=head).fault
    assert fault is not None
    assert (fault.kind, fault.position) == ("changed", 5)


@pytest.mark.parametrize("emptied", ["imputation_auditlog", "imputation_auditseal"])
def test_an_emptied_table_is_found(rows, emptied):
    head = verify_audit_log().head
    with triggers_off() as cursor:
        cursor.execute(f"DELETE FROM {emptied}")  # noqa: S608
    fault = verify_audit_log(expected=head).fault
    assert fault is not None
    assert (fault.kind, fault.position) == ("missing", 1)


def test_what_is_older_than_the_chain_is_no_fault(rows):
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM imputation_auditseal")
    report = verify_audit_log()
    assert (report.fault, report.sealed, report.unsealed, report.head) == (None, 0, 5, None)
    new = record()
    commit()
    report = verify_audit_log()
    assert (report.fault, report.sealed, report.unsealed) == (None, 1, 5)
    assert AuditSeal.objects.get().previous == f"{rows[-1].pk:064}"
    with triggers_off() as cursor:
        cursor.execute(INSERTION, [new.pk + 1])
    assert found() == ("inserted", None, new.pk + 1)


def at_once(*targets):
    """Run each in a thread with a connection of its own; raise what one of them raises."""

    def run_target(target):
        try:
            target()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(targets)) as pool:
        for running in [pool.submit(run_target, target) for target in targets]:
            running.result(timeout=60)


@pytest.mark.django_db(transaction=True)
def test_many_who_commit_at_once_make_one_chain():
    writers, commits = 8, 50
    ready = Barrier(writers, timeout=60)
    users = [User.objects.create(username=f"user-{number}") for number in range(2)]

    def write(number):
        ready.wait()
        for turn in range(commits):
            with transaction.atomic():
                record(f"w{number}_{turn}", user_id=users[(number + turn) % 2].pk)
                if turn % 5 == 0:
                    transaction.set_rollback(True)
                elif turn % 3 == 0:
                    User.objects.select_for_update().get(pk=users[0].pk)

    at_once(*(partial(write, number) for number in range(writers)))
    report = verify_audit_log()
    assert (report.fault, report.unsealed) == (None, 0)
    assert report.sealed == writers * commits * 4 // 5


@pytest.mark.django_db(transaction=True)
def test_nobody_holds_the_chain_while_a_foreign_key_waits():
    """Else the two below would wait for each other: one has the user, the other the chain."""
    first, second = (User.objects.create(username=name) for name in ("first", "second"))
    locked = Barrier(2, timeout=30)

    @transaction.atomic
    def lock_a_user():
        User.objects.select_for_update().get(pk=second.pk)
        locked.wait()
        _wait_until_somebody_waits()
        record("locked_a_user")

    @transaction.atomic
    def name_both_users():
        locked.wait()
        record("of_the_first", user_id=first.pk)
        record("of_the_second", user_id=second.pk)

    at_once(lock_a_user, name_both_users)
    assert verify_audit_log().sealed == 3
    assert found() is None


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_cannot_see_the_newest_seal_fails_and_forks_nothing():
    def seal_meanwhile():
        record("meanwhile")

    def write_upon_an_old_snapshot():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            assert AuditSeal.objects.count() == 1
            at_once(seal_meanwhile)
            record("too_late")

    record("first")
    with pytest.raises(IntegrityError, match="imputation_auditseal"):
        write_upon_an_old_snapshot()
    assert list(AuditLog.objects.order_by("id").values_list("action", flat=True)) == [
        "first",
        "meanwhile",
    ]
    record("again")
    assert verify_audit_log().sealed == 3
    assert found() is None


def _wait_until_somebody_waits():
    for _ in range(1_000):
        if waiting_for_a_lock():
            return
    raise AssertionError("Nobody waits.")


def run(*arguments):
    """The command's output and exit status."""
    out = StringIO()
    try:
        call_command("audit", "verify", *arguments, stdout=out)
    except SystemExit as ended:
        return out.getvalue(), ended.code
    return out.getvalue(), 0


def test_command_says_that_the_chain_is_good_and_prints_its_head(rows):
    head = verify_audit_log().head
    assert head is not None
    text, status = run()
    assert status == 0
    assert text == f"Good: 5 rows as they were sealed, 0 from before the chain. Head: {head}\n"
    text, status = run("--json", "--expect-head", str(head))
    assert status == 0
    assert json.loads(text) == {
        "ok": True,
        "sealed": 5,
        "unsealed": 0,
        "head": {"position": 5, "digest": head.digest},
        "fault": None,
    }


def test_command_names_the_first_fault_and_fails(rows):
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM imputation_auditlog WHERE id = %s", [rows[0].pk])
    text, status = run()
    assert status == 1
    assert text == (
        f"Broken at position 1 (audit row {rows[0].pk}): missing. Good up to nothing.\n"
    )
    text, status = run("--json")
    assert status == 1
    assert json.loads(text)["fault"] == {
        "kind": "missing",
        "position": 1,
        "audit_id": rows[0].pk,
    }


@pytest.mark.parametrize("head", ["", "5", "five:" + "a" * 64, "5:abc", "-5:" + "a" * 64])
def test_command_refuses_a_head_that_is_none(head):
    with pytest.raises(CommandError, match="POSITION:DIGEST"):
        run(f"--expect-head={head}")
