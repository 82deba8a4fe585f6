"""Somebody who follows guides: a researcher with files, and with accounts where jobs go."""

import gzip
import json
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import requests

from apps.genotypes.bgzf import BgzfWriter
from federated_imputation.platform.state import CHECKOUT, PlatformState
from tests.chaos.site import eventually
from tests.platforms import OwnPlatform

__all__ = ["GuideReader"]

_STUDY: Final = CHECKOUT / "apps" / "node" / "kit" / "target.phased.vcf.gz"
_NODES: Final = ("node-afr", "node-eur")
_LOGIN: Final = "Ada"
_JOBS: Final = 1_000
_SITES_SECONDS: Final = 240.0


class GuideReader:
    """A researcher of the platform, and all that the guides ask a reader to fill in.

    Who follows many guides at once stays within the limit of requests for tokens: guides with the
    same scopes share one.

    Attributes:
        secrets: What must be printed nowhere and stand on no command line.
    """

    def __init__(self, platform: OwnPlatform) -> None:
        told = json.loads(platform.manage("status", "--json", seconds=30).stdout)
        urls = {row["name"]: str(row["url"]) for row in told["deployments"]}
        state = PlatformState(CHECKOUT / platform.environment["PLATFORM_STATE"])
        self._api = f"{urls['monolith']}/api"
        self._service_tokens = {
            node: json.loads(state.credentials(node).read_text())["token"] for node in _NODES
        }
        self._tokens: dict[frozenset[str], str] = {}
        self._password = secrets.token_urlsafe(18)
        self.secrets = {self._password, *self._service_tokens.values()}
        password = platform.manage("password", seconds=30).stdout.strip()
        admin = self._log_in("admin", password)
        self._make_user(admin)
        self._session = self._log_in(_LOGIN, self._password)
        self._panels = [self._panel_at(urls[node]) for node in _NODES]
        self._have_sites_known()

    def fill_in(
        self, names: Collection[str], *, scopes: frozenset[str], folder: Path
    ) -> dict[str, str]:
        """What this reader exports, for the names that a guide asks for; files go into `folder`.

        Args:
            scopes: Those of the API token.

        Raises:
            KeyError: A guide asks for something that nobody told the reader.
        """
        first, second = self._panels
        at_first, at_second = (self._service_tokens[node] for node in _NODES)
        ways = {
            "API": lambda: self._api,
            "LOGIN": lambda: _LOGIN,
            "PASSWORD": lambda: self._password,
            "TOKEN_FILE": lambda: self._file(folder, "imputation-token", self._token(scopes)),
            "PANEL": lambda: str(first),
            "SECOND_PANEL": lambda: str(second),
            "SERVICE_TOKEN": lambda: self._file(folder, "first-service", at_first),
            # As somebody has it who did not look for a while, and then looks.
            "SECOND_SERVICE_TOKEN": lambda: self._file(folder, "second-service", "expired"),
            "NEW_SERVICE_TOKEN": lambda: self._file(folder, "second-service-new", at_second),
            "STUDY": lambda: str(_study(folder / "study.vcf.gz")),
            "SECOND_STUDY": lambda: str(_study(folder / "other.vcf.gz")),
            "GZIPPED_STUDY": lambda: str(_gzipped(_study(folder / "gzipped.vcf.gz"))),
        }
        return {name: ways[name]() for name in names}

    def get(self, path: str) -> Any:
        answer = self._session.get(self._api + path, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def _log_in(self, username: str, password: str) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        login = {"username": username, "password": password}
        answer = session.post(f"{self._api}/auth/login/", json=login, timeout=30)
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return session

    def _make_user(self, admin: requests.Session) -> None:
        user = {
            "username": _LOGIN,
            "email": "ada@example.org",
            "password": self._password,
            "password_confirm": self._password,
            "profile": {"monthly_job_limit": _JOBS},
        }
        admin.post(f"{self._api}/users/", json=user, timeout=30).raise_for_status()

    def _panel_at(self, service_url: str) -> int:
        services = self.get("/services/?search=node")["results"]
        (service,) = [each["id"] for each in services if each["api_url"] == service_url]
        panels = self.get(f"/reference-panels/?service={service}")["results"]
        return int(panels[0]["id"])

    def _have_sites_known(self) -> None:
        """Check a file: whoever is first has the sites asked of the services, and waits for them.

        Another check meanwhile does not wait, and says that they are not known.
        """
        with _STUDY.open("rb") as study:
            file = self._post("/files/", files={"file": study})["id"]
        run = self._post(f"/files/{file}/check/", json={"panels": self._panels})["id"]
        over = {"done", "failed", "cancelled"}
        eventually(
            lambda: self.get(f"/files/{file}/runs/{run}/"),
            lambda told: told["state"] in over,
            seconds=_SITES_SECONDS,
        )

    def _post(self, path: str, **options: Any) -> Any:
        answer = self._session.post(self._api + path, timeout=30, **options)
        answer.raise_for_status()
        return answer.json()

    def _token(self, scopes: frozenset[str]) -> str:
        if scopes not in self._tokens:
            self._tokens[scopes] = self._new_token(scopes)
        return self._tokens[scopes]

    def _new_token(self, scopes: frozenset[str]) -> str:
        wanted = {"name": "Guide", "scopes": sorted(scopes), "expires_in_days": 1}
        token = str(self._post("/auth/api-tokens/", json=wanted)["token"])
        self.secrets.add(token)
        return token

    def _file(self, folder: Path, name: str, content: str) -> str:
        path = folder / name
        path.write_text(f"{content}\n")
        return str(path)


def _study(path: Path) -> Path:
    """The kit's study, with a line in the header that makes the file one that nobody stored yet."""
    with gzip.open(_STUDY, "rb") as lines, BgzfWriter(path) as writer:
        for number, line in enumerate(lines):
            if number == 1:
                writer.write(f"##copy={secrets.token_hex(8)}\n".encode())
            writer.write(line)
    return path


def _gzipped(path: Path) -> Path:
    """The same file as programs that know no bgzip pack it."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))
    return path
