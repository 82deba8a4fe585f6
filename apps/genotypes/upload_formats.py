"""Whether the first bytes of an upload are what its name says. Plain functions."""

import re
import zlib
from typing import Final

__all__ = ["EXTENSIONS", "HEAD_BYTES", "extension_of", "problem_with"]

EXTENSIONS: Final = (".vcf.gz", ".vcf", ".bed", ".bim", ".fam", ".bgen")
# One BGZF block at most (SAM specification, 4.1), so that the first can be unpacked.
HEAD_BYTES: Final = 1 << 16
_GZIP: Final = b"\x1f\x8b"
_HAS_EXTRA_FIELD: Final = 4
_VCF: Final = re.compile(rb"##fileformat=VCFv4\.\d")
_PLINK_BED: Final = b"\x6c\x1b"


def extension_of(name: str) -> str | None:
    """The one of `EXTENSIONS` that `name` ends with, in any case; `None` without one."""
    return next((known for known in EXTENSIONS if name.lower().endswith(known)), None)


def problem_with(name: str, head: bytes) -> str | None:
    """What is wrong with a file called `name` that begins with `head`; `None` if nothing shows.

    It sees only the beginning: a file that is cut or damaged later passes.

    Args:
        name: Must end with one of `EXTENSIONS`.
        head: The first `HEAD_BYTES` bytes, fewer when the file is shorter.
    """
    if not head:
        return "The submitted file is empty."
    match extension_of(name):
        case ".vcf.gz":
            return _problem_with_vcf_gz(head)
        case ".vcf" if not _VCF.match(head):
            return "The file does not begin with ##fileformat=VCFv4: it is not a VCF file."
        case ".bed" if not head.startswith(_PLINK_BED):
            return "The file does not begin as a PLINK .bed file does."
        case ".bim" | ".fam" if b"\0" in head:
            return "The file is not a text file."
    return None


def _problem_with_vcf_gz(head: bytes) -> str | None:
    if not head.startswith(_GZIP):
        return "The file is called .vcf.gz but is not compressed."
    if not _is_bgzf(head):
        return "The file is compressed with gzip; imputation services need BGZF. Use bgzip."
    try:
        text = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return "The first block of the file is damaged."
    if not _VCF.match(text):
        return "The file does not begin with ##fileformat=VCFv4: it is not a VCF file."
    return None


def _is_bgzf(head: bytes) -> bool:
    """A gzip member whose extra field begins with the subfield BC (SAM specification, 4.1)."""
    return len(head) > 16 and bool(head[3] & _HAS_EXTRA_FIELD) and head[12:14] == b"BC"
