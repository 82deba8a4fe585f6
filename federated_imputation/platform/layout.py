"""What runs where: the ports of one platform, and which servers are its own.

Decided once per `up` from the environment and from what the state remembers; everything else
(variables, port checks, what is started and seeded) follows from it.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from federated_imputation.deployments import DEPLOYMENTS, Deployment

__all__ = [
    "HOST",
    "Layout",
    "LayoutError",
    "decide_layout",
    "process_name",
    "refuse_taken_ports",
]

HOST: Final = "127.0.0.1"
_POSTGRES_PORT: Final = 15432
_VALKEY_PORT: Final = 16379
_FIRST_PORT, _LAST_PORT = 1024, 32767  # higher ones may be taken by outgoing connections


class LayoutError(Exception):
    """The platform cannot be laid out as asked; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Attributes:
    offset: Added to every port.
    external_databases: DSN by name of the deployment, for those that bring their server.
    external_redis: URL of a Redis-protocol server to use instead of ours.
    deployments: What is laid out.
    """

    offset: int = 0
    external_databases: Mapping[str, str] = field(default_factory=dict, repr=False)
    external_redis: str | None = field(default=None, repr=False)
    deployments: tuple[Deployment, ...] = DEPLOYMENTS

    def port(self, deployment: Deployment) -> int:
        return deployment.port + self.offset

    def url(self, deployment: Deployment) -> str:
        return f"http://{HOST}:{self.port(deployment)}"

    @property
    def postgres_port(self) -> int:
        return _POSTGRES_PORT + self.offset

    @property
    def valkey_port(self) -> int:
        return _VALKEY_PORT + self.offset

    @property
    def embedded(self) -> tuple[Deployment, ...]:
        """The deployments whose database is in our PostgreSQL; without any it is not started."""
        return tuple(
            deployment
            for deployment in self.deployments
            if deployment.database and deployment.name not in self.external_databases
        )

    @property
    def nodes(self) -> tuple[Deployment, ...]:
        """The imputation nodes among the deployments."""
        return tuple(d for d in self.deployments if d.settings == "node")

    def ports(self) -> dict[str, int]:
        """Every port that this platform listens on, by the name of the process."""
        ports = {deployment.name: self.port(deployment) for deployment in self.deployments}
        if self.embedded:
            ports["postgres"] = self.postgres_port
        if self.external_redis is None:
            ports["valkey"] = self.valkey_port
        return ports


def process_name(deployment: Deployment, program: str) -> str:
    """The web process is called as its deployment, the others `<deployment>-<program>`."""
    return deployment.name if program == "web" else f"{deployment.name}-{program}"


def decide_layout(environment: Mapping[str, str], *, remembered_offset: int | None) -> Layout:
    """The layout that `PORT_OFFSET`, `<NAME>_DATABASE_URL` and `REDIS_URL` ask for.

    Raises:
        LayoutError: `PORT_OFFSET` is no number, or moves a port out of 1024 to 32767.
    """
    given = environment.get("PORT_OFFSET", "").strip()
    try:
        offset = int(given) if given else remembered_offset or 0
    except ValueError:
        raise LayoutError(f"PORT_OFFSET is {given!r}; it must be a whole number.") from None
    layout = Layout(
        offset=offset,
        external_databases={
            deployment.name: environment[f"{deployment.env_prefix}_DATABASE_URL"]
            for deployment in DEPLOYMENTS
            if deployment.database and environment.get(f"{deployment.env_prefix}_DATABASE_URL")
        },
        external_redis=environment.get("REDIS_URL") or None,
    )
    for name, port in layout.ports().items():
        if not _FIRST_PORT <= port <= _LAST_PORT:
            raise LayoutError(
                f"PORT_OFFSET={offset} moves {name} to port {port}; "
                f"ports must stay between {_FIRST_PORT} and {_LAST_PORT}."
            )
    return layout


def refuse_taken_ports(layout: Layout) -> None:
    """Look whether every port of `layout` is free.

    Raises:
        LayoutError: Naming those that are not, and a `PORT_OFFSET` with which all are free.
    """
    taken = [(name, port) for name, port in layout.ports().items() if not _is_free(port)]
    if not taken:
        return
    names = ", ".join(f"{port} ({name})" for name, port in taken)
    free = next(
        (
            offset
            for offset in range(100, _LAST_PORT - _VALKEY_PORT, 100)
            if all(_is_free(port - layout.offset + offset) for port in layout.ports().values())
        ),
        None,
    )
    advice = "Stop that program, or choose other ports with PORT_OFFSET" + (
        f", for example PORT_OFFSET={free}." if free else "."
    )
    raise LayoutError(f"In use by another program: port {names}. {advice}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do it: a connection that was closed a moment ago does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
