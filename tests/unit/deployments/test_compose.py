"""docker-compose.yml says the same as the table of deployments."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from federated_imputation.deployments import DEPLOYMENTS, Deployment

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
IMAGES_OF_OTHERS = {"postgres", "redis"}


def _block(deployment: Deployment, process: str) -> Any:
    name = deployment.name if process == "web" else f"{deployment.name}-{process}"
    return COMPOSE["services"][name]


PROCESSES = [
    (deployment, process) for deployment in DEPLOYMENTS for process in deployment.processes
]
IDS = [f"{deployment.name}-{process}" for deployment, process in PROCESSES]


def test_compose_has_a_block_for_every_process_and_no_other():
    expected = {
        deployment.name if process == "web" else f"{deployment.name}-{process}"
        for deployment, process in PROCESSES
    }
    assert set(COMPOSE["services"]) - IMAGES_OF_OTHERS == expected


@pytest.mark.parametrize(("deployment", "process"), PROCESSES, ids=IDS)
def test_a_block_runs_its_deployment_on_its_own_database(deployment, process):
    environment = _block(deployment, process)["environment"]
    assert environment["DEPLOYMENT"] == deployment.name
    assert environment["ENVIRONMENT"] == "production"
    url = environment[f"{deployment.env_prefix}_DATABASE_URL"]
    assert url.endswith(f"/{deployment.database}")
    others = {d.env_prefix for d in DEPLOYMENTS} - {deployment.env_prefix}
    assert not [name for name in environment for other in others if name.startswith(f"{other}_")]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d.name)
def test_only_the_web_process_is_published_and_on_loopback(deployment):
    assert _block(deployment, "web")["ports"] == [f"127.0.0.1:{deployment.port}:8000"]
    for process in set(deployment.processes) - {"web"}:
        assert "ports" not in _block(deployment, process)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d.name)
def test_a_database_belongs_to_one_role_and_is_closed_to_others(deployment):
    sql = COMPOSE["configs"]["databases"]["content"]
    role = deployment.env_prefix.lower()
    assert f"CREATE DATABASE {deployment.database} OWNER {role};" in sql
    assert f"REVOKE CONNECT ON DATABASE {deployment.database} FROM PUBLIC;" in sql


def test_every_secret_must_be_given():
    """No block holds a value for a secret, and compose stops when one is missing."""
    text = (ROOT / "docker-compose.yml").read_text()
    references = re.findall(r"\$\{([^}]*)\}", text)
    assert references
    may_be_empty = {"TRUSTED_PROXIES?"}
    needed = set(references) - may_be_empty
    assert [reference for reference in needed if not reference.endswith(":?")] == []
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEYS|URL$", name):
                assert "${" in value, name


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d.name)
def test_somebody_says_which_proxy_a_deployment_trusts(deployment):
    """Compose stops when nobody does; nothing but empty text says that there is none."""
    for process in deployment.processes:
        environment = _block(deployment, process)["environment"]
        assert environment["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES?}"


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d.name)
def test_a_deployment_answers_to_the_names_by_which_others_call_it(deployment):
    block = _block(deployment, "web")
    hosts = block["environment"]["ALLOWED_HOSTS"].split(",")
    assert set(re.findall(r"http://([^:/]+):8000/", block["healthcheck"]["test"][-1])) <= set(hosts)
    called = COMPOSE["services"]["monolith"]["environment"]["GUARDED_HTTP_ALLOW"].split(",")
    assert {target.removesuffix(":8000") for target in called} <= set(hosts)


def test_no_path_of_a_request_is_logged():
    """That of a node's download is the only key to the file."""
    command = (ROOT / "Dockerfile").read_text().rpartition("\nCMD ")[2].replace("\\\n", "")
    assert "--no-access-log" in json.loads(command)


def test_the_stores_are_not_published():
    for name in IMAGES_OF_OTHERS:
        assert "ports" not in COMPOSE["services"][name]
