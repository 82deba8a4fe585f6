"""Uploaded files that go to the disk as they are read."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import (
    FileUploadHandler,
    MemoryFileUploadHandler,
    TemporaryFileUploadHandler,
)

__all__ = ["DigestedFile", "DigestingUploadHandler", "SmallUploadHandler", "TidyUploadHandler"]

# Bytes that are looked through for the end of a part at a time. The handlers of a deployment must
# agree, since the smallest counts; with Django's 64 KiB the looking takes longer than the writing.
_CHUNK: Final = 2**20


class SmallUploadHandler(MemoryFileUploadHandler):
    """Keeps a body in memory that is small enough for it, and leaves others to the next handler."""

    chunk_size = _CHUNK


class DigestedFile(TemporaryUploadedFile):
    """An upload whose SHA-256, lower-case hex, was computed while it came."""

    sha256: str = ""


class TidyUploadHandler(TemporaryFileUploadHandler):
    """Writes each file to the disk; one that finds no room leaves nothing behind.

    Django's own leaves what it has written until the garbage is collected.
    """

    chunk_size = _CHUNK
    file_class: type[TemporaryUploadedFile] = TemporaryUploadedFile
    file: Any

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        self.file = self.file_class(
            self.file_name or "", self.content_type, 0, self.charset, self.content_type_extra
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        with self._nothing_left_behind():
            self.file.write(raw_data)
        return None

    def file_complete(self, file_size: int) -> "UploadedFile[bytes] | None":
        with self._nothing_left_behind():
            self.file.seek(0)  # brings what is buffered to the disk
        self.file.size = file_size
        completed: UploadedFile[bytes] = self.file
        return completed

    @contextmanager
    def _nothing_left_behind(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            with suppress(OSError):  # what is still in its buffer finds no room either
                self.file.close()
            raise


class DigestingUploadHandler(TidyUploadHandler):
    """Writes each file to the disk once, and computes its SHA-256 meanwhile.

    Both are done beside the reading: while one piece is written, the next is looked through for the
    end of the part. What goes wrong with a piece is raised with the next one, or at the end.
    """

    file_class = DigestedFile

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._digest = hashlib.sha256()
        self._beside = ThreadPoolExecutor(1)
        self._keeping: Future[None] | None = None

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self._settle()
        self._keeping = self._beside.submit(self._keep, raw_data, start)
        return None

    def file_complete(self, file_size: int) -> "UploadedFile[bytes] | None":
        self._beside.shutdown()
        self._settle()
        self.file.sha256 = self._digest.hexdigest()
        return super().file_complete(file_size)

    def upload_interrupted(self) -> None:
        if hasattr(self, "_beside"):
            self._beside.shutdown()
        super().upload_interrupted()

    def _keep(self, piece: bytes, start: int) -> None:
        self._digest.update(piece)
        super().receive_data_chunk(piece, start)

    def _settle(self) -> None:
        """Wait for the piece before; raise what went wrong with it."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.result()
