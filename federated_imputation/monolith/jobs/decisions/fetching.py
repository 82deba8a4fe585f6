"""Bringing the files home: one GET for each, every one counted by the service."""

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from apps.federation.protocol import (
    Download,
    DownloadCut,
    DownloadFailed,
    DownloadsExhausted,
    ExternalFile,
    ExternalJob,
    FederationError,
    NoRoom,
    NotFound,
)
from federated_imputation.monolith.jobs.decisions.work import (
    Event,
    Outcome,
    Work,
    backed_off,
    ended,
    failed,
    failing_for,
)
from federated_imputation.monolith.jobs.states import Status

__all__ = ["fetch_failed", "fetched", "finished", "next_file", "room_needed"]

# A file that keeps failing leaves the rest of its downloads to the user. A cut may be chance; a
# wrong password or a refused address hardly is.
MOST_CUTS: Final = 5
MOST_OTHER_FAILURES: Final = 2
UNANSWERED_FOR: Final = timedelta(days=7)
SPARE_ROOM: Final = 64 * 2**20
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,3})?) ?(bytes|[kmgt]i?b)", re.IGNORECASE)
_UNITS: Final = {
    "bytes": 1,
    **{f"{letter}{i}b": 1024**n for n, letter in enumerate("kmgt", 1) for i in ("", "i")},
}
# Nobody waits for the files of a job that failed, or that its owner wants to end.
UNWANTED_UNANSWERED_FOR: Final = timedelta(minutes=10)


def room_needed(file: ExternalFile) -> int:
    """Bytes that must be free here before `file` is asked for, by the service's rounded words.

    A download is counted as soon as it begins, so it does not begin where it cannot end.
    """
    told = _SIZE.fullmatch(file.size_text.strip())
    if told is None:
        return SPARE_ROOM
    return SPARE_ROOM + int(float(told[1]) * 1.1 * _UNITS[told[2].lower()])


def next_file(work: Work, external: ExternalJob, *, stored: Collection[str]) -> ExternalFile | None:
    """The first file that is neither here nor given up; `None` when there is none."""
    for file in external.files:
        if file.name not in stored and file.name not in work.skipped:
            return file
    return None


def fetched(
    work: Work,
    file: ExternalFile,
    download: Download,
    *,
    external: ExternalJob,
    stored: Collection[str],
) -> Outcome:
    """`file` is here, whole, beside those in `stored`; the last one ends the job."""
    event = Event(
        message=f"Fetched {file.name} ({download.size} bytes).",
        facts={
            "file": file.name,
            "size": download.size,
            "sha256": download.sha256,
            "downloads_used": 1,
            "downloads_left": _left(file, used=1),
        },
    )
    outcome = Outcome(work=work.at_ease(cuts=0))
    if next_file(outcome.work, external, stored={*stored, file.name}) is None:
        outcome = finished(outcome.work, external)
    return replace(outcome, events=(event, *outcome.events))


def fetch_failed(
    work: Work, error: FederationError, *, file: ExternalFile, now: datetime, jitter: float
) -> Outcome:
    """`file` could not be had this time.

    Without every file there is no result, so a file that cannot be had fails the job by name; of
    a job that failed at the service it is only left out.
    """
    used = int(isinstance(error, DownloadFailed) and error.counted)
    facts = {"file": file.name, "downloads_used": used, "downloads_left": _left(file, used=used)}
    is_ours = isinstance(error, NoRoom)
    # What fails on our side costs the user nothing unless the service has counted it.
    cuts = work.cuts + (bool(used) if is_ours else isinstance(error, DownloadFailed))
    most_cuts = MOST_CUTS if isinstance(error, DownloadCut) or is_ours else MOST_OTHER_FAILURES
    unwanted = bool(work.failure) or work.cancel_requested
    given_up = (
        isinstance(error, DownloadsExhausted | NotFound)
        or (isinstance(error, DownloadFailed) and cuts >= most_cuts)
        or failing_for(work, now) >= (UNWANTED_UNANSWERED_FOR if unwanted else UNANSWERED_FOR)
    )
    if not given_up:
        return backed_off(
            replace(work, cuts=cuts),
            f"{file.name} could not be fetched: {error}",
            error,
            now=now,
            jitter=jitter,
            told=isinstance(error, DownloadFailed) and not is_ours,
            facts=facts,
        )
    reason = f"{file.name} cannot be fetched: {error}"
    if not work.failure:
        return failed(work, reason, facts=facts)
    return Outcome(
        work=work.at_ease(cuts=0, skipped=(*work.skipped, file.name)),
        events=(Event(message=reason, facts=facts),),
    )


def finished(work: Work, external: ExternalJob) -> Outcome:
    """Nothing is left to fetch: the job ends as the service ended it."""
    if work.failure:
        return failed(work, work.failure)
    if not external.files:
        return failed(work, "The service finished the job but offers no files.")
    words = f"Completed: all {len(external.files)} files are here, with their checksums."
    facts = {"files": len(external.files)}
    return ended(replace(work, progress=100), Status.COMPLETED, words, facts=facts)


def _left(file: ExternalFile, *, used: int) -> int | None:
    return None if file.downloads_left is None else max(0, file.downloads_left - used)
