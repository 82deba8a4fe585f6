"""Stage 1 of a VCF: its header, line by line, keeping only what the check needs.

A stranger's header may name a million contigs and hold a hundred thousand samples, so nothing of it
is kept but the version, the build and the names of the samples.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from apps.genotypes.builds import build_of, plain_name
from apps.genotypes.check.findings import Findings, shown

__all__ = ["MAX_LINE", "MAX_SAMPLES", "HeaderReader"]

MAX_LINE: Final = 8 * 1024 * 1024
MAX_SAMPLES: Final = 200_000  # four times what any service takes

_MAX_HEADER: Final = 64 * 1024 * 1024
_FIXED: Final = (b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO", b"FORMAT")
_CONTIG: Final = b"##contig=<"


@dataclass(kw_only=True)
class HeaderReader:
    """Take in the lines of a header one by one.

    Attributes:
        lines: How many were taken in.
        samples: Their names, once the `#CHROM` line was read; None before, and when it is not
            one of genotypes.
        done: Whether the header has ended, well or badly.
    """

    findings: Findings
    version: str = ""
    samples: tuple[str, ...] | None = None
    lines: int = 0
    done: bool = False
    _size: int = 0
    _lengths: dict[str, int | None] = field(default_factory=dict)

    @property
    def build(self) -> str | None:
        """`hg19` or `hg38` when the contigs' lengths tell."""
        return build_of(self._lengths)

    def add(self, line: bytes) -> None:
        """Take in the next line, without its line feed."""
        self.lines += 1
        self._size += len(line)
        if line.endswith(b"\r"):
            self._note("line-ends", "The lines end as in Windows.")
            line = line[:-1]
        if self.lines == 1:
            self._read_first(line)
        if line.startswith(b"##"):
            if line.startswith(_CONTIG):
                self._add_contig(line)
            if self._size > _MAX_HEADER:
                self._end("header-length", "The header is too long.")
        elif line.startswith(b"#"):
            self.done = True
            self._read_columns(line)
        else:
            self._end("header", "The header has no #CHROM line.")

    def close(self) -> None:
        """Note what is missing when the text has ended before the header did."""
        if not self.done:
            self.done = True
            if "truncated" not in self.findings and "damaged" not in self.findings:
                self.findings.add("header", "The header has no #CHROM line.")
        elif self.samples is not None and len(set(_builds(self._lengths))) > 1:
            self.findings.add("build-conflict", "The contig lengths are those of hg19 and of hg38.")

    def _note(self, rule: str, message: str) -> None:
        if rule not in self.findings:
            self.findings.add(rule, message, line=self.lines)

    def _end(self, rule: str, message: str) -> None:
        self.done = True
        self.findings.add(rule, message, line=self.lines)

    def _read_first(self, line: bytes) -> None:
        if line.startswith(b"##fileformat=VCFv"):
            self.version = shown(line[17:].strip())
        else:
            self._note("header", "The file does not start with ##fileformat=VCF.")

    def _add_contig(self, line: bytes) -> None:
        parts = dict(
            part.split(b"=", 1) for part in line[10:].rstrip(b">").split(b",", 64) if b"=" in part
        )
        name = parts.get(b"ID", b"")[:20].decode("ascii", "replace")
        length = parts.get(b"length", b"")
        if plain_name(name) is not None and length.isdigit() and len(length) < 10:
            self._lengths[name] = int(length)

    def _read_columns(self, line: bytes) -> None:
        cells = line.split(b"\t", 9)
        if tuple(cells[:8]) != _FIXED[:8]:
            self._note("header-columns", "The #CHROM line is not tab-delimited or incomplete.")
            return
        if tuple(cells[:9]) != _FIXED or len(cells) < 10 or not cells[9]:
            self._note("samples-none", "The file has no samples.")
            return
        count = cells[9].count(b"\t") + 1
        if count > MAX_SAMPLES:
            self._note("samples-number", f"The file has {count:,} samples.")
            return
        self._read_samples(cells[9].split(b"\t"))

    def _read_samples(self, names: list[bytes]) -> None:
        try:
            samples = tuple(name.decode("utf-8") for name in names)
        except UnicodeDecodeError:
            self._note("samples-names", "A sample name is not UTF-8.")
            samples = tuple(name.decode("utf-8", "backslashreplace") for name in names)
        if not all(name and name.isprintable() for name in samples):
            self._note(
                "samples-names",
                "A sample name is empty or has characters that cannot be seen.",
            )
        _each_once(samples, lambda name: self._note("samples-twice", name))
        self.samples = samples


def _each_once(samples: tuple[str, ...], tell: Callable[[str], None]) -> None:
    if len(set(samples)) == len(samples):
        return
    seen: set[str] = set()
    for name in samples:
        if name in seen:
            tell(
                "Two individuals or more have the following ID: "
                f"{shown(name.encode('utf-8', 'replace'))}."
            )
            return
        seen.add(name)


def _builds(lengths: dict[str, int | None]) -> list[str]:
    found = [build_of({name: length}) for name, length in lengths.items()]
    return [build for build in found if build is not None]
