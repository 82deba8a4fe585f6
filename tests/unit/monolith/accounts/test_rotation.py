"""`manage.py secrets`: every stored secret moves to the newest key, whatever happens meanwhile."""

import io
import json
import uuid

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.sql import SQL, Identifier

from federated_imputation.monolith.accounts.models import ServiceCredential, SigningKey
from federated_imputation.monolith.accounts.operations import rotate_secrets, store_credential
from federated_imputation.monolith.accounts.queries import count_secrets, reveal_credential
from federated_imputation.monolith.accounts.queries.encrypted import ENCRYPTED_MODELS
from federated_imputation.monolith.accounts.secrets import (
    Undecryptable,
    decrypt,
    encrypt,
    find_key,
    fingerprints,
)
from tests.factories import NOW, make_service, make_user

pytestmark = pytest.mark.django_db
FIRST, SECOND, THIRD = (Fernet.generate_key().decode() for _ in range(3))
PEM = "-----BEGIN PRIVATE KEY-----"  # pragma: allowlist secret


@pytest.fixture
def keys(settings):
    """Puts keys into the setting, the newest first."""

    def use(*keys):
        settings.FIELD_ENCRYPTION_KEYS = list(keys)

    use(FIRST)
    return use


@pytest.fixture
def rows(keys):
    """One secret of each model, under the first key."""
    credential = store_credential(
        service_id=make_service().pk,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret="pl41nt3xt",
        now=NOW,
    )
    signing_key = SigningKey.objects.create(
        kid="k1", state="current", encrypted=encrypt(PEM), public_jwk={}, created_at=NOW
    )
    return credential, signing_key


def _run(*arguments):
    """What the command prints, and what it complains of."""
    out = io.StringIO()
    try:
        call_command("secrets", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), f"exit {error.returncode}: {error}"
    return out.getvalue(), ""


def _secrets_readable(rows):
    for row in rows:
        row.refresh_from_db()
    return [decrypt(row.encrypted) for row in rows] == ["pl41nt3xt", PEM]


def test_every_encrypted_column_is_rotated():
    found = {
        model
        for model in apps.get_models()
        if any(field.name == "encrypted" for field in model._meta.get_fields())
    }
    assert found == set(ENCRYPTED_MODELS)


