"""Each deployment boots alone, under its own settings, and refuses to start without its secrets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from federated_imputation import deployments
from federated_imputation.deployments import DEPLOYMENTS

ROOT = Path(__file__).resolve().parents[3]
DEPLOYABLES = {
    "monolith": "federated_imputation.monolith",
    "node": "apps.node",
    "proxy": "strangler_proxy",
    "migration": "migrations_to_services",
}


def _run(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d.name)
def test_a_deployment_boots_with_nobody_elses_code(deployment):
    code = (
        "import sys, django; from django.conf import settings; django.setup();"
        "from django.core.management import call_command; call_command('check');"
        "__import__(settings.ROOT_URLCONF); print('\\n'.join(sorted(sys.modules)))"
    )
    done = _run(
        code,
        {
            "ENVIRONMENT": "check",
            "DEPLOYMENT": deployment.name,
            "DJANGO_SETTINGS_MODULE": deployment.settings_module,
        },
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    for settings, package in DEPLOYABLES.items():
        foreign = {m for m in loaded if m == package or m.startswith(f"{package}.")}
        assert settings == deployment.settings or not foreign


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d.name)
def test_production_refuses_to_start_and_names_every_missing_variable(deployment):
    done = _run(
        f"import {deployment.settings_module}",
        {"ENVIRONMENT": "production", "DEPLOYMENT": deployment.name},
    )
    assert done.returncode != 0
    message = done.stderr.strip().splitlines()[-1]
    for name in ("SECRET_KEY", "DATABASE_URL"):
        assert f"{deployment.env_prefix}_{name}" in message
    assert "REDIS_URL" in message
    if deployment.name == "monolith":
        assert "FIELD_ENCRYPTION_KEYS" in message


def test_names_ports_and_databases_are_unique_and_ports_can_be_shifted():
    for values in (
        [d.name for d in DEPLOYMENTS],
        [d.port for d in DEPLOYMENTS],
        [d.database for d in DEPLOYMENTS if d.database],
    ):
        assert len(values) == len(set(values))
    assert all(1024 < d.port < 30_000 for d in DEPLOYMENTS)


def test_an_unknown_deployment_is_refused_with_those_that_exist():
    with pytest.raises(LookupError, match=r"no deployment 'nope'.*monolith"):
        deployments.by_name("nope")


def test_development_files_are_not_read_when_the_environment_is_given(tmp_path):
    """A production process on a developer's machine never falls back to development secrets."""
    done = _run(
        "from federated_imputation.settings import env; print(env.ENVIRONMENT, env.IS_DEVELOPMENT)",
        {"ENVIRONMENT": "production", "DEPLOYMENT": "monolith", "PLATFORM_STATE": str(tmp_path)},
    )
    assert done.stdout.split() == ["production", "False"]
