"""One platform of real processes: started, killed piece by piece, stopped, deleted."""

import http.client
import json
import os
import select
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from federated_imputation.deployments import DEPLOYMENTS
from federated_imputation.platform.records import read_record
from federated_imputation.platform.state import CHECKOUT, PlatformState
from tests.platforms import OwnPlatform, own_platform

pytestmark = pytest.mark.timeout(300)

WEB = [deployment.name for deployment in DEPLOYMENTS]
PROCESSES = [*WEB, "monolith-worker", "monolith-beat", "postgres", "valkey", "zygote"]
RECOVERY_SECONDS = 45.0


@pytest.fixture(scope="module")
def shared() -> Iterator[OwnPlatform]:
    with own_platform() as platform:
        yield platform


@pytest.fixture
def platform(shared: OwnPlatform) -> OwnPlatform:
    """The shared platform, running whatever the test before did to it."""
    shared.up()
    return shared


def state_of(platform: OwnPlatform) -> PlatformState:
    return PlatformState(CHECKOUT / platform.environment["PLATFORM_STATE"])


def say(platform: OwnPlatform, *arguments: str) -> str:
    """Standard output of a command that must succeed."""
    done = platform.manage(*arguments, seconds=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def refused(platform: OwnPlatform, *arguments: str) -> str:
    """Standard error of a command that must not succeed."""
    done = platform.manage(*arguments, seconds=120)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def deployments(platform: OwnPlatform) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(say(platform, "status", "--json"))["deployments"]
    return rows


def healths(platform: OwnPlatform) -> set[str]:
    return {row["health"] for row in deployments(platform)}


def pid_of(platform: OwnPlatform, process: str) -> int | None:
    record = read_record(state_of(platform))
    if record is None:
        return None
    found = record.supervisor if process == "supervisor" else record.process(process)
    return found.pid if found is not None and found.is_alive else None


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + RECOVERY_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def environment(platform: OwnPlatform, **settings: str) -> OwnPlatform:
    return OwnPlatform(environment={**platform.environment, **settings})


def test_up_makes_everything_healthy_and_status_names_it(platform: OwnPlatform):
    told = json.loads(say(platform, "status", "--json"))
    assert list(told) == ["deployments"]
    assert [row["name"] for row in told["deployments"]] == WEB
    for row, deployment in zip(told["deployments"], DEPLOYMENTS, strict=True):
        assert list(row) == ["name", "url", "pid", "health", "database"]
        assert row["health"] == "healthy"
        assert row["pid"] == pid_of(platform, deployment.name)
        assert list(row["database"]) == ["host", "port", "name"]
        assert row["database"]["name"] == deployment.database
        with urllib.request.urlopen(f"{row['url']}/readyz", timeout=10) as answer:
            assert answer.status == 200
    table = say(platform, "status")
    assert all(name in table for name in PROCESSES)


def test_up_again_changes_nothing(platform: OwnPlatform):
    before = {name: pid_of(platform, name) for name in PROCESSES}
    said = say(platform, "up")
    assert all(row["url"] in said for row in deployments(platform))
    assert before == {name: pid_of(platform, name) for name in PROCESSES}
    assert None not in before.values()


@pytest.mark.parametrize("process", PROCESSES)
def test_a_killed_process_is_restarted_and_all_recover(platform: OwnPlatform, process: str):
    before = pid_of(platform, process)
    assert before is not None
    heartbeat = state_of(platform).heartbeat("monolith-worker")
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: pid_of(platform, process) not in {None, before})
    restarted = time.time()
    assert eventually(lambda: healths(platform) == {"healthy"})
    if process in {"monolith-worker", "valkey"}:  # the worker takes tasks again
        assert eventually(lambda: heartbeat.is_file() and heartbeat.stat().st_mtime > restarted)
    assert f"{process} ended by SIGKILL" in say(platform, "status")
    assert f"{process} ended by SIGKILL" in say(platform, "logs", "supervisor")


