"""A production start without its secrets, or with weak ones, is refused by every process."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from federated_imputation.deployments import DEPLOYMENTS, Deployment

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = ROOT / "federated_imputation" / "settings"
START = {
    "web": ("-m", "uvicorn", "federated_imputation.asgi:application", "--port", "1"),
    "worker": ("-m", "celery", "--app", "federated_imputation", "worker"),
    "beat": ("-m", "celery", "--app", "federated_imputation", "beat"),
    "command": ("manage.py", "check"),
}
SECRET_LIKE = re.compile(r"key|token|secret|passw|credential|_url$|allowed_hosts", re.IGNORECASE)
KEY = "k7Qm-2vXw9Zr4Tn8Lp6Yb3Hc5Jd1Fg0Sa"
OTHER_KEY = "Ue8Rt-5yWq3Po7Ik1Mn9Bv4Cx6Za2Sd0Lf"
FERNET_KEY = "c2VjcmV0LWtleS1vZi0zMi1ieXRlcy1mb3ItdGVzdHM="
PASSWORD = "hunter2-in-the-database-url"
PROCESSES = [
    (deployment, process)
    for deployment in DEPLOYMENTS
    for process in (*deployment.processes, "command")
]


def needed(deployment: Deployment) -> dict[str, str]:
    """What a production process of `deployment` cannot do without."""
    prefix = deployment.env_prefix
    variables = {
        f"{prefix}_SECRET_KEY": KEY,
        f"{prefix}_DATABASE_URL": f"postgres://role:{PASSWORD}@127.0.0.1:1/none",
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:1/0",
        "ALLOWED_HOSTS": "imputation.example.org",
    }
    if deployment.settings == "monolith":
        variables |= {"FIELD_ENCRYPTION_KEYS": FERNET_KEY, "TOKEN_DIGEST_KEY": OTHER_KEY}
    return variables


def start(
    deployment: Deployment, process: str, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *START[process]],
        env={
            "PATH": os.environ["PATH"],
            "ENVIRONMENT": "production",
            "DEPLOYMENT": deployment.name,
            **variables,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _refusal(deployment: Deployment, process: str, variables: dict[str, str]) -> str:
    """What a start says that must not succeed; none of the values that it was given is in it."""
    done = start(deployment, process, variables)
    said = done.stdout + done.stderr
    assert done.returncode not in {0, None}
    assert f"Deployment '{deployment.name}' cannot start." in said
    for name, value in variables.items():
        if name != "ALLOWED_HOSTS":
            assert not value or value not in said
    assert PASSWORD not in said
    return said.strip().splitlines()[-1]


def _names_in(refusal: str, deployment: Deployment) -> set[str]:
    return {name for name in needed(deployment) if name in re.findall(r"[A-Z_]{8,}", refusal)}


@pytest.mark.parametrize(
    ("deployment", "process"), PROCESSES, ids=lambda value: getattr(value, "name", value)
)
def test_process_refuses_to_start_and_names_everything_that_is_missing(deployment, process):
    refusal = _refusal(deployment, process, {})

    assert _names_in(refusal, deployment) == set(needed(deployment))


@pytest.mark.parametrize("absent", ["left out", "left empty"])
@pytest.mark.parametrize(
    ("deployment", "name"),
    [(deployment, name) for deployment in DEPLOYMENTS for name in needed(deployment)],
    ids=lambda value: getattr(value, "name", value),
)
def test_single_missing_variable_is_named_alone(deployment, name, absent):
    variables = needed(deployment)
    if absent == "left out":
        del variables[name]
    else:
        variables[name] = ""

    assert _names_in(_refusal(deployment, "command", variables), deployment) == {name}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment.name)
def test_complete_production_environment_starts(deployment):
    """So the others fail for the reason that they name."""
    code = f"import {deployment.settings_module}; print('started')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PATH": os.environ["PATH"],
            "ENVIRONMENT": "production",
            "DEPLOYMENT": deployment.name,
            **needed(deployment),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.stdout == "started\n", done.stderr


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"MONOLITH_SECRET_KEY": KEY[:31]}, "MONOLITH_SECRET_KEY is shorter than 32 characters"),
        ({"TOKEN_DIGEST_KEY": OTHER_KEY[:9]}, "TOKEN_DIGEST_KEY is shorter than 32 characters"),
        ({"TOKEN_DIGEST_KEY": KEY}, "TOKEN_DIGEST_KEY is the same as MONOLITH_SECRET_KEY"),
        ({"FIELD_ENCRYPTION_KEYS": KEY}, "value 1 of 1 is no Fernet key"),
        ({"FIELD_ENCRYPTION_KEYS": f"{FERNET_KEY}, {KEY}"}, "value 2 of 2 is no Fernet key"),
        ({"FIELD_ENCRYPTION_KEYS": " , "}, "Missing: FIELD_ENCRYPTION_KEYS"),
        ({"ALLOWED_HOSTS": " , "}, "Missing: ALLOWED_HOSTS"),
        (
            {"MONOLITH_DATABASE_URL": f"postgres://role:{PASSWORD}/x@127.0.0.1:1/none"},
            "MONOLITH_DATABASE_URL is no postgres://",
        ),
        (
            {"MONOLITH_DATABASE_URL": f"mysql://role:{PASSWORD}@127.0.0.1:1/none"},
            "MONOLITH_DATABASE_URL is no postgres://",
        ),
    ],
)
def test_unfit_value_is_named_and_never_shown(changes, complaint):
    monolith = next(d for d in DEPLOYMENTS if d.settings == "monolith")

    refusal = _refusal(monolith, "command", {**needed(monolith), **changes})

    assert complaint in refusal


def test_everything_unfit_and_missing_is_named_at_once():
    monolith = next(d for d in DEPLOYMENTS if d.settings == "monolith")
    variables = needed(monolith) | {
        "MONOLITH_SECRET_KEY": KEY[:31],
        "FIELD_ENCRYPTION_KEYS": OTHER_KEY,
    }

    del variables["REDIS_URL"]

    refusal = _refusal(monolith, "command", variables)

    assert _names_in(refusal, monolith) == {
        "MONOLITH_SECRET_KEY",
        "FIELD_ENCRYPTION_KEYS",
        "REDIS_URL",
    }


def test_no_secret_has_a_default_in_the_settings():
    """`optional` and `words` are for what is no secret, and assignments call `env`."""
    readers = {"optional", "words"}
    for path in sorted(SETTINGS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                function = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                names = _texts(node.args[0]) if node.args else []
                secret = [name for name in names if SECRET_LIKE.search(name)]
                if function in readers and secret and secret != ["ALLOWED_HOSTS"]:
                    pytest.fail(f"{path.name}:{node.lineno}: {secret} can be left out")
            if isinstance(node, ast.Assign) and isinstance(
                node.value, ast.Constant | ast.JoinedStr
            ):
                for target in node.targets:
                    name = getattr(target, "id", "")
                    assert not re.search(r"SECRET|_KEYS?$|PASSWORD$|TOKEN$", name), (
                        f"{path.name}:{node.lineno}: {name} is written in the code"
                    )


def test_no_secret_has_a_default_in_the_compose_file():
    text = (ROOT / "docker-compose.yml").read_text()
    yaml.safe_load(text)

    variables = re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", text)

    assert len(variables) > 10
    for name, rest in variables:
        if SECRET_LIKE.search(name):
            assert rest == ":?", f"{name} has a default"


def _texts(node: ast.AST) -> list[str]:
    return [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
