"""The one table of deployments: what runs, where it listens, which database it owns.

Settings, the embedded platform, `docker-compose.yml` (by a test) and the reference pages derive
from it. Adding a deployment is one row here, one settings module and one URLconf.
"""

import os
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["DEPLOYMENTS", "Deployment", "Process", "by_name", "current", "select_settings"]

Process = Literal["web", "worker", "beat"]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One separately deployed process group with a database of its own.

    Attributes:
        name: What operators call it; the value of ``$DEPLOYMENT``.
        settings: Module below ``federated_imputation.settings``.
        port: TCP port of its web process before ``PORT_OFFSET`` is added; below 32768, since
            higher ports may be taken by outgoing connections.
        database: Name of the PostgreSQL database that only it may connect to, or ``None``.
        owns: One line for the reference page.
        processes: What the platform starts for it, in this order.
    """

    name: str
    settings: str
    port: int
    database: str | None
    owns: str
    processes: tuple[Process, ...] = ("web",)

    @property
    def env_prefix(self) -> str:
        """Prefix of its own environment variables: ``node-afr`` becomes ``NODE_AFR``."""
        return self.name.upper().replace("-", "_")

    @property
    def settings_module(self) -> str:
        return f"federated_imputation.settings.{self.settings}"


# Started in this order, stopped in the reverse one.
DEPLOYMENTS: Final = (
    Deployment(
        name="node-afr",
        settings="node",
        port=8030,
        database="node_afr_db",
        owns="an imputation node with the first demonstration panel, Michigan API",
    ),
    Deployment(
        name="node-eur",
        settings="node",
        port=8031,
        database="node_eur_db",
        owns="an imputation node with the second demonstration panel, Michigan API",
    ),
    Deployment(
        name="monolith",
        settings="monolith",
        port=8010,
        database="federated_imputation",
        owns="the legacy system: every `/api/` path, Django admin, Celery worker and beat",
        processes=("web", "worker", "beat"),
    ),
)


def by_name(name: str) -> Deployment:
    """The deployment called `name`.

    Raises:
        LookupError: There is none; the message lists those that exist.
    """
    for deployment in DEPLOYMENTS:
        if deployment.name == name:
            return deployment
    known = ", ".join(deployment.name for deployment in DEPLOYMENTS)
    raise LookupError(f"There is no deployment {name!r}; there are: {known}.")


def current() -> Deployment:
    """The deployment that this process is: ``$DEPLOYMENT``, by default the monolith."""
    return by_name(os.environ.get("DEPLOYMENT", "monolith"))


def select_settings() -> None:
    """Point Django at the settings of ``$DEPLOYMENT``, unless a module is chosen already."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", current().settings_module)
