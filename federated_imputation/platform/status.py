"""What runs now: for people as a table, for programs as JSON."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from federated_imputation.deployments import Deployment
from federated_imputation.platform.environment import read_environment
from federated_imputation.platform.health import (
    Health,
    ProcessHealth,
    has_heartbeat,
    is_ready,
    overall,
    process_health,
)
from federated_imputation.platform.layout import Layout, process_name
from federated_imputation.platform.records import Failure, PlatformRecord, read_record
from federated_imputation.platform.state import PlatformState

__all__ = ["DeploymentStatus", "ProcessStatus", "Status", "as_json", "as_table", "read_status"]

_SHOWN_TAIL_LINES: Final = 5


@dataclass(frozen=True, kw_only=True)
class DatabaseAddress:
    host: str
    port: int
    name: str


@dataclass(frozen=True, kw_only=True)
class DeploymentStatus:
    """One row of the table of deployments; its health is that of its worst process."""

    name: str
    url: str
    pid: int | None
    health: Health
    database: DatabaseAddress | None


@dataclass(frozen=True, kw_only=True)
class ProcessStatus:
    """A process besides the web processes, or one that has failed since `up`."""

    name: str
    pid: int | None
    health: Health
    restarts: int
    failure: Failure | None


@dataclass(frozen=True, kw_only=True)
class Status:
    deployments: tuple[DeploymentStatus, ...]
    processes: tuple[ProcessStatus, ...]


def read_status(state: PlatformState, layout: Layout, *, now: float | None = None) -> Status:
    """Ask every process; takes as long as the slowest answer, at most a few seconds."""
    record = read_record(state)
    if record is not None and not record.supervisor.is_alive:
        record = None  # it was killed, and everything with it
    moment = time.time() if now is None else now
    with ThreadPoolExecutor() as pool:
        working = {
            deployment.name: pool.submit(is_ready, layout.port(deployment))
            for deployment in layout.deployments
            if record is not None
        }
    ready = {name: probe.result() for name, probe in working.items()}
    processes = tuple(_processes(record, state=state, ready=ready, now=moment))
    return Status(
        deployments=tuple(
            DeploymentStatus(
                name=deployment.name,
                url=layout.url(deployment),
                pid=next((p.pid for p in processes if p.name == deployment.name), None),
                health=_health(deployment, processes, is_up=record is not None),
                database=_database(deployment, state=state, layout=layout),
            )
            for deployment in layout.deployments
        ),
        processes=processes,
    )


def as_json(status: Status) -> dict[str, Any]:
    """`{"deployments": [{"name", "url", "pid", "health", "database"}]}`."""
    return {
        "deployments": [
            {
                "name": row.name,
                "url": row.url,
                "pid": row.pid,
                "health": row.health,
                "database": row.database
                and {
                    "host": row.database.host,
                    "port": row.database.port,
                    "name": row.database.name,
                },
            }
            for row in status.deployments
        ]
    }


def as_table(status: Status) -> str:
    """The deployments, then the processes behind them, then what went wrong."""
    rows = [("DEPLOYMENT", "ADDRESS", "HEALTH", "PID", "DATABASE")]
    rows += [
        (
            row.name,
            row.url,
            row.health,
            str(row.pid or "-"),
            f"{row.database.name} on {row.database.host}:{row.database.port}"
            if row.database
            else "-",
        )
        for row in status.deployments
    ]
    names = {row.name for row in status.deployments}
    behind = [process for process in status.processes if process.name not in names]
    text = _aligned(rows)
    if behind:
        header = [("PROCESS", "", "HEALTH", "PID", "")]
        text += "\n\n" + _aligned(
            header + [(p.name, "", p.health, str(p.pid or "-"), "") for p in behind]
        )
    for process in status.processes:
        if process.failure is not None:
            tail = "\n".join(process.failure.tail.splitlines()[-_SHOWN_TAIL_LINES:])
            text += (
                f"\n\n{process.name} {process.failure.what} at {process.failure.at} "
                f"(restarts since `up`: {process.restarts}). Its log ended:\n{tail}"
            )
    return text


def _processes(
    record: PlatformRecord | None, *, state: PlatformState, ready: dict[str, bool], now: float
) -> list[ProcessStatus]:
    found = []
    for process in record.processes if record is not None else ():
        if process.name in ready:
            is_working = ready[process.name]
        elif process.name.endswith("-worker"):
            heartbeat = state.heartbeat(process.name)
            is_working = has_heartbeat(heartbeat, continuous=True, now=now)
        elif process.name.endswith("-beat"):
            is_working = has_heartbeat(state.heartbeat(process.name), continuous=False, now=now)
        else:
            is_working = True  # the servers and the zygote show in those that need them
        is_alive = process.is_alive
        health = ProcessHealth(is_alive=is_alive, is_working=is_working, age=now - process.since)
        found.append(
            ProcessStatus(
                name=process.name,
                pid=process.pid if is_alive else None,
                health=process_health(health),
                restarts=process.restarts,
                failure=process.failure,
            )
        )
    return found


def _health(deployment: Deployment, processes: Sequence[ProcessStatus], *, is_up: bool) -> Health:
    if not is_up:
        return "stopped"
    by_name = {process.name: process.health for process in processes}
    names = (process_name(deployment, program) for program in deployment.processes)
    return overall(by_name.get(name, "starting") for name in names)


def _database(
    deployment: Deployment, *, state: PlatformState, layout: Layout
) -> DatabaseAddress | None:
    if deployment.database is None:
        return None
    dsn = read_environment(state, deployment.name).get(f"{deployment.env_prefix}_DATABASE_URL")
    if dsn is None:
        return DatabaseAddress(
            host="127.0.0.1", port=layout.postgres_port, name=deployment.database
        )
    parts = urlsplit(dsn)
    return DatabaseAddress(
        host=parts.hostname or "", port=parts.port or 5432, name=parts.path.removeprefix("/")
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
