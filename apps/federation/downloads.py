"""Fetches files, whole and checked or not at all.

`fetch` is for a result, whose downloads are counted: one GET, at most three redirects, no token.
`fetch_known` is for a file of which the size and the SHA-256 are known before.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn
from urllib.parse import urljoin

from apps.federation.archives import Damaged, WrongPassword, check
from apps.federation.michigan_errors import error_of, words_of
from apps.federation.protocol import (
    Download,
    DownloadCut,
    DownloadFailed,
    DownloadsExhausted,
    Malformed,
    NoRoom,
    NotFound,
    Rejected,
    Unreachable,
)
from apps.shared.durable import sync_folder
from apps.shared.http.client import GuardedClient, OpenAnswer
from apps.shared.http.errors import NotSent, NoWholeAnswer, OutgoingError, TooLarge

__all__ = ["fetch", "fetch_known"]

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
        partial, file = stack.enter_context(_partial_beside(target))
        answer = _open(client, url, largest, stack)
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
            _no_room(name, error, counted=True)
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
            _no_room(name, error, counted=True)
    return Download(path=target, size=size, sha256=digest.hexdigest(), members=members)


def fetch_known(
    client: GuardedClient,
    url: str,
    target: Path,
    *,
    credentials: Mapping[str, str],
    size: int,
    sha256: str,
) -> Path:
    """`target`, which holds the `size` bytes of this digest; fetched unless they are there.

    Raises:
        Busy, Unreachable: Not now.
        NotAuthenticated, Rejected: The service does not give it.
        DownloadCut: What came is not that file.
        DownloadFailed: It could not be written here.
    """
    if _is_known(target, size=size, sha256=sha256):
        return target
    name = target.name
    with ExitStack() as stack:
        partial, file = stack.enter_context(_partial_beside(target))
        digest, received = hashlib.sha256(), 0
        try:
            # Large enough for the words of an error, too.
            largest = max(size, _WORDS_READ)
            answer = stack.enter_context(
                client.open("GET", url, credentials=credentials, kind="download", largest=largest)
            )
            if answer.status != 200:
                words, secret = _beginning(answer), next(iter(credentials.values()), "")
                raise error_of(answer.status, answer.headers, words, secret=secret)
            for block in answer.blocks():
                file.write(block)
                digest.update(block)
                received += len(block)
            file.flush()
            os.fsync(file.fileno())
        except NotSent as error:
            raise Unreachable(str(error)) from None
        except OutgoingError:
            raise DownloadCut(f"The download of {name} broke off.", counted=False) from None
        except OSError as error:
            _no_room(name, error, counted=False)
        if received != size or digest.hexdigest() != sha256:
            raise DownloadCut(f"{name} is not the file that was announced.", counted=False)
        try:
            partial.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            _no_room(name, error, counted=False)
    return target


def _is_known(target: Path, *, size: int, sha256: str) -> bool:
    try:
        with target.open("rb") as file:
            if os.fstat(file.fileno()).st_size != size:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


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
    status, beginning = answer.status, _beginning(answer)
    words = words_of(beginning)
    if was_redirected:
        raise DownloadFailed(f"The file's store answered {status}.", counted=True)
    if status == 429 or status >= 500:
        raise error_of(status, answer.headers, beginning)
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
        _no_room(target.name, error, counted=False)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield partial, file
    finally:
        partial.unlink(missing_ok=True)


def _no_room(name: str, error: OSError, *, counted: bool) -> NoReturn:
    raise NoRoom(
        f"{name} could not be written here: {os.strerror(error.errno or 0)}.", counted=counted
    ) from None
