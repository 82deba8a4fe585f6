"""No secret and no genotype is anywhere but where it belongs, on a platform that does everything.

The journey goes through logins right and wrong, jobs that complete and fail, downloads,
revocations, administration and errors that nobody expected, with a recognisable value in every
secret. Then every place that keeps something is searched for them.
"""

import gzip
import json
import re
import secrets
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import redis
import requests
from cryptography.fernet import Fernet
from psycopg import sql

from apps.genotypes.bgzf import BgzfWriter
from federated_imputation.platform.records import read_record
from federated_imputation.platform.state import CHECKOUT, PlatformState
from tests.e2e.canaries import (
    Canary,
    Evidence,
    Messages,
    command_lines,
    databases,
    dump,
    files,
    find,
    stored_messages,
)
from tests.platforms import OwnPlatform, own_platform

pytestmark = pytest.mark.timeout(900)

STUDY: Final = CHECKOUT / "apps" / "node" / "kit" / "target.phased.vcf.gz"
JOB_SECONDS: Final = 240.0
MONOLITH: Final = "federated_imputation"
# What a person who asks for it is told, once or each time, and nobody else.
ANSWERED: Final = {
    "access token": {"POST /api/auth/login/"},
    "refresh token": {"POST /api/auth/login/"},
    "next access token": {"POST /api/auth/token/refresh/"},
    "next refresh token": {"POST /api/auth/token/refresh/"},
    "API token": {"POST /api/auth/api-tokens/"},
    "password of the results": {"POST /api/jobs/{id}/reveal_password/"},
    "session": {"POST /api/auth/login/"},
    "session of the new password": {"POST /api/auth/change-password/"},
    "second session": {"POST /api/auth/login/"},
    "administrator's session": {"POST /api/auth/login/"},
}
# Django finds a session by its key, and so does the legacy system on the same table; a login by
# token names the session that it ends with.
STORED: Final = {
    (name, f"public.{table}")
    for name in (
        "session",
        "second session",
        "session of the new password",
        "administrator's session",
    )
    for table in ("django_session", "imputation_tokenfamily")
}


