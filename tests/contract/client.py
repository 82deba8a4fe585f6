"""HTTP as one caller: a session cookie, no redirects, and patience where a server asks for it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests

__all__ = ["Answer", "Client"]

_SECONDS: Final = 60
_TOO_MANY: Final = 429
_PATIENCE: Final = 5


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Attributes:
    body: The JSON of the answer, `None` when it is none.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    content: bytes


@dataclass(kw_only=True)
class Client:
    """One caller of the server at `url`.

    Attributes:
        url: Scheme, host and port, without a slash at the end.
        verify: A file with the certificates to trust, or True for those of the machine.
        remembers: Takes cookies, and so stays logged in.
    """

    url: str
    verify: str | bool = True
    remembers: bool = True
    username: str = ""
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self._session.trust_env = False
        self._session.verify = self.verify
        if not self.remembers:
            self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def log_in(self, *, username: str, password: str) -> Answer:
        """Take the session cookie of a login; whatever the answer is, it is returned."""
        answer = self.send("POST", "auth/login/", json={"username": username, "password": password})
        self.username = username
        return answer

    def send(self, method: str, path: str, **more: Any) -> Answer:
        """The answer to one request; 429 is waited out as long as the server asks, five times.

        Args:
            path: Below `/api/`, or from the root when it begins with a slash.
            more: As `requests` takes them.

        Raises:
            requests.RequestException: There was no answer.
        """
        address = f"{self.url}{path}" if path.startswith("/") else f"{self.url}/api/{path}"
        for left in reversed(range(_PATIENCE)):
            got = self._session.request(
                method, address, timeout=_SECONDS, allow_redirects=False, **more
            )
            if got.status_code != _TOO_MANY or not left:
                break
            time.sleep(int(got.headers.get("Retry-After", "10")))
        return Answer(
            status=got.status_code, headers=got.headers, body=_json(got), content=got.content
        )

    def beside(self) -> "Client":
        """The same caller on connections of its own, for requests at the same time."""
        other = Client(
            url=self.url, verify=self.verify, username=self.username, remembers=self.remembers
        )
        other._session.cookies.update(self._session.cookies)
        return other

    def close(self) -> None:
        self._session.close()


def _json(answer: requests.Response) -> Any:
    if "json" not in answer.headers.get("Content-Type", ""):
        return None
    try:
        return json.loads(answer.content)
    except ValueError:
        return None
