"""pytest plugin: the real PostgreSQL and Valkey for a test run, started once, stopped at its end.

Loaded by `-p tests.servers` before Django reads its settings. `python -m tests` starts the same
servers once for all suites and passes their addresses on in the environment.
"""

import os
import random
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from federated_imputation.deployments import DEPLOYMENTS
from federated_imputation.platform.stores import Postgres, StoreError, Valkey


class Servers:
    """The two servers of one test run, in a folder that is removed with them."""

    def __init__(self) -> None:
        # World-traversable, since PostgreSQL runs as another user when the tests run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="federated-imputation-test-"))
        self.folder.chmod(0o711)
        self.started: list[Postgres | Valkey] = []

    def start(self) -> dict[str, str]:
        """Start both and return the environment that points every deployment at them."""
        postgres = self._start(Postgres, "postgres")
        valkey = self._start(Valkey, "valkey")
        assert isinstance(postgres, Postgres)
        assert isinstance(valkey, Valkey)
        environment = {
            "ENVIRONMENT": "development",
            "REDIS_URL": valkey.url,
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "TOKEN_DIGEST_KEY": secrets.token_urlsafe(48),
            "RATE_LIMITS": "off",
            "PASSWORD_REFUSAL_MILLISECONDS": "0",
            "GUARDED_HTTP_ALLOW": "",
            "BACKGROUND_CHECKS": "off",
            "TEST_SERVERS_FOLDER": str(self.folder),
        }
        for deployment in DEPLOYMENTS:
            prefix = deployment.env_prefix
            data = self.folder / "data" / deployment.name
            data.mkdir(parents=True)
            environment[f"{prefix}_DATABASE_URL"] = postgres.dsn(deployment.database or "postgres")
            environment[f"{prefix}_SECRET_KEY"] = secrets.token_urlsafe(48)
            environment[f"{prefix}_DATA_ROOT"] = str(data)
        return environment

    def stop(self) -> None:
        for server in reversed(self.started):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, kind: type[Postgres] | type[Valkey], name: str) -> Postgres | Valkey:
        for _ in range(5):  # another checkout may take the port between the look and the start
            server = kind(
                home=self.folder / name,
                port=free_port(),
                password=secrets.token_urlsafe(24),
                log=self.folder / f"{name}.log",
                durable=False,
            )
            server.home.mkdir(mode=0o711, exist_ok=True)
            try:
                server.start()
            except StoreError as error:
                failure = error
                continue
            self.started.append(server)
            return server
        raise failure


def free_port() -> int:
    """A loopback port that is free now, below those that outgoing connections may take."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


_servers: Servers | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    global _servers
    if "TEST_SERVERS_FOLDER" not in os.environ and "--collect-only" not in early_config.args:
        _servers = Servers()
        os.environ.update(_servers.start())


def pytest_unconfigure() -> None:
    if _servers is not None:
        _servers.stop()
