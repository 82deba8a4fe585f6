"""Uploaded files that go to the disk as they are read."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
    """Writes each file to the disk once, and computes its SHA-256 meanwhile."""

    file_class = DigestedFile

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._digest = hashlib.sha256()
        self._beside = ThreadPoolExecutor(1)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        # Both let go of the interpreter lock, so the disk does not wait for the digest.
        digested = self._beside.submit(self._digest.update, raw_data)
        try:
            return super().receive_data_chunk(raw_data, start)
        finally:
            digested.result()

    def file_complete(self, file_size: int) -> "UploadedFile[bytes] | None":
        self._beside.shutdown()
        self.file.sha256 = self._digest.hexdigest()
        return super().file_complete(file_size)

    def upload_interrupted(self) -> None:
        super().upload_interrupted()
        if hasattr(self, "_beside"):
            self._beside.shutdown()
