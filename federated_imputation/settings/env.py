"""The environment variables, read here and nowhere else.

`ENVIRONMENT` is `production` unless something says otherwise, and in production a missing secret
stops the start. The embedded platform writes one file of variables per deployment, which says
`ENVIRONMENT=development`; it is read when `ENVIRONMENT` itself is not set, so that a developer
may type `DEPLOYMENT=node-afr ./manage.py shell`. `ENVIRONMENT=check` is for the static checks
(`makemigrations --check`): no database, secrets that live as long as the process.
"""

import base64
import os
import re
import secrets as random_secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
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

_SHORTEST_KEY: Final = 32  # characters
# 32 bytes as Fernet keys are written: https://github.com/fernet/spec/blob/master/Spec.md
_FERNET_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}=")
_POSTGRES_URL: Final = re.compile(r"postgres(ql)?://")
_missing: list[str] = []
_unfit: list[str] = []
_keys: dict[str, str] = {}


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


def key(name: str) -> str:
    """Value of `name`, which signs something: required, long enough, and no other such value."""
    value = required(name)
    if not value:
        return value
    if len(value) < _SHORTEST_KEY:
        _unfit.append(f"{name} is shorter than {_SHORTEST_KEY} characters")
    twins = (other for other, taken in _keys.items() if taken == value and other != name)
    _unfit.extend(f"{name} is the same as {other}" for other in twins)
    _keys[name] = value
    return value


def encryption_keys(name: str) -> list[str]:
    """The Fernet keys in the comma-separated `name`, at least one."""
    if ENVIRONMENT == "check":
        return [base64.urlsafe_b64encode(random_secrets.token_bytes(32)).decode()]
    values = [value.strip() for value in required(name).split(",") if value.strip()]
    for number, value in enumerate(values, start=1):
        if not _FERNET_KEY.fullmatch(value):
            _unfit.append(
                f"{name}: value {number} of {len(values)} is no Fernet key "
                "(32 bytes in URL-safe base64)"
            )
    if not values:
        _missing.append(name)
    return values


def host_names() -> list[str]:
    """Value of `ALLOWED_HOSTS`; outside development somebody has to say it."""
    local = ("127.0.0.1", "localhost", "[::1]") if IS_DEVELOPMENT else ()
    names = words("ALLOWED_HOSTS", default=local)
    if not names and ENVIRONMENT == "production":
        _missing.append("ALLOWED_HOSTS")
    return names


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


def networks(name: str, default: tuple[str, ...] = ()) -> list[IPv4Network | IPv6Network]:
    """Value of a comma-separated variable of addresses (`10.0.0.7`) and networks (`10.0.0.0/8`).

    Raises:
        ImproperlyConfigured: One of the words is neither.
    """
    found = []
    for word in words(name, default=default):
        try:
            found.append(ip_network(word))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} holds {word!r}, which is no address and no network: {error}."
            ) from error
    return found


def database() -> dict[str, Any]:
    """This deployment's one database, from `<NAME>_DATABASE_URL`."""
    if ENVIRONMENT == "check":
        return {"ENGINE": "django.db.backends.dummy"}
    name = own("DATABASE_URL")
    url = required(name)
    if not url:
        return {}
    try:
        parts = _env.db_url_config(url) if _POSTGRES_URL.match(url) else {}
    except ValueError:  # whose text may hold a part of the password
        parts = {}
    if not parts:
        _unfit.append(
            f"{name} is no postgres://role:password@host:port/database "
            "(a password with / or ? in it must be percent-encoded)"
        )
    return {
        **parts,
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "application_name": DEPLOYMENT.name},
    }


def refuse_if_incomplete() -> None:
    """Stop the start when a required variable is missing or unfit; called last by each module.

    Raises:
        ImproperlyConfigured: Naming every such variable, not only the first, and no value.
    """
    wrong = [
        f"{what}: {separator.join(sorted(set(entries)))}."
        for what, separator, entries in (("Missing", ", ", _missing), ("Unfit", "; ", _unfit))
        if entries
    ]
    if wrong:
        raise ImproperlyConfigured(
            f"Deployment {DEPLOYMENT.name!r} cannot start. {' '.join(wrong)} "
            "For development, `manage.py platform up` makes all of them."
        )