def test_nothing_outlives_a_killed_supervisor_and_up_starts_afresh(platform: OwnPlatform):
    before = read_record(state_of(platform))
    supervisor = pid_of(platform, "supervisor")
    assert before is not None
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    assert eventually(lambda: not any(process.is_alive for process in before.processes))
    assert healths(platform) == {"stopped"}
    platform.up()
    assert healths(platform) == {"healthy"}


def test_down_stops_everything_and_is_harmless_twice(platform: OwnPlatform):
    running = read_record(state_of(platform))
    assert running is not None
    assert "stopped" in say(platform, "down")
    assert not any(process.is_alive for process in [running.supervisor, *running.processes])
    assert healths(platform) == {"stopped"}
    assert {row["pid"] for row in deployments(platform)} == {None}
    assert "not running" in say(platform, "down")


def test_reset_deletes_the_data_only_with_yes(platform: OwnPlatform):
    state = state_of(platform)
    folder = state.root.resolve()
    assert "--yes" in refused(platform, "reset")
    assert healths(platform) == {"healthy"}
    say(platform, "reset", "--yes")
    assert not state.root.exists()
    assert not folder.exists()
    assert healths(platform) == {"stopped"}


def test_each_role_connects_to_its_own_database_only(platform: OwnPlatform):
    dsns = {name: urlsplit(say(platform, "dsn", name)) for name in WEB}
    databases = {dsn.path for dsn in dsns.values()}
    assert len(databases) == len({dsn.username for dsn in dsns.values()}) == len(WEB)
    for dsn in dsns.values():
        for database in {*databases, "/postgres", "/template1"}:
            address = dsn._replace(path=database).geturl()
            if database == dsn.path:
                psycopg.connect(address, connect_timeout=10).close()
            else:
                with pytest.raises(psycopg.OperationalError, match="permission denied"):
                    psycopg.connect(address, connect_timeout=10)


