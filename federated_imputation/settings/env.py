"""The environment variables, read here and nowhere else.

`ENVIRONMENT` is `production` unless something says otherwise, and in production a missing secret
stops the start. The embedded platform writes one file of variables per deployment, which says
`ENVIRONMENT=development`; it is read when `ENVIRONMENT` itself is not set, so that a developer
may type `DEPLOYMENT=node-afr ./manage.py shell`. `ENVIRONMENT=check` is for the static checks
(`makemigrations --check`): no database, secrets that live as long as the process.
"""

import os
import secrets as random_secrets
from pathlib import Path
from typing import Any, Final

import environ
from django.core.exceptions import ImproperlyConfigured

from federated_imputation import deployments
from federated_imputation.platform.state import PlatformState

BASE_DIR: Final = Path(__file__).resolve().parents[2]
DEPLOYMENT: Final = deployments.current()

_env = environ.Env()
if "ENVIRONMENT" not in os.environ:
    _written_by_the_platform = PlatformState.of_checkout().environment_file(DEPLOYMENT.name)
    if _written_by_the_platform.is_file():
        environ.Env.read_env(_written_by_the_platform)

ENVIRONMENT: Final = _env.str("ENVIRONMENT", default="production")
if ENVIRONMENT not in {"development", "production", "check"}:
    raise ImproperlyConfigured(
        f"ENVIRONMENT is {ENVIRONMENT!r}; it must be development, production or check."
    )
IS_DEVELOPMENT: Final = ENVIRONMENT == "development"

_missing: list[str] = []


def own(name: str) -> str:
    """Full name of a variable that belongs to this deployment alone: `NODE_AFR_DATABASE_URL`."""
    return f"{DEPLOYMENT.env_prefix}_{name}"


def required(name: str) -> str:
    """Value of `name`; a missing one is noted and reported by `refuse_if_incomplete`."""
    value: str = _env.str(name, default="")
    if value:
        return value
    if ENVIRONMENT == "check":
        return random_secrets.token_urlsafe(32)
    _missing.append(name)
    return ""


def optional(name: str, default: str) -> str:
    value: str = _env.str(name, default=default)
    return value


def integer(name: str, default: int) -> int:
    return int(_env.int(name, default=default))


def switch(name: str, *, default: bool) -> bool:
    """Value of an `on`/`off` variable.

    Raises:
        ImproperlyConfigured: It holds another word.
    """
    value: str = _env.str(name, default="on" if default else "off").lower()
    if value not in {"on", "off"}:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be on or off.")
    return value == "on"


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Value of a comma-separated variable, without blanks."""
    value: str = _env.str(name, default=",".join(default))
    return [word.strip() for word in value.split(",") if word.strip()]


def database() -> dict[str, Any]:
    """This deployment's one database, from `<NAME>_DATABASE_URL`."""
    if ENVIRONMENT == "check":
        return {"ENGINE": "django.db.backends.dummy"}
    url = required(own("DATABASE_URL"))
    if not url:
        return {}
    return {
        **_env.db_url_config(url),
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "application_name": DEPLOYMENT.name},
    }


def refuse_if_incomplete() -> None:
    """Stop the start when a required variable is missing; called last by each settings module.

    Raises:
        ImproperlyConfigured: Naming every missing variable, not only the first.
    """
    if _missing:
        names = ", ".join(sorted(set(_missing)))
        raise ImproperlyConfigured(
            f"Deployment {DEPLOYMENT.name!r} cannot start without: {names}. "
            "For development, `manage.py platform up` makes them."
        )
