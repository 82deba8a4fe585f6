"""Nothing is ever seeded into a server or a database that is not ours."""

import secrets

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from federated_imputation.deployments import DEPLOYMENTS, by_name
from federated_imputation.platform.environment import write_environments
from federated_imputation.platform.layout import Layout
from federated_imputation.platform.seeds import (
    demonstration_commands,
    note_complete,
    setup_commands,
)
from federated_imputation.platform.state import PlatformState

MONOLITH, NODE = by_name("monolith"), by_name("node-eur")
LAYOUT = Layout()


@pytest.fixture
def database():
    """An empty database on the test server, and its address."""
    given = settings.DATABASES["default"]
    server = f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}"
    name = f"seeds_{secrets.token_hex(4)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield f"{server}/{name}"
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@pytest.fixture
def state(tmp_path, database):
    """A platform whose monolith uses `database`."""
    for folder in ("env", "data", "secrets"):
        (tmp_path / folder).mkdir()
    state = PlatformState(tmp_path)
    write_environments(state, Layout(external_databases={"monolith": database}), given={})
    return state


def execute(database: str, statement: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(statement)


def legacy_seeds(state: PlatformState) -> list[str]:
    return [line[1] for line in setup_commands(MONOLITH, state=state, layout=LAYOUT)]


AUDIT_LOG = "CREATE TABLE imputation_auditlog (action text, resource_id text)"
MARK = "INSERT INTO imputation_auditlog VALUES ('system_config', 'seed legacy')"


def test_an_empty_database_is_seeded_until_that_is_complete(state, database):
    assert legacy_seeds(state) == ["legacy"]
    execute(database, AUDIT_LOG)  # migrated, then interrupted
    assert legacy_seeds(state) == ["legacy"]
    execute(database, MARK)
    note_complete(state=state)
    assert legacy_seeds(state) == []


def test_a_database_with_somebodys_data_is_left_alone(state, database):
    execute(database, AUDIT_LOG)
    assert legacy_seeds(state) == []
    assert demonstration_commands(state=state, layout=LAYOUT) == {}


def test_our_nodes_are_registered_whenever_the_database_is_ours(state, database):
    assert demonstration_commands(state=state, layout=LAYOUT) == {}
    execute(database, AUDIT_LOG)
    execute(database, MARK)
    [command] = demonstration_commands(state=state, layout=LAYOUT)[MONOLITH]
    files = [str(state.credentials(node.name)) for node in LAYOUT.nodes]
    assert command == ["seed", "demo", "--node", files[0], "--node", files[1]]


def test_external_databases_are_never_seeded(state, database):
    external = Layout(external_databases={d.name: database for d in DEPLOYMENTS})
    for deployment in DEPLOYMENTS:
        assert setup_commands(deployment, state=state, layout=external) == []
    assert demonstration_commands(state=state, layout=external) == {}


def test_a_node_gets_the_panel_of_its_name_at_its_own_address(state):
    [command] = setup_commands(NODE, state=state, layout=Layout(offset=4))
    credentials = str(state.credentials("node-eur"))
    assert command[:4] == ["node", "seed", "--kit", "EUR"]
    assert command[4:] == ["--credentials", credentials, "--url", "http://127.0.0.1:8035"]
