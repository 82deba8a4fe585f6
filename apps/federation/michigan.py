"""Speaks the Michigan Imputation Server API (Cloudgene 3 with imputationserver2).

What the API gives and what this adapter makes of it:

- The token goes in `X-Auth-Token`, to the service alone; never to where a download is redirected.
- A submission is one POST. An answer that says so in the service's own JSON means it was not
  accepted; silence, a cut, a 5xx of something in between, or a page that is no answer mean nobody
  knows (`Uncertain`), and `find` tells later. A checkbox is present for yes and absent for no,
  since presence with any value is yes there.
- Downloads are counted there, so a file is fetched with one GET and never probed. Its address
  holds its only key, so no error names it.
"""

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

from apps.federation import michigan_answers as answers
from apps.federation.downloads import fetch, fetch_known
from apps.federation.michigan_errors import decoded, error_of, words_of
from apps.federation.protocol import (
    Busy,
    Discovery,
    Download,
    ExternalFile,
    ExternalJob,
    FederationError,
    Forbidden,
    Malformed,
    NotAuthenticated,
    NotFound,
    Rejected,
    Submission,
    Uncertain,
    Unreachable,
)
from apps.shared.http.client import Answer, GuardedClient
from apps.shared.http.errors import NotSent, NoWholeAnswer, TooLarge

__all__ = ["APPLICATION", "LARGEST_DOWNLOAD", "Michigan"]

APPLICATION: Final = "imputationserver2"
LARGEST_DOWNLOAD: Final = 200 * 2**30

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,8192}")
_APPLICATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]+")
_FILE_NAME: Final = re.compile(r'[^/\\"\x00-\x1f\x7f]+\.vcf\.gz')
_MOST_PAGES: Final = 1000


