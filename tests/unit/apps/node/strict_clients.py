"""Two programs that know the Michigan API, as strict as the ones that people use.

`Bot` sends what the official command line client sends, in its order and form, and reads answers
as its JSON library does: a member that is missing, null or of another type is an error.
`read_job` demands of a job what the Python toolkit of another such server demands.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyzipper
import requests

APPLICATION = "imputationserver2"
OLDEST_VERSION = (1, 2, 1)
BOUNDARY = "a9Kx-2Lq"
NO_OPTIONS = {"separator", "terms_checkbox", "info", "group", "agbcheckbox"}
RUNNING, SUCCESS, RETIRED = {1, 2, 3}, 4, 7


class BotError(Exception):
    """What the client would print, and the status behind it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def text(holder: Mapping[str, Any], name: str) -> str:
    value = holder[name]
    assert isinstance(value, str), f"{name} is no text: {value!r}"
    return value


def number(holder: Mapping[str, Any], name: str) -> int:
    value = holder[name]
    assert isinstance(value, int), f"{name} is no number: {value!r}"
    assert not isinstance(value, bool), f"{name} is no number: {value!r}"
    return value


def truth(holder: Mapping[str, Any], name: str) -> bool:
    value = holder[name]
    assert isinstance(value, bool), f"{name} is neither true nor false: {value!r}"
    return value


