"""The variables of each deployment: one file each, the only thing that its processes are told."""

import base64
import os
from collections.abc import Mapping
from typing import Final

from federated_imputation.deployments import Deployment
from federated_imputation.platform.layout import HOST, Layout
from federated_imputation.platform.state import PlatformState, write_private

__all__ = [
    "inherited_variables",
    "is_setting",
    "parse_environment",
    "read_environment",
    "render_environment",
    "role",
    "write_environments",
]

# What a process may see of the shell that typed `up`; everything else is in its file.
_INHERITED: Final = frozenset(
    {"HOME", "LANG", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER", "SSL_CERT_DIR", "SSL_CERT_FILE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)
_PASSED_ON: Final = (
    *("LOG_LEVEL", "NODE_ENGINE", "NODE_PHASING_MEMORY_MB"),
    *("NODE_THREADS", "NODE_WORKERS", "RATE_LIMITS"),
)


def is_setting(name: str) -> bool:
    """Whether `up` takes the variable from the shell, and a running platform keeps it."""
    return name in {*_PASSED_ON, "PORT_OFFSET", "REDIS_URL"} or name.endswith("_DATABASE_URL")


def role(deployment: Deployment) -> str:
    """Name of the PostgreSQL role that owns the deployment's database."""
    return deployment.env_prefix.lower()


def write_environments(state: PlatformState, layout: Layout, *, given: Mapping[str, str]) -> None:
    """Write every deployment's file (0600); secrets stay as they are from one `up` to the next."""
    for deployment in layout.deployments:
        variables = _variables(deployment, state=state, layout=layout)
        variables |= {name: given[name] for name in _PASSED_ON if given.get(name)}
        if own := given.get("GUARDED_HTTP_ALLOW"):
            variables["GUARDED_HTTP_ALLOW"] += f",{own}"
        write_private(state.environment_file(deployment.name), render_environment(variables))
        state.data(deployment.name).mkdir(mode=0o700, exist_ok=True)


def read_environment(state: PlatformState, deployment: str) -> dict[str, str]:
    """Variables of one deployment; empty before the first `up`."""
    path = state.environment_file(deployment)
    return parse_environment(path.read_text()) if path.is_file() else {}


def inherited_variables(shell: Mapping[str, str]) -> dict[str, str]:
    """The part of the shell's environment that a process of the platform keeps."""
    return {
        name: value for name, value in shell.items() if name in _INHERITED or name.startswith("LC_")
    }


def render_environment(variables: Mapping[str, str]) -> str:
    """`NAME='value'` lines.

    Raises:
        ValueError: A value holds a line break or a quote; the message names the variable only.
    """
    for name, value in variables.items():
        if set(value) & set("\r\n'"):
            raise ValueError(f"{name} holds a line break or a single quote.")
    return "".join(f"{name}='{value}'\n" for name, value in variables.items())


def parse_environment(text: str) -> dict[str, str]:
    """The inverse of `render_environment`."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name: value.removeprefix("'").removesuffix("'") for name, value in pairs}


def _variables(deployment: Deployment, *, state: PlatformState, layout: Layout) -> dict[str, str]:
    prefix = deployment.env_prefix
    nodes = ",".join(f"{HOST}:{layout.port(node)}" for node in layout.nodes)
    variables = {
        "ENVIRONMENT": "development",
        "DEPLOYMENT": deployment.name,
        "PORT_OFFSET": str(layout.offset),
        f"{prefix}_SECRET_KEY": state.secret(f"{deployment.name}-secret-key"),
        f"{prefix}_DATA_ROOT": str(state.data(deployment.name).resolve()),
        "REDIS_URL": layout.external_redis
        or f"redis://:{state.secret('valkey')}@{HOST}:{layout.valkey_port}/0",
        "GUARDED_HTTP_ALLOW": nodes,
        "BACKGROUND_CHECKS": "off",
        "NODE_HOLD_FILE": str(state.node_hold.resolve()),
    }
    if deployment.settings == "monolith":
        variables |= {
            "FIELD_ENCRYPTION_KEYS": state.secret("field-encryption-key", _fernet_key),
            "TOKEN_DIGEST_KEY": state.secret("token-digest-key"),
        }
    if deployment.database:
        password = state.secret(f"{deployment.name}-database")
        variables[f"{prefix}_DATABASE_URL"] = layout.external_databases.get(
            deployment.name,
            f"postgres://{role(deployment)}:{password}"
            f"@{HOST}:{layout.postgres_port}/{deployment.database}",
        )
    return variables


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()
