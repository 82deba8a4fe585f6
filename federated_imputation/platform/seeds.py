"""Which data the platform puts where. Only our own servers are ever seeded.

A node's panel and the monolith's legacy rows are loaded by their own idempotent commands. The
monolith's are loaded only into a database that had no tables when `up` found it, and that is
noted until all seeds are loaded, so that an interrupted `up` is made good by the next one. The
monolith's command leaves a mark in the database itself: without it, as in one that an operator
has restored from a legacy dump, nothing is added ever.
"""

from pathlib import Path
from typing import Final

import psycopg

from federated_imputation.deployments import Deployment, by_name
from federated_imputation.platform.environment import read_environment
from federated_imputation.platform.layout import Layout
from federated_imputation.platform.state import PlatformState

__all__ = ["demonstration_commands", "note_complete", "setup_commands"]

_MONOLITH: Final = by_name("monolith")
_IS_EMPTY: Final = "SELECT NOT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public')"
_CAN_BE_MARKED: Final = "SELECT to_regclass('public.imputation_auditlog') IS NOT NULL"
_IS_MARKED: Final = """
    SELECT EXISTS (
        SELECT FROM imputation_auditlog
        WHERE action = 'system_config' AND resource_id = 'seed legacy'
    )
"""


def setup_commands(
    deployment: Deployment, *, state: PlatformState, layout: Layout
) -> list[list[str]]:
    """Management commands that fill a deployment's database after `migrate`.

    Must be asked before `migrate`, which ends the database's being empty.
    """
    if deployment not in layout.embedded:
        return []
    if deployment in layout.nodes:
        kit = deployment.name.rpartition("-")[2].upper()
        credentials = str(state.credentials(deployment.name).resolve())
        url = layout.url(deployment)
        return [["node", "seed", "--kit", kit, "--credentials", credentials, "--url", url]]
    if deployment == _MONOLITH:
        if _holds(state, _IS_EMPTY):
            _unfinished(state).touch()
        if _unfinished(state).is_file():
            password = str(state.admin_password.resolve())
            return [["seed", "legacy", "--admin-password-file", password]]
    return []


def demonstration_commands(
    *, state: PlatformState, layout: Layout
) -> dict[Deployment, list[list[str]]]:
    """What registers our nodes at the monolith; repeated at each `up`, since ports may move."""
    nodes = [node for node in layout.nodes if node in layout.embedded]
    if not nodes or _MONOLITH not in layout.embedded:
        return {}
    if not (_holds(state, _CAN_BE_MARKED) and _holds(state, _IS_MARKED)):
        return {}
    command = ["seed", "demo"]
    for node in nodes:
        command += ["--node", str(state.credentials(node.name).resolve())]
    return {_MONOLITH: [command]}


def note_complete(*, state: PlatformState) -> None:
    """Everything is seeded."""
    _unfinished(state).unlink(missing_ok=True)


def _holds(state: PlatformState, question: str) -> bool:
    variables = read_environment(state, _MONOLITH.name)
    dsn = variables[f"{_MONOLITH.env_prefix}_DATABASE_URL"]
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        row = connection.execute(question).fetchone()
    return row is not None and bool(row[0])


def _unfinished(state: PlatformState) -> Path:
    return state.root / "monolith-seeds-unfinished"
