"""What the platform asks of an external imputation service, whatever API it speaks.

Adapters (`apps.federation.michigan`, later WES and DNAstack) implement `ImputationService`; the
jobs domain knows only this module. Everything an adapter returns is clean text and plain values.

Errors, each saying what a caller may conclude::

    FederationError
    ├── Unreachable            nothing was received there (no connection): safe to repeat
    │   └── HeldBack           it does not answer lately and was not even called; `next_try_at`
    ├── Uncertain              it may have been received (cut or timed out after sending)
    ├── Busy                   not now: job limit, maintenance, 429; `retry_after` seconds
    │   └── Down               5xx: it, or something between us and it, is broken
    ├── Rejected               a final no with the service's own words (400, 413, …)
    │   ├── NotAuthenticated   401: token missing, wrong or expired
    │   ├── Forbidden          403
    │   └── NotFound           404: job, application or file
    ├── Malformed              it answered something that is not the protocol (HTML, cut JSON, …)
    └── DownloadFailed         a file could not be had; `counted` says if a download was used
        ├── DownloadCut        the body ended early or failed its checksum: may be tried again
        ├── NoRoom             it could not be written on our side
        └── DownloadsExhausted the service's count is used up
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Literal, Protocol

__all__ = [
    "Busy",
    "Discovery",
    "Down",
    "Download",
    "DownloadCut",
    "DownloadFailed",
    "DownloadsExhausted",
    "ExternalFile",
    "ExternalJob",
    "ExternalState",
    "FederationError",
    "Forbidden",
    "HeldBack",
    "ImputationService",
    "InputFile",
    "Malformed",
    "Message",
    "MessageKind",
    "NoRoom",
    "NotAuthenticated",
    "NotFound",
    "OfferedPanel",
    "Phasing",
    "Rejected",
    "Step",
    "Submission",
    "Uncertain",
    "Unreachable",
]

Phasing = Literal["eagle", "beagle", "no_phasing"]


class ExternalState(Enum):
    """Where a job stands at the service, in words that hold for every API."""

    WAITING = "waiting"
    RUNNING = "running"
    EXPORTING = "exporting"  # computed, results not there yet
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETIRED = "retired"  # finished earlier, files deleted
    DELETED = "deleted"
    DEAD = "dead"  # the service restarted under the job; it may be restarted

    @property
    def is_final(self) -> bool:
        """Whether the service will do nothing more by itself."""
        return self not in {self.WAITING, self.RUNNING, self.EXPORTING}


class MessageKind(Enum):
    OK = "ok"
    ERROR = "error"
    WARNING = "warning"
    RUNNING = "running"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One line of the service's own words, cleaned of HTML."""

    kind: MessageKind
    text: str
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    name: str
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExternalFile:
    """A file that the service offers.

    Attributes:
        name: Path below the output, `chr_20.zip` or `statistics/snps-excluded.txt`.
        locator: What `ImputationService.download` needs; opaque and secret (it may be the only
            key to the file), so it is never logged or shown.
        downloads_left: How often it may still be fetched; `None` means without limit.
        size_text: The service's rounded words, `314 MB`.
        output: The output it belongs to, `output` or `cloudgene_logs`.
    """

    name: str
    locator: str = field(repr=False)
    downloads_left: int | None = None
    size_text: str = ""
    output: str = "output"


@dataclass(frozen=True, kw_only=True)
class ExternalJob:
    """A job as the service tells it now.

    Attributes:
        id: The service's id.
        name: The tag that was given at submission.
        state: Its state, never guessed: an unknown one raises `Malformed`.
        queue_position: 0 is next; `None` when it is not queued.
        steps: In the service's order, those without messages included.
        files: Files of all outputs; may be non-empty after a failure.
        progress: 0 to 100 from the service's own progress lines and finished steps; never falls
            within a run.
    """

    id: str
    name: str
    state: ExternalState
    queue_position: int | None = None
    steps: tuple[Step, ...] = ()
    files: tuple[ExternalFile, ...] = ()
    progress: int = 0


