"""A node in this process (Django's test client) and as a real server process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import AsyncClient, Client
from django.utils import timezone

from apps.node import workspaces
from apps.node.kit_panels import KIT, write_kit_panel
from apps.node.models import Job, User
from apps.node.operations.accounts import create_api_token, create_user
from apps.node.tokens import issue_session_token
from tests.servers import free_port

PASSWORD = "Correct-Horse-7"


@pytest.fixture(autouse=True)
def _fresh_node(settings, tmp_path: Path) -> None:
    settings.DATA_ROOT = str(tmp_path / "data")
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "data" / "uploads")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    workspaces.uploads_root().mkdir(parents=True)


@pytest.fixture(scope="session")
def kit_panels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of panels with the simulated AFR one, made once."""
    root = tmp_path_factory.mktemp("panels")
    write_kit_panel(root, "AFR")
    return root


@pytest.fixture
def panels(kit_panels: Path) -> Path:
    """The node has the panel of the kit."""
    workspaces.panels_root().symlink_to(kit_panels)
    return workspaces.panels_root()


@dataclass
class Account:
    """A user with both kinds of token, and requests in their name."""

    user: User
    api_token: str
    session_token: str

    def get(self, path: str, **more: Any):
        return Client().get(path, headers={"X-Auth-Token": self.api_token}, **more)

    def request(self, method: str, path: str, *, session: bool = False, **more: Any):
        token = self.session_token if session else self.api_token
        return getattr(Client(), method)(path, headers={"X-Auth-Token": token}, **more)

    def submit(self, app: str = "imputationserver2", **fields: Any):
        """Submit; `files` is a list of (name, bytes)."""
        files = fields.pop("files", [("study.vcf.gz", b"not looked at")])
        data = {
            **fields,
            "files": [SimpleUploadedFile(name, content) for name, content in files],
        }
        return self.request("post", f"/api/v2/jobs/submit/{app}", data=data)

    def submitted(self, **fields: Any) -> Job:
        answer = self.submit(**fields)
        assert answer.status_code == 200, answer.content
        return Job.objects.get(pk=answer.json()["id"])


def make_account(username: str = "amina", **fields: Any) -> Account:
    now = timezone.now()
    user = create_user(
        username=username, password=PASSWORD, mail=f"{username}@example.org", **fields
    )
    return Account(
        user=user,
        api_token=create_api_token(user=user, life=timedelta(days=30), now=now),
        session_token=issue_session_token(user, now=now),
    )


@pytest.fixture
def account(db: None) -> Callable[..., Account]:
    return make_account


@pytest.fixture
def amina(account: Callable[..., Account]) -> Account:
    return account("amina")


class ServerProcess:
    """uvicorn with the node, on the test's database and data folder."""

    def __init__(self, data: Path, log: Path) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        self.launch(**environment)
        self.wait_until_ready()

    def launch(self, **environment: str) -> None:
        database = connection.settings_dict
        url = (
            f"postgres://{database['USER']}:{database['PASSWORD']}"
            f"@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "federated_imputation.asgi:application"),
                    *("--port", str(self.port), "--no-access-log"),
                    *("--timeout-graceful-shutdown", "2"),
                ],
                cwd=django_settings.BASE_DIR,
                env={
                    **os.environ,
                    "DEPLOYMENT": "node-afr",
                    "NODE_AFR_DATABASE_URL": url,
                    "NODE_AFR_SECRET_KEY": django_settings.SECRET_KEY,
                    "NODE_AFR_DATA_ROOT": str(self.data),
                    **environment,
                },
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                pytest.fail(f"The node ended:\n{self.log.read_text()}")
            try:
                if requests.get(f"{self.url}/healthz", timeout=5).ok:
                    return
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.1)
        pytest.fail(f"The node does not answer:\n{self.log.read_text()}")

    def wait_until_ended(self) -> int:
        assert self._process is not None
        return self._process.wait(30)

    def kill(self) -> None:
        """Like a crash: no chance to say goodbye."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(20)


@pytest.fixture
def study() -> bytes:
    """The phased study of the kit: 40 SIMULATED samples."""
    return (KIT / "target.phased.vcf.gz").read_bytes()


@dataclass
class Downloaded:
    status: int
    headers: Any
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


@pytest.fixture
def download() -> Callable[..., Downloaded]:
    """Ask through Django's asynchronous handler, which streams, and read to the end."""

    async def ask(path: str, *, method: str = "get", headers: dict[str, str] | None = None):
        response = await getattr(AsyncClient(), method)(path, headers=headers or {})
        if response.streaming and method != "head":  # whose body the client takes away
            content = b"".join([block async for block in response])
        else:
            content = b"" if response.streaming else response.content
        return Downloaded(status=response.status_code, headers=response.headers, content=content)

    return async_to_sync(ask)