def objects(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = holder[name]
    assert isinstance(value, list), f"{name} is no list: {value!r}"
    assert all(isinstance(each, dict) for each in value), f"{name} is not of objects: {value!r}"
    return value


@dataclass(frozen=True, kw_only=True)
class Bot:
    """The official client with one server and token in its list."""

    url: str
    token: str

    def _headers(self) -> dict[str, str]:
        agent = "imputation-bot 2.1.0 (OS: Linux, Java: 11.0.2)"
        return {"X-Auth-Token": self.token, "User-Agent": agent}

    def _get(self, path: str) -> Any:
        return _read(requests.get(self.url + path, headers=self._headers(), timeout=30))

    def add_instance(self) -> str:
        """Verify the token, greet its owner, look for the application; what is printed."""
        answer = requests.post(
            f"{self.url}/api/v2/tokens/verify",
            data={"token": self.token},
            headers=self._headers(),
            timeout=30,
        )
        verified = _read(answer)
        if not truth(verified, "valid"):
            raise BotError(100, text(verified, "message"))
        assert datetime.fromisoformat(text(verified, "expire")).tzinfo is not None
        text(verified, "username"), text(verified, "name"), text(verified, "message")
        server = self._get("/api/v2/server")
        user = server["user"]
        text(user, "username"), text(user, "mail")
        application = self.application()
        return (
            f"Hi {text(user, 'name')}: {text(server, 'name')} "
            f"({text(application, 'name')}) {text(application, 'version')}"
        )

    def application(self) -> Any:
        """The description of the application that imputes."""
        for listed in objects(self._get("/api/v2/server"), "apps"):
            text(listed, "name"), text(listed, "version")
            if text(listed, "id").split("@")[0] == APPLICATION:
                found = self._get(f"/api/v2/server/apps/{text(listed, 'id')}")
                version = text(found, "version")
                assert re.fullmatch(r"\d+\.\d+\.\d+(-.*)?", version), version
                assert tuple(map(int, version.split("-")[0].split("."))) >= OLDEST_VERSION
                return found
        raise BotError(100, f"No imputationserver application found on {self.url}")

    def panels(self) -> dict[str, list[str]]:
        """Ids of panels, each with the ids of its populations."""
        params = {text(each, "id"): each for each in objects(self.application(), "params")}
        populations = {
            text(bound, "key"): [
                text(value, "key") for value in objects(bound, "values") if text(value, "value")
            ]
            for bound in objects(params["population"], "values")
        }
        return {
            _short(text(value, "key")): populations[text(value, "key")]
            for value in objects(params["refpanel"], "values")
            if text(value, "value")
        }

    def impute(self, study: bytes, *, mode: str = "imputation", **options: str) -> str:
        """Submit with the options that the server's form has; the job's id."""
        application = self.application()
        params = objects(application, "params")
        chosen = {text(each, "id"): options.get(each["id"], text(each, "value")) for each in params}
        parts = b"".join(
            _part(f'name="{name}"', value.encode(), "text/plain; charset=ISO-8859-1", "8bit")
            for name, value in [*_fields(params, chosen), ("mode", mode), *_extra(options)]
        )
        parts += _part(
            'name="files"; filename="study.vcf.gz"', study, "application/octet-stream", "binary"
        )
        answer = requests.post(
            f"{self.url}/api/v2/jobs/submit/{text(application, 'id')}",
            data=parts + f"--{BOUNDARY}--\r\n".encode(),
            headers={
                **self._headers(),
                "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            },
            timeout=60,
        )
        return text(self.details(text(_read(answer), "id")), "id")

    def details(self, job_id: str) -> Any:
        job = self._get(f"/api/v2/jobs/{job_id}")
        text(job, "name"), text(job, "application"), number(job, "positionInQueue")
        assert number(job, "submittedOn") > 0
        assert number(job, "endTime") - number(job, "startTime") > -(10**14)
        return job

    def is_running(self, job_id: str) -> bool:
        return number(self._get(f"/api/v2/jobs/{job_id}/status"), "state") in RUNNING

    def jobs(self) -> list[str]:
        return [text(job, "id") for job in objects(self._get("/api/v2/jobs"), "data")]

    def download(self, job_id: str, *, password: str) -> dict[str, bytes]:
        """All files of a job, archives opened: without the token, and twice, to learn the size."""
        job = self.details(job_id)
        if number(job, "state") == RETIRED:
            raise BotError(400, "File could not be downloaded. Job is retired.")
        if number(job, "state") != SUCCESS:
            raise BotError(400, "File could not be downloaded. Job execution was not successfull.")
        files: dict[str, bytes] = {}
        for output in objects(job, "outputParams"):
            for file in objects(output, "files"):
                name = text(file, "name")
                link = f"{self.url}/share/results/{text(file, 'hash')}/{name}"
                for _ in range(2):
                    answer = requests.get(link, timeout=60)
                    if answer.status_code not in {200, 204}:
                        raise BotError(
                            400, "File could not be downloaded. Max download limit exceeded."
                        )
                files[f"{text(output, 'name')}/{name}"] = answer.content
                if name.endswith(".zip"):
                    files.update(_opened(answer.content, password))
        return files


def read_job(job: Mapping[str, Any]) -> None:
    """Read a job as a client that knows each member; an AssertionError or KeyError names one."""
    for name in ("application", "applicationId", "id"):
        assert text(job, name), name
    for name in ("positionInQueue", "state"):
        number(job, name)
    for name in ("submittedOn", "startTime", "endTime", "deletedOn", "currentTime"):
        datetime.fromtimestamp(number(job, name) / 1000)  # noqa: DTZ006 - as the client does
    assert job["state"] in {-1, *range(1, 11)}
    for step in objects(job, "steps"):
        number(step, "id"), text(step, "name")
        for message in objects(step, "logMessages"):
            assert truth(message, "success")
            assert number(message, "type") in range(4)
            number(message, "time"), text(message, "message")
    for output in objects(job, "outputParams"):
        number(output, "id"), text(output, "jobId"), truth(output, "download")
        truth(output, "autoExport"), text(output, "hash"), text(output, "description")
        assert output["type"] in {None, "local_folder", "local_file"}
        _read_tree(objects(output, "tree"))
        for file in objects(output, "files"):
            number(file, "count"), number(file, "parameterId"), text(file, "hash")
            amount, unit = text(file, "size").split()
            assert int(amount) >= 0
            assert unit.lower() in {"bytes", "kb", "mb", "gb"}
            text(file, "name"), text(file, "path"), text(file, "user")


def _read_tree(nodes: list[dict[str, Any]]) -> None:
    for node in nodes:
        text(node, "name"), text(node, "path"), text(node, "hash"), text(node, "size")
        truth(node, "folder")
        _read_tree(objects(node, "childs"))


def _read(answer: requests.Response) -> Any:
    if answer.status_code in {200, 201}:
        return answer.json()
    if answer.status_code == 401:
        raise BotError(401, "The provided Token is invalid.")
    raise BotError(answer.status_code, text(answer.json(), "message"))


def _fields(params: list[dict[str, Any]], chosen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    by_id = {param["id"]: param for param in params}
    for param in params:
        name, kind = text(param, "id"), text(param, "type")
        if name == "mode" or kind in NO_OPTIONS:
            continue
        text(param, "description"), truth(param, "required")
        value = chosen[name]
        if kind == "app_list":
            yield name, _full_key(param, value)
        elif kind == "list":
            assert value in {text(each, "key") for each in objects(param, "values")}, name
            yield name, value
        elif kind == "binded_list":
            bound = text(param, "bind")
            key = _full_key(by_id[bound], chosen[bound])
            (choice,) = (each for each in objects(param, "values") if text(each, "key") == key)
            assert value in {text(each, "key") for each in objects(choice, "values")}, name
            yield name, value
        elif kind == "checkbox":
            labels = {text(each, "key"): text(each, "value") for each in objects(param, "values")}
            if value == labels["true"]:
                yield name, value


def _extra(options: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for option, name in (("password", "password"), ("name", "job-name")):
        if option in options:
            yield name, options[option]


def _full_key(param: Mapping[str, Any], value: str) -> str:
    keys = [text(each, "key") for each in objects(param, "values")]
    (key,) = (each for each in keys if value in {each, _short(each)})
    return key


def _short(key: str) -> str:
    parts = key.split("@")
    return parts[1] if len(parts) > 1 else key


def _part(disposition: str, content: bytes, kind: str, encoding: str) -> bytes:
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n"
        f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


def _opened(archive: bytes, password: str) -> dict[str, bytes]:
    with pyzipper.AESZipFile(io.BytesIO(archive)) as opened:
        opened.setpassword(password.encode())
        return {name: opened.read(name) for name in opened.namelist()}