@dataclass(frozen=True, kw_only=True)
class OfferedPanel:
    """A reference panel that a service offers.

    Attributes:
        key: What a submission must name, `apps@kit-afr@1.0.0`; never made up, always discovered.
        populations: Population ids a submission may name for this panel, in the service's order.
        build: `hg19` or `hg38` when the service says it, else ''.
    """

    key: str
    name: str
    populations: tuple[str, ...] = ()
    build: str = ""


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What a service offers at this moment.

    Attributes:
        panels: () while the service is in maintenance, for then it does not tell.
        r2_filters: The cut-offs that a submission may name, in the service's order.
    """

    application: str
    version: str
    panels: tuple[OfferedPanel, ...]
    phasings: tuple[str, ...]
    builds: tuple[str, ...]
    modes: tuple[str, ...]
    r2_filters: tuple[float, ...] = ()
    in_maintenance: bool = False
    maintenance_message: str = ""


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file on disk to upload under `name`; read in blocks, never whole."""

    path: Path
    name: str


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A job to submit.

    Attributes:
        tag: Unique at the service and searchable, `fip-<job uuid>`: the key that makes a
            submission happen at most once.
        panel: Key of an `OfferedPanel`.
        build: `hg19` or `hg38`, of the input.
        population: One of the panel's populations.
        r2_filter: Sites below this R² are left out; 0 keeps all.
        password: For the result zips, `A-Za-z0-9_.-` only; `None` lets the service choose.
        meta: Whether the leave-one-out dosages are wanted too.
    """

    tag: str
    panel: str
    files: tuple[InputFile, ...]
    build: str
    phasing: Phasing
    population: str
    mode: Literal["imputation", "qc_only"] = "imputation"
    r2_filter: float = 0.0
    meta: bool = True
    aes: bool = True
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file that is now on disk, whole.

    Attributes:
        size: Bytes.
        sha256: Of the bytes on disk, lower-case hex.
        members: For a zip, the names of its members, every one decrypted and checked by CRC;
            () when that needs a password and none was given.
    """

    path: Path
    size: int
    sha256: str
    members: tuple[str, ...] = ()


class ImputationService(Protocol):
    """One user's view of one external service. Every call may raise any `FederationError`."""

    def discover(self) -> Discovery:
        """What it offers now."""

    def submit(
        self, submission: Submission, *, progress: Callable[[int], None] | None = None
    ) -> str:
        """Upload the files and create a job; return its external id. Never repeats by itself.

        `progress` is called with the bytes so far before each block is sent; what it raises ends
        the upload and rises.
        """

    def find(self, tag: str) -> ExternalJob | None:
        """The newest job of this user that was submitted under `tag`, or None."""

    def job(self, external_id: str) -> ExternalJob:
        """The job as it stands now."""

    def cancel(self, external_id: str) -> ExternalJob:
        """Ask for cancellation; the answer tells whether it has happened."""

    def restart(self, external_id: str) -> None:
        """Restart a `DEAD` job under its own id."""

    def download(
        self,
        file: ExternalFile,
        target: Path,
        *,
        password: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Download:
        """Fetch `file` with exactly one GET into `target`, which appears only when it is whole.

        A zip is opened with `password` and every member is checked by CRC. `progress` is called
        with the bytes so far; what it raises ends the download and rises.
        """

    def panel_sites(self, panel: str, folder: Path) -> tuple[Path, ...]:
        """Fetch the sites of the panel with this key into `folder`, which exists.

        One VCF without genotypes (BGZF, with the frequency of ALT as `INFO/AF`) for each
        chromosome, in the service's order; each is whole and has the SHA-256 that the service
        tells. A file that is there already with that digest is not fetched again. () when the
        service publishes none for this panel.
        """


class FederationError(Exception):
    """Base of all; `str()` is a sentence that may be shown to the user and holds no secret."""


class Unreachable(FederationError):
    pass


class HeldBack(Unreachable):
    def __init__(self, message: str, *, next_try_at: datetime) -> None:
        super().__init__(message)
        self.next_try_at = next_try_at


class Uncertain(FederationError):
    pass


class Busy(FederationError):
    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Down(Busy):
    pass


class Rejected(FederationError):
    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotAuthenticated(Rejected):
    pass


class Forbidden(Rejected):
    pass


class NotFound(Rejected):
    pass


class Malformed(FederationError):
    pass


class DownloadFailed(FederationError):
    """Raised with `counted`: whether the service took one off the file's count."""

    def __init__(self, message: str, *, counted: bool) -> None:
        super().__init__(message)
        self.counted = counted


class DownloadCut(DownloadFailed):
    pass


class NoRoom(DownloadFailed):
    pass


class DownloadsExhausted(DownloadFailed):
    pass