class Michigan:
    """One user's view of one Michigan Imputation Server; implements `ImputationService`.

    Args:
        base_url: Where `/api/v2` lies below, `https://imputationserver.sph.umich.edu`.
        token: The user's API token.
        client: Makes the calls.
        application: Id of the imputation application, with or without `@version`.
        largest_download: Bytes; a larger file is not taken.

    Raises:
        NotAuthenticated: The token has characters that no token has.
        ValueError: The address or the application id cannot be one.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        client: GuardedClient,
        application: str = APPLICATION,
        largest_download: int = LARGEST_DOWNLOAD,
    ) -> None:
        token = token.strip()
        if not _TOKEN.fullmatch(token):
            raise NotAuthenticated("The API token is not well-formed.", status=401)
        if not _APPLICATION.fullmatch(application):
            raise ValueError("The application id is not well-formed.")
        if urlsplit(base_url).query or urlsplit(base_url).fragment:
            raise ValueError("The address of the service must end with its path.")
        self._base = base_url.rstrip("/")
        self._token = token
        self._client = client
        self._application = application
        self._largest_download = largest_download

    def __repr__(self) -> str:
        return f"Michigan({self._base!r})"

    def discover(self) -> Discovery:
        in_maintenance, words = answers.maintenance(self._get("/api/v2/server"))
        if in_maintenance:
            return Discovery(
                application=self._application,
                version="",
                panels=(),
                phasings=(),
                builds=(),
                modes=(),
                in_maintenance=True,
                maintenance_message=words,
            )
        schema = self._get(f"/api/v2/server/apps/{quote(self._application, safe='@')}")
        return answers.discovery(schema, application=self._application)

    def submit(
        self, submission: Submission, *, progress: Callable[[int], None] | None = None
    ) -> str:
        """As `ImputationService.submit`.

        Raises:
            ValueError: Before anything is sent: the tag, the password or a file name has
                characters that the service would change or drop, or two files share a name.
        """
        _check_submission(submission)
        with ExitStack() as stack:
            fields = _fields(submission) + [
                (
                    "files",
                    (file.name, stack.enter_context(file.path.open("rb")), "application/gzip"),
                )
                for file in submission.files
            ]
            body = MultipartEncoderMonitor(
                MultipartEncoder(fields), lambda sent: progress and progress(sent.bytes_read)
            )
            try:
                answer = self._client.call(
                    "POST",
                    f"{self._base}/api/v2/jobs/submit/{quote(self._application, safe='@')}",
                    headers={"Accept": "application/json", "Content-Type": body.content_type},
                    credentials={"X-Auth-Token": self._token},
                    body=body,
                    kind="upload",
                )
            except NotSent as error:
                raise Unreachable(str(error)) from None
            except NoWholeAnswer as error:
                raise Uncertain(f"{error} The job may have been created.") from None
        return self._submitted_id(answer)

    def find(self, tag: str) -> ExternalJob | None:
        """The newest job named exactly `tag`; reads the list page by page, newest first.

        Raises:
            Busy: Jobs were deleted while the list was read, each time, so a job may have slipped
                from an unread page onto one already read.
        """
        for _ in range(3):
            found, is_complete = self._search(tag)
            if found is not None or is_complete:
                return found
        raise Busy("The service's job list keeps changing while it is read.")

    def job(self, external_id: str) -> ExternalJob:
        return answers.job(self._get(f"/api/v2/jobs/{_checked_id(external_id)}"))

    def cancel(self, external_id: str) -> ExternalJob:
        return answers.job(self._get(f"/api/v2/jobs/{_checked_id(external_id)}/cancel"))

    def restart(self, external_id: str) -> None:
        """Restart a `DEAD` job under its own id.

        Raises:
            Rejected: It is not dead.
        """
        self._get(f"/api/v2/jobs/{_checked_id(external_id)}/restart")

    def download(
        self,
        file: ExternalFile,
        target: Path,
        *,
        password: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Download:
        """As `ImputationService.download`.

        Raises:
            DownloadsExhausted: The count is used up.
            NotFound: The file is gone.
            DownloadCut: It ended early or is damaged.
            DownloadFailed: Refused redirect, wrong password, too large, or no room on our side.
            Unreachable, Busy: Nothing was counted.
        """
        return fetch(
            self._client,
            f"{self._base}/share/results/{quote(file.locator, safe='')}/{quote(file.name)}",
            target,
            name=file.name,
            password=password,
            largest=self._largest_download,
            progress=progress,
        )

    def panel_sites(self, panel: str, folder: Path) -> tuple[Path, ...]:
        """As `ImputationService.panel_sites`, by an extension that nodes of the federation have.

        Other servers do not know the path and say so, which means that they publish none.

        Raises:
            DownloadCut: A file ended early or has another digest than announced.
            DownloadFailed: No room on our side, or the service does not give the file.
        """
        path = f"/api/v2/panels/{quote(panel, safe='@')}/sites"
        try:
            announced = answers.site_files(self._get(path))
        except (NotFound, Forbidden):
            return ()
        return tuple(
            fetch_known(
                self._client,
                f"{self._base}{path}/{file.chromosome}.vcf.gz",
                folder / f"{file.chromosome}.vcf.gz",
                credentials={"X-Auth-Token": self._token},
                size=file.size,
                sha256=file.sha256,
            )
            for file in announced
        )

    def _search(self, tag: str) -> tuple[ExternalJob | None, bool]:
        """The job, and whether no job can have slipped past."""
        seen, first_count = 0, None
        for page in range(1, _MOST_PAGES + 1):
            jobs, count = answers.job_list(self._get(f"/api/v2/jobs?page={page}"))
            for job in jobs:
                if job.get("name") == tag:
                    return answers.job(job), True
            first_count = count if first_count is None else first_count
            if count < first_count:
                return None, False
            seen += len(jobs)
            if not jobs or seen >= count:
                return None, True
        raise Malformed("The service's job list does not end.")

    def _get(self, path: str) -> Any:
        try:
            answer = self._client.call(
                "GET",
                f"{self._base}{path}",
                headers={"Accept": "application/json"},
                credentials={"X-Auth-Token": self._token},
            )
        except NotSent as error:
            raise Unreachable(str(error)) from None
        except TooLarge as error:
            raise Malformed(str(error)) from None
        except NoWholeAnswer as error:
            raise Uncertain(str(error)) from None
        body = decoded(answer.body)
        if answer.status == 200 and isinstance(body, dict):
            if body.get("success") is False:
                raise Rejected(self._words(answer), status=200)
            return body
        raise self._error(answer)

    def _submitted_id(self, answer: Answer) -> str:
        """The id in the answer to a submission.

        Raises:
            Rejected, Busy, Malformed: The job was not created.
            Uncertain: The answer does not tell.
        """
        body = decoded(answer.body)
        is_own = isinstance(body, dict)
        if is_own and answer.status == 200 and body.get("success") is not False:
            external_id = body.get("id")
            if isinstance(external_id, str) and answers.JOB_ID.fullmatch(external_id):
                return external_id
            raise Uncertain("The service took the job and told no usable id.")
        if is_own and answer.status == 200:
            raise Rejected(self._words(answer), status=200)
        if 400 <= answer.status < 500 or (is_own and answer.status == 503):
            raise self._error(answer)
        # A 2xx or 3xx that is no answer, or a 5xx of something between us and the service.
        raise Uncertain(
            f"The service answered {answer.status}; the job may have been created. "
            f"{self._words(answer)}".rstrip()
        )

    def _error(self, answer: Answer) -> FederationError:
        return error_of(answer.status, answer.headers, answer.body, secret=self._token)

    def _words(self, answer: Answer) -> str:
        return words_of(answer.body, secret=self._token)


def _check_submission(submission: Submission) -> None:
    names = [file.name for file in submission.files]
    if not names or not all(_FILE_NAME.fullmatch(name) for name in names):
        raise ValueError("The service reads files named *.vcf.gz only.")
    if len(set(names)) != len(names):
        raise ValueError("Two files of the same name would overwrite each other.")
    if not _WORD.fullmatch(submission.tag):
        raise ValueError("A tag has letters, digits, '_', '.' and '-' only.")
    if submission.password is not None and not _WORD.fullmatch(submission.password):
        raise ValueError("A password has letters, digits, '_', '.' and '-' only.")


def _fields(submission: Submission) -> list[tuple[str, Any]]:
    fields = [
        ("job-name", submission.tag),
        ("refpanel", submission.panel),
        ("build", submission.build),
        ("r2Filter", f"{submission.r2_filter:g}"),
        ("phasing", submission.phasing),
        ("population", submission.population),
        ("mode", submission.mode),
    ]
    if submission.aes:
        fields.append(("aesEncryption", "true"))
    if submission.meta:
        fields.append(("meta", "true"))
    if submission.password is not None:
        fields.append(("password", submission.password))
    return fields


def _checked_id(external_id: str) -> str:
    if not answers.JOB_ID.fullmatch(external_id):
        raise ValueError("The external id is not one that this service gave.")
    return external_id
