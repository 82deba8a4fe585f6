"""What the rows name: people, roles, services, jobs, made through the API when first asked for.

A value whose name begins with `new ` is made afresh for each row that names it; every other is made
once. All that is made carries the run's own prefix and is taken away at the end, as far as the API
can; what stays is told.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from tests.contract.client import Answer, Client
from tests.contract.row import CALLERS
from tests.contract.study import STUDY

__all__ = ["Credentials", "NotHere", "Scene", "SceneError"]

_SECONDS: Final = 30.0
_ROLES: Final = {"other": "researcher"}
_PEOPLE: Final = tuple(name for name in CALLERS if name != "anonymous")
# Made of what is new for the row.
_OF_ROW: Final = frozenset(
    {
        "name with a combining letter",
        "role now of service_user",
        "the same name composed",
    }
)


class SceneError(Exception):
    """Something that the rows stand on could not be made."""


class NotHere(Exception):
    """The server has nothing of this kind, and the API cannot make it."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who asks, and what is there already.

    Attributes:
        username, password: Of an administrator.
        owner: Username and password of somebody who has result files, if there is somebody.
        service: Id of the service that gets jobs; by default the first that has panels and whose
            API is `michigan`.
    """

    username: str
    password: str = field(repr=False)
    owner: tuple[str, str] | None = field(default=None, repr=False)
    service: int | None = None


class Scene:
    """The rows' world on one server.

    Args:
        url: Scheme, host and port of the server.
        credentials: See there.
        verify: As `Client` takes it.
    """

    def __init__(self, *, url: str, credentials: Credentials, verify: str | bool = True) -> None:
        self.url = url
        self.prefix = f"contract-{secrets.token_hex(4)}"
        self._credentials = credentials
        self._verify = verify
        self._passwords: dict[str, tuple[str, str]] = {}
        self._clients: dict[str, Client] = {"anonymous": self._nobody(remembers=False)}
        self._values: dict[str, Any] = {}
        self._of_row: dict[str, Any] = {}
        self._row_clients: dict[str, Client] = {}
        self._made: list[tuple[str, str]] = []
        self._number = 0

    def begin(self) -> None:
        """Forget what the row before had for itself."""
        for client in self._row_clients.values():
            client.close()
        self._row_clients.clear()
        self._of_row.clear()

    def keep(self, name: str, value: Any) -> None:
        """Let the rest of the row find `value` under `name`."""
        self._of_row[name] = value

    def __getitem__(self, name: str) -> Any:
        if name in self._of_row:
            return self._of_row[name]
        if "new " in name or name in _OF_ROW:
            self._of_row[name] = made = self._make(name)
            return made
        if name not in self._values:
            self._values[name] = self._make(name)
        return self._values[name]

    def fresh_name(self) -> str:
        """A name that nothing has, with the prefix of this run."""
        self._number += 1
        return f"{self.prefix}-{self._number:05}"

    def client(self, by: str) -> Client:
        """Who asks as `by`: a caller, `administrator`, `owner`, `new user`, or `fresh <caller>`."""
        if by in self._row_clients:
            return self._row_clients[by]
        if by.startswith(("fresh ", "new ")):
            self._row_clients[by] = found = self._logged_in(*self._password_of(by))
            return found
        if by not in self._clients:
            self._clients[by] = self._logged_in(*self._password_of(by))
        return self._clients[by]

    def ask(self, by: str, method: str, path: str, *, status: int = 200, **more: Any) -> Any:
        """The body of an answer that the rows stand on.

        Raises:
            SceneError: The status is another one.
        """
        answer = self.client(by).send(method, path, **more)
        if answer.status != status:
            raise SceneError(
                f"{method} {path} as {by}: {answer.status}, not {status}: {answer.content[:300]!r}"
            )
        self.noticed(by, path, answer)
        return answer.body

    def noticed(self, by: str, path: str, answer: Answer) -> None:
        """Remember to take away what a 201 says was made."""
        if answer.status != 201 or not isinstance(answer.body, dict) or path == "roles/":
            return  # a role is made only in place of one that was deleted
        made = answer.body.get("service") if path == "services/" else answer.body
        path = "jobs/" if path.endswith("/use/") else path
        if isinstance(made, dict) and "id" in made:
            self._made.append((by, f"{path}{made['id']}/"))

    def close(self) -> list[str]:
        """Take away what was made, the last first; return what stays, one sentence each."""
        self.begin()
        kept = []
        for by, path in reversed(self._made):
            kept += self._remove(by, path)
        for client in self._clients.values():
            client.close()
        return kept

    def _remove(self, by: str, path: str) -> list[str]:
        is_own = path.startswith(("batches/", "files/", "jobs/", "templates/"))
        cleaner = by if is_own and by in self._clients else "administrator"
        if path.startswith(("batches/", "jobs/")):
            self.client(cleaner).send("POST", f"{path}cancel/")
        query = {"force": "true"} if path.startswith("services/") else {}
        status = self.client(cleaner).send("DELETE", path, params=query).status
        if status in {200, 204, 404}:
            return []
        if path.startswith("users/"):
            done = self.client("administrator").send("PATCH", path, json={"is_active": False})
            return [f"{path} is {'deactivated' if done.status == 200 else 'still there'}"]
        return [f"{path} is still there (DELETE: {status})"]

    def _nobody(self, *, remembers: bool = True) -> Client:
        return Client(url=self.url, verify=self._verify, remembers=remembers)

    def _logged_in(self, username: str, password: str) -> Client:
        client = self._nobody()
        answer = client.log_in(username=username, password=password)
        if answer.status != 200:
            raise SceneError(f"{username} cannot log in: {answer.status}")
        return client

    def _password_of(self, by: str) -> tuple[str, str]:
        if by == "administrator":
            return self._credentials.username, self._credentials.password
        if by == "owner":
            if self._credentials.owner is None:
                raise NotHere("The credentials name nobody who has result files.")
            return self._credentials.owner
        if by.startswith("new "):
            self[by]
            username, password = self._of_row[f"login of {by}"]
            return username, password
        name = by.removeprefix("fresh ")
        self[f"user {name}"]
        return self._passwords[name]

    def password_of(self, by: str) -> str:
        """The password with which `by` logs in."""
        return self._password_of(by)[1]

    def _make(self, name: str) -> Any:
        for pattern, maker in _MAKERS.items():
            found = re.fullmatch(pattern, name)
            if found:
                try:
                    return maker(self, *found.groups())
                except (KeyError, IndexError, TypeError) as error:
                    raise SceneError(f"an answer has no place for {name!r}: {error!r}") from None
        raise SceneError(f"Nobody knows how to make {name!r}.")

    # ── people ──

    def make_user(self, *, role: str | None) -> tuple[int, str, str]:
        """Id, name and password of a new user."""
        username, password = self.fresh_name(), secrets.token_urlsafe(18)
        wanted: dict[str, Any] = {
            "username": username,
            "email": f"{username}@example.org",
            "password": password,
            "password_confirm": password,
        }
        if role is not None:
            wanted["profile"] = {"role_id": self[f"role {role}"], "monthly_job_limit": 10_000}
        made = self.ask("administrator", "POST", "users/", json=wanted, status=201)
        return made["id"], username, password

    def person(self, name: str) -> Any:
        if name == "owner":
            return self.ask("owner", "GET", "auth/user/")["user"]["id"]
        if name == "administrator":
            return self.ask("administrator", "GET", "auth/user/")["user"]["id"]
        if name not in _PEOPLE:
            raise SceneError(f"{name} is no caller.")
        number, username, password = self.make_user(role=_ROLES.get(name, name))
        self._passwords[name] = (username, password)
        return number

    def stranger(self, *, name: str, role: str | None) -> Any:
        """A user for this row alone, who can be a caller under the same name."""
        number, username, password = self.make_user(role=role)
        self._of_row[f"login of {name}"] = (username, password)
        return number

    def username_of_row(self) -> Any:
        """The name of the row's new user, whether or not they can log in by now."""
        self["new user"]
        username, _ = self._of_row["login of new user"]
        return str(username)

    def role_again(self, name: str) -> Any:
        """The role's id, which may be another one by now."""
        self._values[f"role {name}"] = found = self.role(name)
        return found

    def role(self, name: str) -> Any:
        listed = self.ask("administrator", "GET", "roles/")["results"]
        for role in listed:
            if role["name"] == name:
                return role["id"]
        raise SceneError(f"There is no role {name}.")

    def profile(self, of: str) -> Any:
        return self.ask(of, "GET", "profiles/", params={"user": self[f"user {of}"]})["results"][0][
            "id"
        ]

    # ── services ──

    def service(self) -> Any:
        if self._credentials.service is not None:
            return self._credentials.service
        for service in self._services():
            if service["api_type"] == "michigan" and service["reference_panels_count"]:
                return service["id"]
        raise NotHere("No active service of the API type michigan has panels.")

    def other_service(self) -> Any:
        for service in self._services():
            if service["id"] != self["service"] and service["reference_panels_count"]:
                return service["id"]
        raise NotHere("No second service has panels.")

    def panel(self, service: str) -> Any:
        found = self.ask("anonymous", "GET", "reference-panels/", params={"service": self[service]})
        return found["results"][0]["id"]

    def _services(self) -> Iterator[dict[str, Any]]:
        for page in count(1):
            found = self.ask("anonymous", "GET", "services/", params={"page": page})
            yield from found["results"]
            if found["next"] is None:
                return

    def new_service(self) -> Any:
        return self.ask(
            "administrator", "POST", "services/", json=self.service_input(), status=201
        )["service"]["id"]

    def service_input(self) -> Any:
        """A service whose host no name server knows (RFC 2606 2)."""
        return {
            "name": self.fresh_name(),
            "service_type": "michigan",
            "api_type": "michigan",
            "api_url": "https://imputation.invalid",
            "description": "Made by the contract suite",
            "location": "Nowhere",
            "continent": "Africa",
            "max_file_size_mb": 100,
            "supported_formats": ["vcf.gz"],
        }

    # ── jobs ──

    def job_form(self) -> dict[str, str]:
        return {
            "name": self.fresh_name(),
            "service": str(self["service"]),
            "reference_panel": str(self["panel"]),
            "build": "hg38",
            "user_token": "contract-no-token",
        }

    def new_job(self, by: str = "researcher") -> Any:
        files = {"input_file": ("study.vcf.gz", STUDY)}
        made = self.ask(by, "POST", "jobs/", data=self.job_form(), files=files, status=201)
        if "id" in made:
            return made["id"]
        newest = self.ask(by, "GET", "jobs/", params={"search": made["name"]})
        return newest["results"][0]["id"]

    def cancelled_job(self) -> Any:
        job = self.new_job()
        self.ask("researcher", "POST", f"jobs/{job}/cancel/", status=202)
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            if self.ask("researcher", "GET", f"jobs/{job}/")["status"] == "cancelled":
                return job
            time.sleep(0.2)
        raise SceneError(f"The job {job} did not become cancelled.")

    def status_update(self) -> Any:
        return self.ask("researcher", "GET", f"jobs/{self['job']}/status_updates/")[0]["id"]

    def result_file(self) -> Any:
        listed = self.ask("owner", "GET", "result-files/")["results"]
        for file in listed:
            if file.get("is_available", True):
                return file
        raise NotHere("Nobody whom the credentials name has result files.")

    # ── rights at services ──

    def new_right(self, user: int) -> Any:
        return self.ask(
            "administrator",
            "POST",
            f"services/{self['service']}/permissions/",
            json={"user": user, "permission": "view"},
            status=201,
        )["id"]

    def new_group(self) -> Any:
        return self.ask(
            "administrator",
            "POST",
            f"services/{self['service']}/groups/",
            json={"name": self.fresh_name()},
            status=201,
        )["id"]

    def new_member(self) -> Any:
        """A new user in the row's new group."""
        user: int = self["new user"]
        path = f"services/{self['service']}/groups/{self['new group']}/add_user/"
        self.ask("administrator", "POST", path, json={"user_id": user})
        return user

    def audit_row(self) -> Any:
        self["user researcher"]
        return self.ask("administrator", "GET", "audit-logs/")["results"][0]["id"]


