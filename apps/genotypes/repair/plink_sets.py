"""The three files of a PLINK set, from a folder or from a zip that a stranger made.

Nothing of a zip is ever unpacked to the disk and none of its names is used as one: its members are
read as streams. What they claim is checked before it is believed: how many there are, that they
are not encrypted, and that a text does not shrink as no text does. A bed file that does not have
exactly the bytes that its samples and variants ask for is refused by whoever reads it.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from apps.genotypes.repair.refusals import Refused

__all__ = ["DAMAGE", "Member", "PlinkSet", "set_beside", "set_in_zip"]

_PARTS: Final = (".bed", ".bim", ".fam")
_MAX_MEMBERS: Final = 1000
_MAX_DIRECTORY: Final = 1024 * 1024
# Texts shrink some 20 times; deflate can do 1,000 where there is nothing but one letter.
_MAX_TEXT_RATIO: Final = 200
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED: Final = 0x1

_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")


# What reading a member raises when the zip is not what it says.
DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file that can be opened more than once.

    Attributes:
        name: For messages.
        size: Its bytes, as stated; reading may show that this is a lie.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True, kw_only=True)
class PlinkSet:
    """Genotypes, variants and samples."""

    bed: Member
    bim: Member
    fam: Member


def set_beside(path: Path, shown: str) -> PlinkSet:
    """The set that a file belongs to: those of the same name beside it.

    Args:
        path: Any of the three.
        shown: How the file is called towards people.

    Raises:
        Refused: one of the three is missing.
    """
    beside = {one.suffix.lower(): one for one in path.parent.iterdir() if one.stem == path.stem}
    missing = [part for part in _PARTS if part not in beside]
    if missing:
        raise Refused(
            "plink-incomplete",
            f"A PLINK set is three files, and beside {shown} there is no "
            f"{' and no '.join(missing)}.",
            remedy="Send .bed, .bim and .fam of the same name, or one zip of them.",
        )
    members = [
        Member(name=f"{Path(shown).stem}{part}", size=one.stat().st_size, open=_opener(one))
        for part, one in ((part, beside[part]) for part in _PARTS)
    ]
    return PlinkSet(bed=members[0], bim=members[1], fam=members[2])


@contextmanager
def set_in_zip(path: Path) -> Iterator[PlinkSet]:
    """The set in a zip.

    Raises:
        Refused: it is no zip, is encrypted, or does not hold exactly one set.
        OSError: it cannot be read.
    """
    _check_directory(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise _damaged() from error
    with archive:
        found: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = info.filename.replace("\\", "/").rsplit("/", 1)[-1]
            if "__MACOSX/" in info.filename or name.startswith("._"):
                continue
            part = Path(name).suffix.lower()
            if part not in _PARTS:
                continue
            if part in found:
                raise Refused(
                    "zip-content",
                    f"The zip holds more than one {part} file.",
                    remedy="Send a zip of one PLINK set.",
                )
            _check_member(info, part)
            found[part] = info
        if missing := [part for part in _PARTS if part not in found]:
            inner = any(info.filename.lower().endswith(".zip") for info in archive.infolist())
            raise Refused(
                "zip-content",
                f"The zip has no {' and no '.join(missing)} file"
                f"{', but another zip, which is not opened' if inner else ''}.",
                remedy="Send a zip with the .bed, .bim and .fam of one PLINK set.",
            )
        members = [
            Member(name=part, size=found[part].file_size, open=_zip_opener(archive, found[part]))
            for part in _PARTS
        ]
        yield PlinkSet(bed=members[0], bim=members[1], fam=members[2])


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _zip_opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def open_member() -> IO[bytes]:
        try:
            return archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
            raise _damaged() from error

    return open_member


def _check_member(info: zipfile.ZipInfo, part: str) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise Refused(
            "zip-encrypted",
            "The zip is protected with a password.",
            remedy="Send it without one; it is sent over an encrypted connection.",
        )
    if info.compress_type not in _METHODS:
        raise Refused(
            "zip-method",
            f"The {part} file is packed in a way that is not read here.",
            remedy="Make the zip with the usual method, deflate.",
        )
    if part != ".bed" and info.file_size > _MAX_TEXT_RATIO * max(info.compress_size, 1):
        raise Refused(
            "zip-bomb", f"The {part} file claims to be larger than a text of its packed size is."
        )


def _check_directory(path: Path) -> None:
    """Look at the size of the zip's list of members before anything reads it whole."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - _END.size - 0xFFFF)
        file.seek(start)
        tail = file.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < _END.size:
            raise _damaged()
        end = _END.unpack_from(tail, at)
        members, directory = end[4], end[5]
        locator = start + at - _LOCATOR_64.size
        if locator >= 0:
            file.seek(locator)
            magic, _, offset, _ = _LOCATOR_64.unpack(file.read(_LOCATOR_64.size))
            if magic == b"PK\6\7":
                file.seek(min(offset, size))
                end_64 = file.read(_END_64.size)
                if len(end_64) < _END_64.size:
                    raise _damaged()
                fields = _END_64.unpack(end_64)
                members, directory = max(fields[6], fields[7]), fields[8]
    if members > _MAX_MEMBERS or directory > _MAX_DIRECTORY:
        raise Refused(
            "zip-content",
            f"The zip holds more than {_MAX_MEMBERS} files.",
            remedy="Send a zip of one PLINK set.",
        )


def _damaged() -> Refused:
    return Refused("zip-damaged", "The zip is cut or damaged.", remedy="Send it again.")
