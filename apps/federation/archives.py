"""Tells whether a result file on disk is whole, as far as its own format can tell.

A zip has a directory at its end and a checksum for every member; AES members are authenticated. A
gzip file has a checksum and a length; BGZF also has an end mark. Anything else cannot tell.
"""

import gzip
import struct
import zlib
from pathlib import Path
from typing import Final, Protocol

import pyzipper

__all__ = ["Damaged", "WrongPassword", "check"]

_BLOCK: Final = 1 << 18
# VCFs in a zip are compressed already and tables shrink some twenty times.
_MOST_UNPACKED_PER_BYTE: Final = 500
_ENCRYPTED: Final = 0x1
# The empty block that ends a BGZF file (SAM specification 4.1.2).
_BGZF_END: Final = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
# What pyzipper raises, by experiment with every byte of a zip altered.
_NOT_A_ZIP: Final = (
    pyzipper.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    NotImplementedError,
)


class Damaged(Exception):
    """The file is cut or altered."""


class WrongPassword(Exception):
    """The zip does not open with this password."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def check(path: Path, *, name: str, password: str | None) -> tuple[str, ...]:
    """Read all of `path` that can be checked; return the names of a zip's members.

    Args:
        path: The file.
        name: Its name at the service; the ending says what it must be.
        password: Of a zip. Without one, an encrypted zip is checked by its directory alone and
            () is returned.

    Raises:
        Damaged, WrongPassword
    """
    if name.endswith(".zip"):
        return _check_zip(path, password)
    if name.endswith((".gz", ".bgz")):
        _check_gzip(path)
    return ()


def _check_zip(path: Path, password: str | None) -> tuple[str, ...]:
    try:
        with pyzipper.AESZipFile(path) as archive:
            members = archive.infolist()
            if sum(m.file_size for m in members) > _MOST_UNPACKED_PER_BYTE * path.stat().st_size:
                raise Damaged("The zip claims to hold more than any result does.")
            if password is None and any(m.flag_bits & _ENCRYPTED for m in members):
                return ()
            key = None if password is None else password.encode()
            for member in members:
                with archive.open(member, pwd=key) as content:
                    _drain(content)
            return tuple(member.filename for member in members)
    except _NOT_A_ZIP:
        raise Damaged("The zip is cut or damaged.") from None
    except RuntimeError as error:
        if "password" not in str(error).lower():
            raise
        raise WrongPassword("The zip does not open with this password.") from None


def _check_gzip(path: Path) -> None:
    if path.stat().st_size == 0:
        raise Damaged("The gzip file is empty.")
    try:
        with gzip.open(path) as content:
            _drain(content)
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise Damaged("The gzip file is cut or damaged.") from None
    with path.open("rb") as raw:
        is_bgzf = raw.read(14)[12:14] == b"BC"
        raw.seek(0, 2)
        size = raw.tell()
        raw.seek(max(0, size - len(_BGZF_END)))
        if is_bgzf and raw.read() != _BGZF_END:
            raise Damaged("The BGZF file has no end mark; it was cut.")


def _drain(content: _Readable) -> None:
    while content.read(_BLOCK):
        pass