def test_the_seeded_administrator_can_log_in_with_the_printed_password(platform: OwnPlatform):
    monolith = next(row for row in deployments(platform) if row["name"] == "monolith")
    credentials = {"username": "admin", "password": say(platform, "password")}
    request = urllib.request.Request(
        f"{monolith['url']}/api/auth/login/",
        data=json.dumps(credentials).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_a_connection_outlives_the_pause_of_a_program_that_asks_again(platform: OwnPlatform):
    address = urlsplit(next(row["url"] for row in deployments(platform)))
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    for _ in range(2):
        connection.request("GET", "/health/")
        assert connection.getresponse().read()
        kept = connection.sock
        assert kept is not None
        # What is to be read on an idle connection is its end.
        assert select.select([kept], [], [], 7) == ([], [], [])
    connection.close()


def test_the_nodes_are_registered_as_services_of_the_monolith(platform: OwnPlatform):
    urls = {row["url"] for row in deployments(platform) if row["name"].startswith("node-")}
    assert urls <= {str(url).rstrip("/") for url, _ in _services(platform)}


def test_a_database_without_our_mark_comes_through_a_restart_untouched(platform: OwnPlatform):
    """As if an operator had restored a legacy dump into the embedded server."""
    marked, other = "seed legacy", "somebody else's"
    assert _rename_mark(platform, marked, other) == 1
    before = _services(platform)
    say(platform, "down")
    platform.up()
    assert _services(platform) == before
    assert _rename_mark(platform, other, marked) == 1


def test_a_hold_is_applied_to_the_running_platform_and_lifted_by_the_next_up(
    platform: OwnPlatform,
):
    hold = state_of(platform).node_hold
    before = pid_of(platform, "node-afr")
    environment(platform, NODE_HOLD="imputation").up()
    assert hold.read_text().strip() == "imputation"
    platform.up()
    assert not hold.exists()
    assert pid_of(platform, "node-afr") == before
    assert "NODE_HOLD" in refused(environment(platform, NODE_HOLD="lunch"), "up")


def test_other_settings_than_the_running_ones_are_refused_by_name(platform: OwnPlatform):
    offset = int(platform.environment["PORT_OFFSET"]) + 1
    error = refused(environment(platform, PORT_OFFSET=str(offset)), "up")
    assert "PORT_OFFSET" in error
    assert "platform down" in error


def test_later_commands_need_no_offset(platform: OwnPlatform):
    bare = {k: v for k, v in platform.environment.items() if k != "PORT_OFFSET"}
    assert healths(OwnPlatform(environment=bare)) == {"healthy"}


def test_a_taken_port_is_named_before_anything_starts():
    with own_platform() as platform:
        port = 8010 + int(platform.environment["PORT_OFFSET"])
        with socket.create_server(("127.0.0.1", port)):
            error = refused(platform, "up")
        assert f"{port} (monolith)" in error
        assert "PORT_OFFSET" in error
        assert read_record(state_of(platform)) is None
        assert not state_of(platform).postgres.joinpath("data").exists()


def test_a_failed_start_shows_why_and_leaves_nothing_running():
    with own_platform(MONOLITH_DATABASE_URL="postgres://a:b@127.0.0.1:9/none") as platform:
        error = refused(platform, "up")
        assert "monolith-setup" in error
        assert "Connection refused" in error
        assert read_record(state_of(platform)) is None
        assert healths(platform) == {"stopped"}
        offset = int(platform.environment["PORT_OFFSET"])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", 15432 + offset)) != 0


def test_external_servers_are_used_migrated_and_never_seeded(platform: OwnPlatform):
    """The shared platform lends its servers to a second one, which starts none of its own."""
    with psycopg.connect(_superuser(platform), autocommit=True) as connection:
        for name in WEB:
            connection.execute(f'CREATE DATABASE "lent-{name}"')
    external = {
        f"{deployment.env_prefix}_DATABASE_URL": _superuser(platform, f"lent-{deployment.name}")
        for deployment in DEPLOYMENTS
    }
    own = state_of(platform)
    redis = f"redis://:{own.secret('valkey')}@127.0.0.1:{_port(platform, 16379)}/1"
    with own_platform(**external, REDIS_URL=redis) as borrower:
        borrower.up()
        assert healths(borrower) == {"healthy"}
        assert {row["database"]["name"] for row in deployments(borrower)} == {
            f"lent-{name}" for name in WEB
        }
        assert pid_of(borrower, "postgres") is None
        assert pid_of(borrower, "valkey") is None
        with psycopg.connect(external["MONOLITH_DATABASE_URL"]) as connection:
            counts = connection.execute(
                "SELECT (SELECT count(*) FROM auth_user),"
                " (SELECT count(*) FROM imputation_imputationservice)"
            ).fetchone()
        assert counts == (0, 0)
        assert "seeded" in refused(borrower, "password")


def test_commands_explain_what_they_cannot_do(platform: OwnPlatform):
    assert "node-afr" in refused(platform, "dsn", "nowhere")
    assert "monolith-worker" in refused(platform, "logs", "nothing")
    assert "monolith-worker" in say(platform, "logs")
    assert platform.manage("fly", seconds=60).returncode == 2


def _services(platform: OwnPlatform) -> list[tuple[Any, ...]]:
    with psycopg.connect(say(platform, "dsn", "monolith")) as connection:
        return connection.execute(
            "SELECT api_url, updated_at FROM imputation_imputationservice ORDER BY id"
        ).fetchall()


def _rename_mark(platform: OwnPlatform, old: str, new: str) -> int:
    trigger = "TRIGGER imputation_audit_no_update"  # else nobody may
    with psycopg.connect(say(platform, "dsn", "monolith")) as connection:
        connection.execute(f"ALTER TABLE imputation_auditlog DISABLE {trigger}")
        return connection.execute(
            "UPDATE imputation_auditlog SET resource_id = %s WHERE resource_id = %s", (new, old)
        ).rowcount


def _port(platform: OwnPlatform, base: int) -> int:
    return base + int(platform.environment["PORT_OFFSET"])


def _superuser(platform: OwnPlatform, database: str = "postgres") -> str:
    password = state_of(platform).secret("postgres")
    return f"postgres://platform:{password}@127.0.0.1:{_port(platform, 15432)}/{database}"
