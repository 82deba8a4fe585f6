"""A role owns its database and can connect to no other, on the real server."""

import secrets

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from federated_imputation.platform.databases import OwnedDatabase, provision, statements


@pytest.fixture
def superuser():
    given = settings.DATABASES["default"]
    return (
        f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/postgres"
    )


@pytest.fixture
def pair(superuser):
    """Two databases as two deployments have them."""
    mark = secrets.token_hex(4)
    made = [
        OwnedDatabase(name=f"{word}_db_{mark}", role=f"{word}_{mark}", password=f"secret-{word}")
        for word in ("one", "other")
    ]
    provision(superuser, made)
    yield made
    with psycopg.connect(superuser, autocommit=True) as connection:
        for database in made:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name))
            )
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(database.role)))


def connect(superuser: str, as_owner_of: OwnedDatabase, to: str) -> psycopg.Connection:
    return psycopg.connect(
        superuser, user=as_owner_of.role, password=as_owner_of.password, dbname=to
    )


def test_an_owner_may_do_everything_in_its_own_database(superuser, pair):
    one, _ = pair
    with connect(superuser, one, one.name) as connection:
        connection.execute("CREATE TABLE mine (id int)")
        connection.execute("DROP TABLE mine")


@pytest.mark.parametrize("target", ["other", "postgres", "template1"])
def test_a_role_connects_to_no_other_database(superuser, pair, target):
    one, other = pair
    name = other.name if target == "other" else target
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        connect(superuser, one, name)


def test_a_role_may_not_make_roles_or_databases(superuser, pair):
    one, _ = pair
    with connect(superuser, one, one.name) as connection:
        connection.autocommit = True
        for statement in ("CREATE ROLE evil", "CREATE DATABASE evil"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_provisioning_again_keeps_the_data_and_takes_a_new_password(superuser, pair):
    one, other = pair
    with connect(superuser, one, one.name) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    renewed = OwnedDatabase(name=one.name, role=one.role, password="renewed")
    provision(superuser, [renewed, other])
    with connect(superuser, renewed, one.name) as connection:
        connection.execute("SELECT * FROM kept")
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(superuser, one, one.name)


def test_statements_create_only_what_is_missing():
    database = OwnedDatabase(name='odd"name', role="owner", password="never shown")
    fresh = [s.as_string() for s in statements(database, verifier="v", **_there(False))]
    again = [s.as_string() for s in statements(database, verifier="v", **_there(True))]
    assert [line.split(" ")[0] for line in fresh] == ["CREATE", "CREATE", "REVOKE"]
    assert [line.split(" ")[0] for line in again] == ["ALTER", "REVOKE"]
    assert '"odd""name"' in fresh[1]
    assert "never shown" not in repr(database) + "".join(fresh + again)


def _there(exists: bool) -> dict[str, bool]:
    return {"role_exists": exists, "database_exists": exists}
