"""What the demonstration asks of the platform: the public API, as any researcher's script would.

The only address ever called is the monolith's own; proxies and `.netrc` of the shell are ignored.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import requests
from requests_toolbelt import MultipartEncoder

__all__ = [
    "ApiRefused",
    "DownloadDiffers",
    "Event",
    "Job",
    "JobFile",
    "OfferedPanel",
    "PlatformApi",
]

_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 60.0
_DOWNLOAD_TRIES: Final = 5
_BLOCK: Final = 1 << 18
_FINAL: Final = frozenset({"completed", "failed", "cancelled"})


class ApiRefused(Exception):
    """The API answered no; the message holds its words."""

    def __init__(self, method: str, path: str, response: requests.Response) -> None:
        super().__init__(f"{method} {path}: {response.status_code} {response.text[:500]}")
        self.status = response.status_code


@dataclass(frozen=True, kw_only=True)
class OfferedPanel:
    """A reference panel and the service that offers it, by the platform's ids."""

    id: int
    service_id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened to a job; `facts` are its machine-readable part."""

    status: str
    message: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as the API tells it.

    Attributes:
        percent: Progress, 0 to 100.
        service_job_id: The service's own id; empty before it accepted the job.
        reason: Why it failed, in the service's words; empty unless it did.
        events: Oldest first.
    """

    id: str
    status: str
    percent: int
    service_job_id: str
    reason: str
    events: tuple[Event, ...]

    @property
    def is_over(self) -> bool:
        return self.status in _FINAL

    @property
    def message(self) -> str:
        """The latest news, its first line."""
        lines = self.events[-1].message.split("\n") if self.events else []
        return next((" ".join(line.split()) for line in lines if line.strip()), "")


@dataclass(frozen=True, kw_only=True)
class JobFile:
    """A result file that lies on the platform; `sha256` may be empty where none is stored."""

    id: int
    name: str
    size: int
    sha256: str


class DownloadDiffers(Exception):
    """What arrived is not what the platform stores."""


class PlatformApi:
    """The API of one platform, logged in once.

    Every method raises `ApiRefused` for an answer of 400 and above, and `requests.RequestException`
    when there is none.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def log_in(self, username: str, password: str) -> None:
        """Start a session; all later calls are this user's."""
        self._call("POST", "/api/auth/login/", json={"username": username, "password": password})

    def find_panel(self, *, service_url: str, key: str) -> OfferedPanel | None:
        """The active panel that the service at `service_url` knows as `key`."""
        for service in self._pages("/api/services/"):
            if service["api_url"].rstrip("/") != service_url:
                continue
            for panel in self._pages(f"/api/reference-panels/?service={service['id']}"):
                if panel["panel_id"] == key:
                    return OfferedPanel(
                        id=panel["id"], service_id=service["id"], name=panel["name"]
                    )
        return None

    def submit(
        self,
        *,
        name: str,
        panel: OfferedPanel,
        build: str,
        population: str,
        phasing: bool,
        input_file: Path,
    ) -> str:
        """Upload a study in one pass over its file and return the id of its new job."""
        with input_file.open("rb") as content:
            body = MultipartEncoder(
                {
                    "name": name,
                    "description": "Sent by `make demo`.",
                    "service": str(panel.service_id),
                    "reference_panel": str(panel.id),
                    "input_format": "vcf",
                    "build": build,
                    "phasing": "true" if phasing else "false",
                    "population": population,
                    "input_file": (input_file.name, content, "application/gzip"),
                }
            )
            headers = {"Content-Type": body.content_type}
            answer = self._call("POST", "/api/jobs/", data=body, headers=headers).json()
        return str(answer["id"])

    def job(self, job_id: str) -> Job:
        content = self._call("GET", f"/api/jobs/{job_id}/").json()
        updates = sorted(content["status_updates"], key=lambda update: update["id"])
        return Job(
            id=content["id"],
            status=content["status"],
            percent=content["progress_percentage"],
            service_job_id=content["external_job_id"],
            reason=content["error_message"],
            events=tuple(
                Event(
                    status=update["status"],
                    message=update["message"],
                    facts=update.get("external_data") or {},
                )
                for update in updates
            ),
        )

    def files(self, job_id: str) -> list[JobFile]:
        """The job's result files, by name."""
        found = self._call("GET", f"/api/jobs/{job_id}/files/").json()
        return sorted(
            (
                JobFile(
                    id=file["id"],
                    name=file["filename"],
                    size=file["file_size"],
                    sha256=file.get("checksum") or "",
                )
                for file in found
            ),
            key=lambda file: file.name,
        )

    def download(self, job_id: str, file: JobFile, path: Path) -> str:
        """Write a result file to `path` and return the SHA-256 of what arrived.

        A connection that breaks is continued where it broke, a few times.

        Raises:
            DownloadDiffers: It is not what the platform stores.
        """
        digest = sha256()
        received = 0
        with path.open("wb") as out:
            for attempt in range(_DOWNLOAD_TRIES):
                try:
                    for block in self._blocks(job_id, file, start=received):
                        out.write(block)
                        digest.update(block)
                        received += len(block)
                except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                    if attempt == _DOWNLOAD_TRIES - 1:
                        raise
                if received >= file.size:
                    break
        if received != file.size or (file.sha256 and digest.hexdigest() != file.sha256):
            raise DownloadDiffers(f"{file.name} arrived with {received} of {file.size} bytes.")
        return digest.hexdigest()

    def reveal_password(self, job_id: str) -> str:
        """The password of the job's encrypted result files."""
        answer = self._call("POST", f"/api/jobs/{job_id}/reveal_password/").json()
        return str(answer["password"])

    def _blocks(self, job_id: str, file: JobFile, *, start: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={start}-"} if start else {}
        path = f"/api/jobs/{job_id}/files/{file.id}/download/"
        with self._call("GET", path, headers=headers, stream=True) as response:
            if start and not _starts_at(response, start):
                raise DownloadDiffers(f"{file.name} could not be continued at byte {start}.")
            yield from response.iter_content(_BLOCK)

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            separator = "&" if "?" in path else "?"
            content = self._call("GET", f"{path}{separator}page={page}").json()
            yield from content["results"]
            if not content["next"]:
                return
            page += 1

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = dict(options.pop("headers", {}))
        if token := self._session.cookies.get("csrftoken"):
            headers["X-CSRFToken"] = token
        response = self._session.request(
            method,
            self._url + path,
            headers=headers,
            timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
            allow_redirects=False,
            **options,
        )
        if not 200 <= response.status_code < 300:
            with response:
                raise ApiRefused(method, path, response)
        return response


def _starts_at(response: requests.Response, start: int) -> bool:
    given = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return given is not None and int(given[1]) == start