def test_no_text_column_but_those_named_so_is_written_encrypted(rows):
    """A column of another name would stay behind when the keys rotate."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            rows_with_tokens = SQL("SELECT t::text FROM {} t WHERE t::text LIKE '%gAAAA%'")
            cursor.execute(rows_with_tokens.format(Identifier(table)))
            if cursor.fetchone():
                assert table in {model._meta.db_table for model in ENCRYPTED_MODELS}


def test_old_key_may_go_after_rotation_three_keys_in_a_row(rows, keys):
    for newest, older in ((SECOND, FIRST), (THIRD, SECOND)):
        keys(newest, older)
        assert json.loads(_run("rotate", "--json")[0]) == {
            "rotated": 2,
            "current": 0,
            "undecryptable": [],
        }
        keys(newest)
        assert _secrets_readable(rows)
    keys(FIRST, SECOND)
    with pytest.raises(Undecryptable):
        decrypt(rows[0].encrypted)


def test_rotation_changes_nothing_the_second_time(rows, keys):
    keys(SECOND, FIRST)
    assert _run("rotate")[0].startswith("2 rotated, 0 were")
    for row in rows:
        row.refresh_from_db()
    before = [row.encrypted for row in rows]
    assert _run("rotate")[0].startswith("0 rotated, 2 were")
    assert _secrets_readable(rows)
    assert [row.encrypted for row in rows] == before


def test_rotation_touches_only_the_encrypted_column(rows, keys):
    keys(SECOND, FIRST)
    before = ServiceCredential.objects.values().get()
    rotate_secrets()
    after = ServiceCredential.objects.values().get()
    changed = {
        name for (name, old), new in zip(before.items(), after.values(), strict=True) if old != new
    }
    assert changed == {"encrypted"}


def test_row_that_no_key_opens_is_named_and_left_and_the_others_are_rotated(rows, keys):
    credential, signing_key = rows
    foreign = Fernet(THIRD).encrypt(b"x").decode()
    SigningKey.objects.update(encrypted=foreign)
    keys(SECOND, FIRST)

    said, complaint = _run("rotate", "--json")

    row = f"imputation_signingkey {signing_key.pk}"
    assert json.loads(said) == {"rotated": 1, "current": 0, "undecryptable": [row]}
    assert complaint.startswith("exit 1: ")
    assert row in complaint
    assert foreign not in said + complaint
    signing_key.refresh_from_db()
    assert signing_key.encrypted == foreign
    credential.refresh_from_db()
    assert find_key(credential.encrypted) == fingerprints()[0]


def test_more_rows_than_a_batch_are_all_rotated(keys):
    services = [make_service(f"service {number}") for number in range(2)]
    users = [make_user(f"user {number}") for number in range(3)]
    token = encrypt("x")
    ServiceCredential.objects.bulk_create(
        ServiceCredential(
            service=services[number % 2],
            user=users[number % 3],
            job_id=uuid.UUID(int=number),
            kind=ServiceCredential.Kind.JOB_TOKEN,
            encrypted=token,
            created_at=NOW,
            updated_at=NOW,
        )
        for number in range(1_001)
    )
    keys(SECOND, FIRST)

    done = rotate_secrets()

    assert (done.rotated, done.current) == (1_001, 0)
    assert count_secrets().counts == dict(zip(fingerprints(), (1_001, 0), strict=True))


def test_list_counts_by_fingerprint_and_shows_no_key(rows, keys):
    keys(SECOND, FIRST)
    store_credential(
        service_id=make_service("EUR node").pk,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret="later",
        now=NOW,
    )
    second, first = fingerprints()

    text, complaint = _run("list")
    report = json.loads(_run("list", "--json")[0])

    assert text.splitlines() == [f"{second}  1 secret  (encrypts)", f"{first}  2 secrets"]
    assert complaint == ""
    assert report == {
        "keys": [{"fingerprint": second, "secrets": 1}, {"fingerprint": first, "secrets": 2}],
        "undecryptable": [],
    }
    for fingerprint in (first, second):
        assert len(fingerprint) == 8
        assert fingerprint not in FIRST + SECOND


def test_list_names_undecryptable_rows_and_fails(rows, keys):
    keys(THIRD)
    text, complaint = _run("list")
    assert text.splitlines() == [f"{fingerprints()[0]}  0 secrets  (encrypts)"]
    assert f"imputation_servicecredential {rows[0].pk}" in complaint
    assert f"imputation_signingkey {rows[1].pk}" in complaint


class _Interrupted(BaseException):
    """The process ends here, as far as the database can tell."""


def test_rotation_that_is_killed_at_any_statement_is_finished_by_the_next(rows, keys):
    """Statement by statement: run until the n-th, stop there, look, run again."""
    keys(SECOND, FIRST)
    statements = _count_statements(rotate_secrets)
    assert statements > 4
    for last in range(statements):
        for row, secret in zip(rows, ("pl41nt3xt", PEM), strict=True):
            type(row).objects.filter(pk=row.pk).update(
                encrypted=Fernet(FIRST).encrypt(secret.encode()).decode()
            )
        with connection.execute_wrapper(_stop_at(last)), pytest.raises(_Interrupted):
            rotate_secrets()
        assert _secrets_readable(rows)
        rotate_secrets()
        keys(SECOND)
        assert _secrets_readable(rows)
        keys(SECOND, FIRST)


def _count_statements(operation):
    count = 0

    def wrapper(execute, *arguments):
        nonlocal count
        count += 1
        return execute(*arguments)

    with connection.execute_wrapper(wrapper):
        operation()
    return count


def _stop_at(number):
    def wrapper(execute, *arguments):
        nonlocal number
        if number == 0:
            raise _Interrupted
        number -= 1
        return execute(*arguments)

    return wrapper


@pytest.mark.parametrize("writer_keys", [(SECOND, FIRST), (FIRST, SECOND)])
def test_secret_stored_during_the_rotation_is_never_overwritten(rows, keys, writer_keys):
    """Another process stores a new token between the read of a row and its update."""
    credential, _ = rows
    keys(SECOND, FIRST)
    is_written = False

    def wrapper(execute, sql, *arguments):
        nonlocal is_written
        if sql.startswith("UPDATE") and not is_written:
            is_written = True
            keys(*writer_keys)
            store_credential(
                service_id=credential.service_id,
                kind=ServiceCredential.Kind.API_TOKEN,
                secret="newer",
                now=NOW,
            )
            keys(SECOND, FIRST)
        return execute(sql, *arguments)

    with connection.execute_wrapper(wrapper):
        rotate_secrets()

    assert is_written
    keys(SECOND)
    assert reveal_credential(service_id=credential.service_id, now=NOW) == "newer"


def test_row_deleted_during_the_rotation_is_passed_over(rows, keys):
    keys(SECOND, FIRST)

    def wrapper(execute, sql, *arguments):
        if sql.startswith("UPDATE"):
            ServiceCredential.objects.all().delete()
        return execute(sql, *arguments)

    with connection.execute_wrapper(wrapper):
        done = rotate_secrets()

    assert (done.rotated, done.undecryptable) == (1, ())
    assert not ServiceCredential.objects.exists()
