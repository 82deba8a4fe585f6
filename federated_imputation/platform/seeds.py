"""Which data the platform puts where. Only our own servers are ever seeded.

A node's panel and the monolith's legacy rows are loaded by their own idempotent commands. The
monolith's are loaded only into a database that was empty when we first saw it: one that an
operator has restored from a legacy dump stays as it is. That decision is kept in the state until
the seeds are complete, so that an interrupted `up` is made good by the next one.
"""

import secrets
from pathlib import Path
from typing import Final, Literal

from federated_imputation.deployments import Deployment, by_name
from federated_imputation.platform.databases import is_empty
from federated_imputation.platform.environment import read_environment
from federated_imputation.platform.layout import Layout
from federated_imputation.platform.state import PlatformState, write_private

__all__ = ["demonstration_commands", "note_complete", "setup_commands"]

_Seeds = Literal["pending", "done", "not ours"]
_MONOLITH: Final = by_name("monolith")


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
    if deployment == _MONOLITH and _decide(state) == "pending":
        if not state.admin_password.is_file():
            write_private(state.admin_password, secrets.token_urlsafe(18) + "\n")
        return [["seed", "legacy", "--admin-password-file", str(state.admin_password.resolve())]]
    return []


def demonstration_commands(
    *, state: PlatformState, layout: Layout
) -> dict[Deployment, list[list[str]]]:
    """What registers our nodes at the monolith; repeated at each `up`, since ports may move."""
    nodes = [node for node in layout.nodes if node in layout.embedded]
    if _MONOLITH not in layout.embedded or _read(state) in {None, "not ours"} or not nodes:
        return {}
    command = ["seed", "demo"]
    for node in nodes:
        command += ["--node", str(state.credentials(node.name).resolve())]
    return {_MONOLITH: [command]}


def note_complete(*, state: PlatformState) -> None:
    """Everything is seeded: what an operator deletes from now on stays deleted."""
    if _read(state) == "pending":
        write_private(_path(state), "done")


def _decide(state: PlatformState) -> _Seeds:
    variables = read_environment(state, _MONOLITH.name)
    if is_empty(variables[f"{_MONOLITH.env_prefix}_DATABASE_URL"]):
        write_private(_path(state), "pending")
    elif _read(state) is None:
        write_private(_path(state), "not ours")
    return _read(state) or "pending"


def _read(state: PlatformState) -> _Seeds | None:
    try:
        word = _path(state).read_text()
    except FileNotFoundError:
        return None
    return "pending" if word == "pending" else "done" if word == "done" else "not ours"


def _path(state: PlatformState) -> Path:
    return state.root / "monolith-seeds"