@dataclass(kw_only=True)
class World:
    """A running platform, what is secret in it, and all that it answered."""

    platform: OwnPlatform
    temporary: Path
    canaries: list[Canary] = field(default_factory=list)
    answers: list[Evidence] = field(default_factory=list)
    lines: list[Evidence] = field(default_factory=list)
    dumps: dict[str, list[Evidence]] = field(default_factory=dict)
    said: list[Evidence] = field(default_factory=list)

    @property
    def state(self) -> PlatformState:
        return PlatformState(CHECKOUT / self.platform.environment["PLATFORM_STATE"])

    def port(self, base: int) -> int:
        return base + int(self.platform.environment["PORT_OFFSET"])

    def server(self, database: str = "postgres") -> str:
        password = self.state.secret("postgres")
        return f"postgres://platform:{password}@127.0.0.1:{self.port(15432)}/{database}"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.state.secret('valkey')}@127.0.0.1:{self.port(16379)}/0"

    @property
    def people(self) -> list[Canary]:
        """The canaries that are in the study."""
        return [canary for canary in self.canaries if canary.name.startswith("study: ")]

    @property
    def secrets(self) -> list[Canary]:
        return [canary for canary in self.canaries if canary not in self.people]

    def learn(self, name: str, value: str) -> str:
        self.canaries.append(Canary(name=name, value=value))
        return value

    def invent(self, name: str) -> str:
        return self.learn(name, f"Canary-{secrets.token_urlsafe(18)}")

    def manage(self, deployment: str, *arguments: str, given: str = "") -> str:
        """Standard output of a command of one deployment."""
        done = subprocess.run(
            [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
            env={**self.platform.environment, "DEPLOYMENT": deployment},
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def look_at_processes(self) -> None:
        """The supervisor is an ancestor of every process of the platform."""
        record = read_record(self.state)
        assert record is not None
        assert record.supervisor.pid is not None
        self.lines.extend(command_lines(record.supervisor.pid))

    def look_at_databases(self) -> None:
        for database in databases(self.server()):
            self.dumps.setdefault(database, []).extend(dump(self.server(database)))

    @contextmanager
    def without_table(self, table: str) -> Iterator[None]:
        """As if the database had lost a table, or were of another version, for a moment."""
        name, gone = sql.Identifier(table), sql.Identifier(f"{table}_gone")
        with psycopg.connect(self.server(MONOLITH), autocommit=True) as connection:
            rename = sql.SQL("ALTER TABLE {} RENAME TO {}")
            connection.execute(rename.format(name, gone))
            try:
                yield
            finally:
                connection.execute(rename.format(gone, name))


class Caller:
    """A client of the platform whose every answer is kept."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._url = f"http://127.0.0.1:{world.port(8010)}"
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def session_key(self) -> str:
        return str(self._session.cookies["sessionid"])

    def call(
        self, method: str, path: str, status: int | None = 200, **options: Any
    ) -> requests.Response:
        answer = self._session.request(
            method, self._url + path, timeout=60, allow_redirects=False, **options
        )
        place = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{id}", f"{method} {path}")
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        self._world.answers.append(
            Evidence(place=place, content=headers.encode() + b"\n\n" + answer.content)
        )
        assert status is None or answer.status_code == status, f"{place}: {answer.status_code}"
        return answer

    def log_in(self, username: str, password: str) -> dict[str, Any]:
        given = {"username": username, "password": password}
        told: dict[str, Any] = self.call("POST", "/api/auth/login/", json=given).json()
        return told

    def submit(self, study: Path, *, token: str, status: int = 201) -> str:
        service = next(
            row
            for row in self.call("GET", "/api/services/").json()["results"]
            if row["api_url"].endswith(f":{self._world.port(8030)}")
        )
        panel = self.call("GET", f"/api/reference-panels/?service={service['id']}").json()
        with study.open("rb") as content:
            answer = self.call(
                "POST",
                "/api/jobs/",
                status,
                data={
                    "name": "Canaries",
                    "service": service["id"],
                    "reference_panel": panel["results"][0]["id"],
                    "build": "hg38",
                    "population": "",
                    "user_token": token,
                },
                files={"input_file": (study.name, content, "application/gzip")},
            )
        return str(answer.json().get("id", ""))

    def follow(self, job: str, status: str) -> None:
        """Wait for the end of a job, looking at the processes meanwhile."""

        def is_over() -> bool:
            self._world.look_at_processes()
            told = self.call("GET", f"/api/jobs/{job}/").json()["status"]
            assert told == status or told not in {"completed", "failed", "cancelled"}, told
            return bool(told == status)

        _wait_for(is_over)


def _wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + JOB_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The platform after the whole journey; nothing of it runs on."""
    temporary = tmp_path_factory.mktemp("temporary")
    study = tmp_path_factory.mktemp("study") / "study.vcf.gz"
    with own_platform(NODE_ENGINE="numpy", TMPDIR=str(temporary)) as platform:
        platform.up()
        world = World(platform=platform, temporary=temporary)
        _write_study(world, study)
        _learn_what_the_platform_made(world)
        password = world.state.secret("valkey")
        with Messages(port=world.port(16379), password=password) as messages:
            _journey(world, study)
            world.look_at_databases()
            world.said.extend(stored_messages(world.redis_url))
        world.said.append(messages.evidence())
        yield world


def _write_study(world: World, path: Path) -> None:
    """The kit's study with names that nobody else has."""
    with gzip.open(STUDY, "rt") as lines, BgzfWriter(path) as writer:
        for line in lines:
            columns = line.rstrip("\n").split("\t")
            if line.startswith("#CHROM"):
                names = [f"Person{secrets.token_hex(6)}" for _ in columns[9:]]
                world.learn("study: a name", names[7])
                columns[9:] = names
            elif not line.startswith("#") and columns[1] == "40020926":
                world.learn("study: genotypes", "\t".join(columns[9:29]))
                world.learn("study: genotypes in a list", ",".join(columns[9:29]))
            writer.write("\t".join(columns).encode() + b"\n")
    assert len(world.people) == 3


def _learn_what_the_platform_made(world: World) -> None:
    for path in sorted((world.state.root / "secrets").iterdir()):
        world.learn(path.name, path.read_text())
    for path in sorted((world.state.root / "nodes").glob("*.json")):
        world.learn(f"service's token at {path.stem}", json.loads(path.read_text())["token"])
    world.learn("administrator's password", world.state.admin_password.read_text().strip())
    assert len(world.canaries) >= 12


def _journey(world: World, study: Path) -> None:
    root, user, script = Caller(world), Caller(world), Caller(world)
    root.log_in("admin", world.state.admin_password.read_text().strip())
    world.learn("administrator's session", root.session_key)
    password = world.invent("password")
    new_user = {
        "username": "canary",
        "email": "canary@example.org",
        "password": password,
        "password_confirm": password,
    }
    root.call("POST", "/api/users/", 201, json=new_user)
    node_password = world.invent("password at the node")
    world.manage("node-afr", "node", "user", "add", "canary", given=f"{node_password}\n")
    token = world.learn(
        "token at the node", world.manage("node-afr", "node", "token", "canary").strip()
    )

    wrong = {"username": "canary", "password": world.invent("wrong password")}
    user.call("POST", "/api/auth/login/", 401, json=wrong)
    told = user.log_in("canary", password)
    world.learn("session", user.session_key)
    access = world.learn("access token", told["access_token"])
    refresh = world.learn("refresh token", told["refresh_token"])
    _learn_signing_keys(world)
    api_token = _use_scripts(world, user, script, access=access)

    job = user.submit(study, token=token)
    world.look_at_databases()
    user.follow(job, "completed")
    _fetch_results(world, user, job)
    failing = user.submit(study, token=world.invent("wrong token at the node"))
    user.follow(failing, "failed")

    renewed = user.call("POST", "/api/auth/token/refresh/", json={"refresh_token": refresh}).json()
    world.learn("next access token", renewed["access_token"])
    next_refresh = world.learn("next refresh token", renewed["refresh_token"])
    _break(world, user, script, study, api_token=api_token, refresh=next_refresh, password=password)
    user.call("POST", "/api/auth/token/refresh/", 401, json={"refresh_token": refresh})
    user.call("POST", "/api/auth/token/revoke/", None, json={"token": renewed["access_token"]})
    _administrate(root)
    _change_password(world, user, old=password)
    for command in (("keys", "rotate"), ("secrets", "rotate"), ("secrets", "list")):
        said = world.manage("monolith", *command)
        world.answers.append(Evidence(place=" ".join(command), content=said.encode()))
    user.call("POST", "/api/auth/logout/")
    world.look_at_processes()


def _learn_signing_keys(world: World) -> None:
    fernet = Fernet(world.state.secret("field-encryption-key"))
    with psycopg.connect(world.server(MONOLITH)) as connection:
        rows = connection.execute("SELECT encrypted FROM imputation_signingkey").fetchall()
    for number, (encrypted,) in enumerate(rows):
        lines = fernet.decrypt(encrypted).decode().splitlines()
        world.learn(f"signing key {number}", lines[1])
    assert rows


def _use_scripts(world: World, user: Caller, script: Caller, *, access: str) -> str:
    """Read with both kinds of token, and return the one for scripts."""
    script.call("GET", "/api/jobs/", headers={"Authorization": f"Bearer {access}"})
    wanted = {"name": "script", "scopes": ["jobs:read", "jobs:write"]}
    token = user.call("POST", "/api/auth/api-tokens/", 201, json=wanted).json()["token"]
    world.learn("API token", token)
    script.call("GET", "/api/jobs/", headers={"Authorization": f"Bearer {token}"})
    forged = world.learn("forged token", f"eyJhbGciOiJFUzI1NiJ9.{secrets.token_urlsafe(30)}.AAAA")
    script.call("GET", "/api/jobs/", None, headers={"Authorization": f"Bearer {forged}"})
    user.call("GET", "/api/auth/api-tokens/")
    return str(token)


def _fetch_results(world: World, user: Caller, job: str) -> None:
    for path in ("", "files/", "status_updates/"):
        user.call("GET", f"/api/jobs/{job}/{path}")
    for file in user.call("GET", f"/api/jobs/{job}/files/").json():
        user.call("GET", f"/api/jobs/{job}/files/{file['id']}/download/")
    told = user.call("POST", f"/api/jobs/{job}/reveal_password/").json()
    world.learn("password of the results", told["password"])


def _break(
    world: World,
    user: Caller,
    script: Caller,
    study: Path,
    *,
    api_token: str,
    refresh: str,
    password: str,
) -> None:
    """Errors that nobody expected, each while a secret is in the request."""
    with world.without_table("django_session"):
        user.call("GET", "/api/auth/user/", 500)
    with world.without_table("auth_user"):
        given = {"username": "canary", "password": password}
        Caller(world).call("POST", "/api/auth/login/", 500, json=given)
    with world.without_table("imputation_apitoken"):
        script.call("GET", "/api/jobs/", 500, headers={"Authorization": f"Bearer {api_token}"})
    with world.without_table("imputation_tokenfamily"):
        user.call("POST", "/api/auth/token/refresh/", 500, json={"refresh_token": refresh})
    with world.without_table("imputation_servicecredential"):
        user.submit(study, token=world.invent("token of a job that nobody made"), status=500)
    with world.without_table("imputation_jobstatusupdate"):
        user.submit(study, token=world.invent("token of another such job"), status=500)


def _administrate(root: Caller) -> None:
    """Every list of the admin, and the first row of each."""
    index = root.call("GET", "/admin/").text
    for page in sorted(set(re.findall(r'href="(/admin/[a-z_]+/[a-z_]+/)"', index))):
        listed = root.call("GET", page).text
        for row in sorted(set(re.findall(rf'href="({page}[^/"]+/change/)', listed)))[:2]:
            root.call("GET", row)
    for path in ("users/", "audit-logs/", "jobs/", "services/", "profiles/", "user-access/"):
        root.call("GET", f"/api/{path}")


def _change_password(world: World, user: Caller, *, old: str) -> None:
    user.log_in("canary", old)
    world.learn("second session", user.session_key)
    new = world.invent("new password")
    given = {"current_password": old, "new_password": new}
    user.call("POST", "/api/auth/change-password/", json=given)
    world.learn("session of the new password", user.session_key)


def test_logs_hold_no_secret_and_no_genotype(world: World):
    logs = list(files(world.state.root / "logs"))
    written = b"".join(log.content for log in logs)
    assert b"Traceback" in written  # of the errors that were provoked
    assert find(logs, world.canaries) == set()


def test_answers_hold_a_secret_only_where_its_owner_asked_for_it(world: World):
    assert len(world.answers) > 50
    found = find(world.answers, world.canaries)
    assert {
        (name, place) for name, place in found if place not in ANSWERED.get(name, set())
    } == set()
    assert {name for name, _ in found} == set(ANSWERED)  # so that the search sees what is there


def test_databases_hold_secrets_only_encrypted_or_hashed(world: World):
    monolith = world.dumps[MONOLITH]
    assert any(b"canary@example.org" in table.content for table in monolith)
    assert find(monolith, world.canaries) - STORED == set()


def test_databases_of_others_hold_no_secret_at_all(world: World):
    others = {name: found for name, found in world.dumps.items() if name != MONOLITH}
    assert {"node_afr_db", "node_eur_db"} <= set(others)
    for found in others.values():
        assert find(found, world.canaries) == set()


def test_messages_hold_no_secret(world: World):
    heard = b"".join(piece.content for piece in world.said)
    assert b"jobs." in heard
    assert find(world.said, world.canaries) == set()


def test_command_lines_hold_no_secret(world: World):
    assert any(b"postgres" in line.content for line in world.lines)
    assert find(world.lines, world.canaries) == set()


def test_files_left_hold_no_secret(world: World):
    assert find(files(world.temporary), world.canaries) == set()
    assert find(files(world.state.root / "data"), world.secrets) == set()
    assert find(files(world.state.root / "data"), world.people) != set()  # it is kept there


def test_search_finds_what_is_planted_in_each_place(world: World, tmp_path: Path):
    planted = Canary(name="planted", value=f'Planted-"{secrets.token_urlsafe(18)}/+"')
    for number, form in enumerate(sorted(planted.forms)):
        (tmp_path / f"{number}.log").write_bytes(b"before " + form + b" after")
    (tmp_path / "packed.gz").write_bytes(gzip.compress(planted.value.encode()))
    assert len(find(files(tmp_path), [planted])) == len(planted.forms) + 1

    with psycopg.connect(world.server("node_eur_db"), autocommit=True) as connection:
        connection.execute("CREATE TABLE planted (content bytea, document jsonb)")
        connection.execute(
            "INSERT INTO planted VALUES (%s, %s)",
            (planted.value.encode(), json.dumps({"x": planted.value})),
        )
        for column in ("content", "document"):
            connection.execute(
                sql.SQL("CREATE TABLE {0} AS SELECT {0} FROM planted").format(
                    sql.Identifier(column)
                )
            )
    assert find(dump(world.server("node_eur_db")), [planted]) == {
        ("planted", f"public.{table}") for table in ("planted", "content", "document")
    }

    body = json.dumps({"body": b64encode(json.dumps([[planted.value], {}]).encode()).decode()})
    with (
        Messages(port=world.port(16379), password=world.state.secret("valkey")) as messages,
        redis.Redis.from_url(world.redis_url) as client,
    ):
        client.lpush("planted", body)
        stored = list(stored_messages(world.redis_url))
        client.delete("planted")
    assert find([messages.evidence()], [planted]) == {("planted", "messages")}
    assert find(stored, [planted]) == {("planted", "key b'planted'")}

    with subprocess.Popen(
        [sys.executable, "-c", "input()", planted.value], stdin=subprocess.PIPE
    ) as child:
        assert find(command_lines(child.pid), [planted]) != set()
        child.communicate(b"\n")
