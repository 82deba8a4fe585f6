"""Fetches one counted file: one GET, at most three redirects, whole and checked or not at all."""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn
from urllib.parse import urljoin

from apps.federation.archives import Damaged, WrongPassword, check
from apps.federation.michigan_errors import retry_after, words_of
from apps.federation.protocol import (
    Busy,
    Download,
    DownloadCut,
    DownloadFailed,
    DownloadsExhausted,
    Malformed,
    NotFound,
    Rejected,
    Unreachable,
)
from apps.shared.durable import sync_folder
from apps.shared.http.client import GuardedClient, OpenAnswer
from apps.shared.http.errors import NotSent, NoWholeAnswer, OutgoingError, TooLarge

__all__ = ["fetch"]

_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = {301, 302, 303, 307, 308}
_WORDS_READ: Final = 1 << 14


def fetch(
    client: GuardedClient,
    url: str,
    target: Path,
    *,
    name: str,
    password: str | None,
    largest: int,
    progress: Callable[[int], None] | None,
) -> Download:
    """Fetch `url` into `target`, which appears only when the file is whole and on the disk.

    A service counts a download when it answers 200 or a redirect, so that everything after that is
    `counted`; a request without any answer is called counted too, since it may have been.

    Args:
        client: Makes the calls; every redirect passes its guard, and none carries a credential.
        url: Secret.
        target: In a folder that exists; an older file there is replaced.
        name: At the service; its ending says how the file is checked.
        password: Of a zip.
        largest: Bytes.
        progress: Called with the bytes so far.
    """
    with ExitStack() as stack:
        answer = _open(client, url, largest, stack)
        partial, file = stack.enter_context(_partial_beside(target))
        digest, size = hashlib.sha256(), 0
        try:
            for block in answer.blocks():
                file.write(block)
                digest.update(block)
                size += len(block)
                if progress is not None:
                    progress(size)
            file.flush()
            os.fsync(file.fileno())
        except TooLarge as error:
            raise DownloadFailed(str(error), counted=True) from None
        except NoWholeAnswer:
            raise DownloadCut(f"The download of {name} broke off.", counted=True) from None
        except OSError as error:
            _no_room(name, error)
        try:
            members = check(partial, name=name, password=password)
        except Damaged as error:
            raise DownloadCut(f"{name}: {error}", counted=True) from None
        except WrongPassword as error:
            raise DownloadFailed(f"{name}: {error}", counted=True) from None
        try:
            partial.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            _no_room(name, error)
    return Download(path=target, size=size, sha256=digest.hexdigest(), members=members)


def _open(client: GuardedClient, url: str, largest: int, stack: ExitStack) -> OpenAnswer:
    """The answer that holds the file, open until `stack` ends."""
    for redirects in range(_MOST_REDIRECTS + 1):
        try:
            answer = stack.enter_context(client.open("GET", url, kind="download", largest=largest))
        except OutgoingError as error:
            _not_answered(error, was_redirected=redirects > 0)
        if answer.status == 200:
            return answer
        if answer.status not in _REDIRECTS:
            _not_given(answer, was_redirected=redirects > 0)
        url = urljoin(url, answer.headers.get("location", ""))
    raise DownloadFailed("The service redirects the download again and again.", counted=True)


def _not_answered(error: OutgoingError, *, was_redirected: bool) -> NoReturn:
    if was_redirected:
        raise DownloadFailed(f"The download leads elsewhere: {error}", counted=True) from None
    if isinstance(error, NotSent):
        raise Unreachable(str(error)) from None
    raise DownloadCut(str(error), counted=True) from None


def _not_given(answer: OpenAnswer, *, was_redirected: bool) -> NoReturn:
    """Raise what an answer other than 200 or a redirect means."""
    status, words = answer.status, words_of(_beginning(answer))
    if was_redirected:
        raise DownloadFailed(f"The file's store answered {status}.", counted=True)
    if status == 429 or status >= 500:
        raise Busy(
            words or f"The service answered {status}.", retry_after=retry_after(answer.headers)
        )
    if status == 404:
        raise NotFound(words or "The file is gone.", status=404)
    if "max downloads" in words:
        raise DownloadsExhausted(words, counted=False)
    if status >= 400:
        raise Rejected(words or f"The service answered {status}.", status=status)
    raise Malformed(f"The service answered {status} in place of a file.")


def _beginning(answer: OpenAnswer) -> bytes:
    """The first bytes of an error answer, as far as they come."""
    text = b""
    try:
        for block in answer.blocks():
            text += block
            if len(text) >= _WORDS_READ:
                break
    except NoWholeAnswer:
        return text  # the status has said enough
    return text


@contextmanager
def _partial_beside(target: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file in the target's folder, for the owner only; gone afterwards unless renamed."""
    partial = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        _no_room(target.name, error)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield partial, file
    finally:
        partial.unlink(missing_ok=True)


def _no_room(name: str, error: OSError) -> NoReturn:
    raise DownloadFailed(
        f"{name} could not be written here: {os.strerror(error.errno or 0)}.", counted=True
    ) from None