_Maker = Callable[..., Any]
_MAKERS: Final[Mapping[str, _Maker]] = {
    r"user (\w+)": Scene.person,
    r"username of (\w+)": lambda scene, by: scene.client(by).username,
    r"password of (.+)": lambda scene, by: scene.password_of(by),
    r"new user": lambda scene: scene.stranger(name="new user", role="researcher"),
    r"new viewer": lambda scene: scene.stranger(name="new viewer", role="viewer"),
    r"new bare user": lambda scene: scene.stranger(name="new bare user", role=None),
    r"name of new user": lambda scene: scene.username_of_row(),
    r"new name": Scene.fresh_name,
    r"new second name|new key": Scene.fresh_name,
    r"name with a combining letter": lambda scene: f"{scene['new name']}e\u0301",
    r"the same name composed": lambda scene: f"{scene['new name']}\u00e9",
    r"malformed id": lambda scene: "not-a-uuid",
    r"half a UUID": lambda scene: "00000000-0000-4000",
    r"id with a NUL": lambda scene: "a\0b",
    r"job form": lambda scene: scene.job_form(),
    r"name of job": lambda scene: scene.ask("researcher", "GET", f"jobs/{scene['job']}/")["name"],
    r"new name from right to left": lambda scene: (
        f"{scene.fresh_name()} \u062f\u0631\u0627\u0633\u0629 \U0001f9ec"
    ),
    r"zero": lambda scene: 0,
    r"minus one": lambda scene: -1,
    r"huge id": lambda scene: "9" * 30,
    r"name of service": lambda scene: scene.ask(
        "anonymous", "GET", f"services/{scene['service']}/"
    )["name"],
    r"population of panel": lambda scene: scene.ask(
        "anonymous", "GET", f"reference-panels/{scene['panel']}/"
    )["population"],
    r"no id": lambda scene: 2_000_000_000,
    r"no job": lambda scene: "00000000-0000-4000-8000-000000000000",
    r"role now of (\w+)": lambda scene, name: scene.role_again(name),
    r"new password": lambda scene: secrets.token_urlsafe(18),
    r"role (\w+)": Scene.role,
    r"profile of (\w+)": Scene.profile,
    r"new profile": lambda scene: scene.ask("administrator", "GET", f"users/{scene['new user']}/")[
        "profile"
    ]["id"],
    r"service": Scene.service,
    r"other service": Scene.other_service,
    r"panel": lambda scene: scene.panel("service"),
    r"panel of other service": lambda scene: scene.panel("other service"),
    r"own service|new service": Scene.new_service,
    r"new second service": Scene.new_service,
    r"service input": Scene.service_input,
    r"job|new job": Scene.new_job,
    r"job of other": lambda scene: scene.new_job("other"),
    r"new cancelled job": Scene.cancelled_job,
    r"status update": Scene.status_update,
    r"result": Scene.result_file,
    r"file": lambda scene: scene["result"]["id"],
    r"job of file": lambda scene: scene["result"]["job"],
    r"new right": lambda scene: scene.new_right(scene["new user"]),
    r"right": lambda scene: scene.new_right(scene["user other"]),
    r"new group|group": Scene.new_group,
    r"new member": Scene.new_member,
    r"audit row": Scene.audit_row,
}
