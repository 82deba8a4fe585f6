"""What Django itself would object to in production: nothing, in any deployment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from federated_imputation.deployments import DEPLOYMENTS, Deployment

ROOT = Path(__file__).resolve().parents[3]
SETTINGS_OF = {deployment.settings: deployment for deployment in DEPLOYMENTS}


def run(deployment: Deployment, *line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    prefix = deployment.env_prefix
    environment = {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "production",
        "DEPLOYMENT": deployment.name,
        "ALLOWED_HOSTS": "imputation.example.org",
        "REDIS_URL": "redis://:hunter2-long-enough@127.0.0.1:1/0",
        "FIELD_ENCRYPTION_KEYS": "c2VjcmV0LWtleS1vZi0zMi1ieXRlcy1mb3ItdGVzdHM=",
        "TOKEN_DIGEST_KEY": "Ue8Rt-5yWq3Po7Ik1Mn9Bv4Cx6Za2Sd0LfGh7Jk8Ql9We0Rt1Yu2Io3Pa4Sd",
        f"{prefix}_SECRET_KEY": "k7Qm-2vXw9Zr4Tn8Lp6Yb3Hc5Jd1Fg0SaZx6Cv7Bn8Mq9We0Er1Ty2Ui3Op",
        f"{prefix}_DATABASE_URL": "postgres://role:hunter2-long-enough@127.0.0.1:1/none",
        **variables,
    }
    return subprocess.run(
        [sys.executable, *line],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("settings", sorted(SETTINGS_OF))
def test_django_has_no_objection_to_a_deployment(settings):
    check = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    done = run(SETTINGS_OF[settings], *check)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


@pytest.mark.parametrize("settings", sorted(SETTINGS_OF))
def test_production_speaks_tls_to_browsers(settings):
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY")
    show = f"from django.conf import settings as s; print([getattr(s, n) for n in {names}])"
    more = "; print(s.SESSION_COOKIE_SAMESITE, s.SECURE_HSTS_SECONDS >= 31536000, s.DEBUG)"
    done = run(
        SETTINGS_OF[settings], "manage.py", "shell", "--no-imports", "--command", show + more
    )
    assert done.stdout.split("\n")[:2] == ["[True, True, True]", "Lax True False"], done.stderr


@pytest.mark.parametrize("word", ["10.0.0.256", "10.0.0.1/8", "proxy.example.org", "10.0.0.0/33"])
@pytest.mark.parametrize("name", ["TRUSTED_PROXIES", "METRICS_ALLOW"])
def test_a_start_with_a_wrong_network_names_it(name, word):
    deployment = SETTINGS_OF["monolith"]
    done = run(deployment, "manage.py", "check", **{name: f"127.0.0.1,{word}"})
    assert done.returncode != 0
    assert f"{name} holds '{word}', which is no address and no network" in done.stderr
