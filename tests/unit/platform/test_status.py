"""What people and programs are told."""

import pytest

from federated_imputation.deployments import DEPLOYMENTS
from federated_imputation.platform.health import (
    Health,
    ProcessHealth,
    has_heartbeat,
    overall,
    process_health,
)
from federated_imputation.platform.layout import Layout
from federated_imputation.platform.records import Failure
from federated_imputation.platform.state import PlatformState
from federated_imputation.platform.status import (
    DeploymentStatus,
    ProcessStatus,
    Status,
    as_json,
    as_table,
    read_status,
)


@pytest.mark.parametrize(
    ("is_alive", "is_working", "age", "health"),
    [
        (True, True, 1, "healthy"),
        (True, True, 9999, "healthy"),
        (True, False, 29, "starting"),
        (True, False, 31, "unhealthy"),
        (False, False, 1, "unhealthy"),
        (False, True, 1, "unhealthy"),
    ],
)
def test_health_of_a_process(is_alive, is_working, age, health):
    process = ProcessHealth(is_alive=is_alive, is_working=is_working, age=age)
    assert process_health(process) == health


def test_a_deployment_is_as_healthy_as_its_worst_process():
    parts: list[Health] = ["healthy", "starting", "unhealthy"]
    assert overall(parts[:1]) == "healthy"
    assert overall(parts[:2]) == "starting"
    assert overall(parts) == "unhealthy"
    assert overall([]) == "stopped"


def test_a_heartbeat_grows_old(tmp_path):
    path = tmp_path / "x.heartbeat"
    assert not has_heartbeat(path, continuous=False, now=0)
    path.touch()
    touched = path.stat().st_mtime
    assert has_heartbeat(path, continuous=True, now=touched + 14)
    assert not has_heartbeat(path, continuous=True, now=touched + 16)
    assert has_heartbeat(path, continuous=False, now=touched + 16)


def test_without_a_platform_everything_is_stopped(tmp_path):
    told = as_json(read_status(PlatformState(tmp_path), Layout(offset=3)))
    assert list(told) == ["deployments"]
    assert [row["name"] for row in told["deployments"]] == [d.name for d in DEPLOYMENTS]
    for row, deployment in zip(told["deployments"], DEPLOYMENTS, strict=True):
        assert list(row) == ["name", "url", "pid", "health", "database"]
        assert row["url"] == f"http://127.0.0.1:{deployment.port + 3}"
        assert (row["pid"], row["health"]) == (None, "stopped")
        assert row["database"] == {
            "host": "127.0.0.1",
            "port": 15435,
            "name": deployment.database,
        }


def test_the_table_shows_who_failed_and_its_last_words():
    failure = Failure(at="2026-01-01T10:00:00+00:00", what="ended by SIGKILL", tail="a\nb\nlast")
    status = Status(
        deployments=(
            DeploymentStatus(
                name="web", url="http://127.0.0.1:1", pid=7, health="unhealthy", database=None
            ),
        ),
        processes=(
            ProcessStatus(name="web", pid=7, health="healthy", restarts=0, failure=None),
            ProcessStatus(
                name="web-worker", pid=None, health="unhealthy", restarts=2, failure=failure
            ),
        ),
    )
    table = as_table(status)
    assert "web         http://127.0.0.1:1  unhealthy  7" in table
    assert "web-worker  " in table
    assert "web-worker ended by SIGKILL at 2026-01-01T10:00:00+00:00" in table
    assert table.endswith("last")
    assert as_json(status)["deployments"][0]["database"] is None
