"""The sites of a reference panel as small tables on disk, for looking up what a file has in common.

A folder holds for each chromosome four arrays of plain little-endian numbers, and `sites.json`,
which is written last: a folder without it holds nothing yet. The arrays are mapped, not read, so
that a panel of a hundred million sites costs the pages of the sites that are asked for.

Any VCF is a source: the site list that a service publishes, or a panel itself. An ALT column with
several alleles becomes as many sites.
"""

import json
import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np
import numpy.typing as npt

from apps.genotypes.builds import build_of, plain_name
from apps.genotypes.calls import CallsError, parse_calls
from apps.genotypes.qc import PanelSite
from apps.genotypes.vcf import VcfError, vcf_lines

__all__ = [
    "NO_SNP",
    "ChromosomeSites",
    "SiteManifest",
    "SiteTable",
    "SitesError",
    "open_site_table",
    "read_site_manifest",
    "snp_code",
    "write_site_tables",
]

NO_SNP: Final = 16

_MANIFEST: Final = "sites.json"
_FORMAT: Final = 1
_BASES: Final = {base: number for number, base in enumerate((b"A", b"C", b"G", b"T"))}
_PARTS: Final = (
    ("positions", np.dtype("<i4")),
    ("codes", np.dtype("u1")),
    ("frequencies", np.dtype("<f4")),
    ("offsets", np.dtype("<i8")),
    ("alleles", np.dtype("u1")),
)
_MAX_ALLELES: Final = 1 << 20  # bytes of REF and ALT of one record
_MAX_META: Final = 64 * 1024 * 1024
_FLUSH: Final = 1 << 16


class SitesError(ValueError):
    """A list of sites cannot be used; the text says which file, which line and why."""


@dataclass(frozen=True, kw_only=True)
class ChromosomeSites:
    """One chromosome of a table of sites.

    Attributes:
        sites: How many, an ALT column with several alleles counted by allele.
        first, last: Positions of the first and the last, from 1.
        with_frequency: How many have an allele frequency.
    """

    sites: int
    first: int
    last: int
    with_frequency: int


@dataclass(frozen=True, kw_only=True)
class SiteManifest:
    """What a folder of tables holds.

    Attributes:
        build: `hg19` or `hg38` when the sources' contigs or their spelling tell; else None.
        chromosomes: By name without `chr`, X and MT among them.
        left_out: Records of other chromosomes.
    """

    build: str | None
    chromosomes: Mapping[str, ChromosomeSites]
    left_out: int = 0


def snp_code(ref: bytes, alt: bytes) -> int:
    """The alleles of a SNP as a number below `NO_SNP`, 4 * REF + ALT in the order A, C, G, T.

    Returns:
        `NO_SNP` for anything else than two single bases in capitals.
    """
    if ref in _BASES and alt in _BASES:
        return 4 * _BASES[ref] + _BASES[alt]
    return NO_SNP


class SiteTable:
    """The sites of one chromosome, sorted by position, mapped from the disk.

    Attributes:
        positions: From 1, int32, shape (sites,).
        codes: As `snp_code`, uint8, shape (sites,).
        frequencies: Frequency of ALT, float32, shape (sites,); NaN where it is not known.
    """

    def __init__(self, folder: Path, chromosome: str) -> None:
        self._maps: list[mmap.mmap] = []
        self.positions: npt.NDArray[np.int32] = self._open(folder, chromosome, 0)
        self.codes: npt.NDArray[np.uint8] = self._open(folder, chromosome, 1)
        self.frequencies: npt.NDArray[np.float32] = self._open(folder, chromosome, 2)
        self._offsets: npt.NDArray[np.int64] = self._open(folder, chromosome, 3)
        self._alleles: npt.NDArray[np.uint8] = self._open(folder, chromosome, 4)

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[PanelSite]:
        return (self.site(index) for index in range(len(self)))

    def site(self, index: int) -> PanelSite:
        """The site with this number, from 0."""
        start, end = (int(offset) for offset in self._offsets[index : index + 2])
        ref, _, alt = self._alleles[start:end].tobytes().partition(b"\t")
        return PanelSite(int(self.positions[index]), ref, alt, float(self.frequencies[index]))

    def at(self, position: int) -> tuple[PanelSite, ...]:
        """The sites at a position, in the order of the source."""
        # Of the array's own type: for another one numpy would copy the whole array.
        wanted = np.array([position, position + 1], self.positions.dtype)
        low, high = np.searchsorted(self.positions, wanted)
        return tuple(self.site(index) for index in range(int(low), int(high)))

    def release(self) -> None:
        """Give the pages that were looked at back to the system; they are mapped again on need."""
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)

    def _open(self, folder: Path, chromosome: str, part: int) -> npt.NDArray[Any]:
        name, kind = _PARTS[part]
        path = folder / f"{chromosome}.{name}"
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SitesError(f"{path} is no table of sites ({error}); make it again.") from error
        self._maps.append(mapped)
        return np.frombuffer(mapped, kind)


def read_site_manifest(folder: Path) -> SiteManifest | None:
    """What the tables in `folder` are of; None when there are none.

    Raises:
        SitesError: the manifest is broken.
    """
    path = folder / _MANIFEST
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["format"] != _FORMAT:
            raise SitesError(f"{path} is of another version; make the tables again.")
        return SiteManifest(
            build=fields["build"],
            chromosomes={
                str(name): ChromosomeSites(**entry) for name, entry in fields["chromosomes"].items()
            },
            left_out=int(fields["left_out"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except SitesError:
        raise
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise SitesError(f"{path} is broken ({error}); make the tables again.") from error


def open_site_table(folder: Path, chromosome: str) -> SiteTable | None:
    """The sites of a chromosome, named without `chr`; None when the tables lack it.

    Raises:
        SitesError: the tables are broken.
    """
    manifest = read_site_manifest(folder)
    if manifest is None or chromosome not in manifest.chromosomes:
        return None
    table = SiteTable(folder, chromosome)
    if len(table) != manifest.chromosomes[chromosome].sites:
        raise SitesError(f"{folder} has not all sites of {chromosome}; make the tables again.")
    return table


def write_site_tables(source: Path, folder: Path) -> SiteManifest:
    """Write the tables of a VCF, with genotypes or without, in one pass and constant memory.

    The frequency of ALT is that of INFO (`AF`, else `AC` / `AN`), else it is counted in the
    genotypes. Chromosomes other than 1 to 22, X and MT are left out. A panel can be added file by
    file: what is in the folder of other chromosomes stays, and so do sites of the same chromosome
    that all lie before, or all behind, the new ones (regions of X); else the new ones replace them.

    Args:
        source: VCF as plain text or BGZF, each chromosome in one piece and sorted by position.
        folder: It is made when missing.

    Returns:
        What the folder holds now.

    Raises:
        SitesError: the source is not as it must be; the folder holds what it did before.
        OSError: a file cannot be read or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = read_site_manifest(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
        writer = _Writer(source, Path(name))
        try:
            with vcf_lines(source) as lines, writer:
                writer.read(lines)
        except VcfError as error:
            raise SitesError(str(error)) from error
        if not writer.chromosomes:
            raise SitesError(f"{source.name}: It has no site of chromosome 1 to 22, X or MT.")
        build = writer.build
        if before is not None and before.build not in {None, build} and build is not None:
            raise SitesError(
                f"{source.name}: Its build is {build}, that of the other tables is {before.build}."
            )
        for chromosome, entry in writer.chromosomes.items():
            old = before.chromosomes.get(chromosome) if before else None
            if old is not None and (old.last < entry.first or entry.last < old.first):
                joined = _join(folder, Path(name), chromosome, old, entry)
                writer.chromosomes[chromosome] = joined
        manifest = SiteManifest(
            build=build or (before.build if before else None),
            chromosomes={**(before.chromosomes if before else {}), **writer.chromosomes},
            left_out=writer.left_out + (before.left_out if before else 0),
        )
        text = json.dumps({"format": _FORMAT, **asdict(manifest)}, indent=1)
        (Path(name) / _MANIFEST).write_text(text + "\n", encoding="utf-8")
        for path in sorted(Path(name).iterdir(), key=lambda path: path.name == _MANIFEST):
            path.rename(folder / path.name)
    return manifest


def _join(
    old: Path, new: Path, chromosome: str, there: ChromosomeSites, added: ChromosomeSites
) -> ChromosomeSites:
    """Join the arrays of two stretches of a chromosome, in `new`."""
    first, second = (old, new) if there.last < added.first else (new, old)
    for part, kind in _PARTS:
        name = f"{chromosome}.{part}"
        joined = new / f"{name}.joined"
        with joined.open("wb") as out, (first / name).open("rb") as one:
            shutil.copyfileobj(one, out)
            with (second / name).open("rb") as two:
                if part == "offsets":
                    # Those of the second stretch count on from where the first one ends.
                    shift = (first / f"{chromosome}.alleles").stat().st_size
                    two.seek(kind.itemsize)
                    while block := two.read(_FLUSH * kind.itemsize):
                        out.write((np.frombuffer(block, kind) + shift).astype(kind).tobytes())
                else:
                    shutil.copyfileobj(two, out)
            out.flush()
            os.fsync(out.fileno())
    for part, _ in _PARTS:
        (new / f"{chromosome}.{part}.joined").rename(new / f"{chromosome}.{part}")
    return ChromosomeSites(
        sites=there.sites + added.sites,
        first=min(there.first, added.first),
        last=max(there.last, added.last),
        with_frequency=there.with_frequency + added.with_frequency,
    )


class _Writer:
    """Write sites to the arrays of their chromosome, some ten thousand at a time."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.chromosomes: dict[str, ChromosomeSites] = {}
        self.left_out = 0
        self._source = source
        self._folder = folder
        self._contigs: dict[str, int | None] = {}
        self._spelled: bytes | None = None
        self._name: str | None = None
        self._files: dict[str, BinaryIO] = {}
        self._stack = ExitStack()
        self._line = 0
        self._samples = 0
        self._clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def build(self) -> str | None:
        found = build_of(self._contigs)
        if found is None and self._spelled is not None:
            return "hg38" if self._spelled.startswith(b"chr") else "hg19"
        return found

    def read(self, lines: Iterator[bytes]) -> None:
        self._read_header(lines)
        for line in lines:
            self._line += 1
            fields = line.rstrip(b"\r").split(b"\t", 9)
            if len(fields) < 8:
                raise self._refuse(f"The line has {len(fields)} columns, a VCF has at least 8.")
            if fields[0] != self._spelled:
                self._start(fields[0])
            if self._name is None:
                self.left_out += 1
                continue
            self._add(fields)
        self._finish()

    def _refuse(self, reason: str) -> SitesError:
        return SitesError(f"{self._source.name}, line {self._line}: {reason}")

    def _read_header(self, lines: Iterator[bytes]) -> None:
        size = 0
        for line in lines:
            self._line += 1
            size += len(line)
            if size > _MAX_META:
                raise self._refuse("The header is too long.")
            if self._line == 1 and not line.startswith(b"##fileformat=VCF"):
                raise self._refuse("The file does not start with ##fileformat=VCF.")
            if line.startswith(b"##contig=<"):
                self._add_contig(line)
            if line.startswith(b"#CHROM\t"):
                self._samples = max(line.count(b"\t") - 8, 0)
                return
            if not line.startswith(b"##"):
                break
        raise self._refuse("The header has no #CHROM line.")

    def _add_contig(self, line: bytes) -> None:
        parts = dict(
            part.split(b"=", 1) for part in line[10:].rstrip(b">\r").split(b",") if b"=" in part
        )
        name = parts.get(b"ID", b"")[:20].decode("ascii", "replace")
        length = parts.get(b"length", b"")
        # Only those that say the build: a header may name a million others.
        if plain_name(name) is not None and length.isdigit() and len(length) < 10:
            self._contigs[name] = int(length)

    def _start(self, spelled: bytes) -> None:
        self._finish()
        name = plain_name(spelled[:20].decode("ascii", "replace"))
        self._name = None
        if name is None:
            return
        if name in self.chromosomes:
            raise self._refuse(f"Chromosome {name} comes twice. Please sort the file.")
        self._spelled = spelled
        self._name = name
        self._files = {
            part: self._stack.enter_context((self._folder / f"{name}.{part}").open("wb"))
            for part, _ in _PARTS
        }
        self._files["offsets"].write(np.zeros(1, "<i8").tobytes())
        self._sites = self._first = self._last = self._with_frequency = self._size = 0

    def _add(self, fields: list[bytes]) -> None:
        text = fields[1]
        position = int(text) if text.isdigit() and len(text) < 10 else 0
        if not 0 < position < 1 << 29:
            raise self._refuse("POS is not a position.")
        if position < self._last:
            raise self._refuse(f"Position {position} follows {self._last}. Please sort the file.")
        ref, alts = fields[3], fields[4]
        if len(ref) + len(alts) > _MAX_ALLELES:
            raise self._refuse("REF and ALT are longer than any real ones.")
        self._first = self._first or position
        self._last = position
        alleles = alts.split(b",")
        frequencies = self._frequencies(fields, len(alleles))
        for alt, frequency in zip(alleles, frequencies, strict=True):
            self._sites += 1
            self._with_frequency += not math.isnan(frequency)
            self._size += len(ref) + 1 + len(alt)
            self._positions.append(position)
            self._codes.append(snp_code(ref, alt))
            self._alt_frequencies.append(frequency)
            self._offsets.append(self._size)
            self._alleles += ref + b"\t" + alt
        if len(self._positions) >= _FLUSH or len(self._alleles) > _MAX_ALLELES:
            self._flush()

    def _frequencies(self, fields: list[bytes], alleles: int) -> list[float]:
        info = _info(fields[7])
        if (found := _numbers(info.get(b"AF"), alleles)) is not None:
            return found
        counts, total = _numbers(info.get(b"AC"), alleles), _numbers(info.get(b"AN"), 1)
        if counts is not None and total is not None and total[0] > 0:
            return [count / total[0] for count in counts]
        if len(fields) < 10 or not fields[8].startswith(b"GT"):
            return [math.nan] * alleles
        try:
            calls = parse_calls(fields[8], fields[9], self._samples)
        except CallsError as error:
            raise self._refuse(f"{error}.") from error
        called = int((calls >= 0).sum())
        return [
            int((calls == allele).sum()) / called if called else math.nan
            for allele in range(1, alleles + 1)
        ]

    def _flush(self) -> None:
        values: Mapping[str, Any] = {
            "positions": self._positions,
            "codes": self._codes,
            "frequencies": self._alt_frequencies,
            "offsets": self._offsets,
        }
        for part, kind in _PARTS[:4]:
            self._files[part].write(np.array(values[part], kind).tobytes())
        self._files["alleles"].write(self._alleles)
        self._clear()

    def _clear(self) -> None:
        self._positions: list[int] = []
        self._codes: list[int] = []
        self._alt_frequencies: list[float] = []
        self._offsets: list[int] = []
        self._alleles = bytearray()

    def _finish(self) -> None:
        if self._name is None:
            return
        self._flush()
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        self._stack.close()
        self.chromosomes[self._name] = ChromosomeSites(
            sites=self._sites,
            first=self._first,
            last=self._last,
            with_frequency=self._with_frequency,
        )
        self._name = None


def _info(text: bytes) -> dict[bytes, bytes]:
    return {part[:2]: part[3:] for part in text.split(b";") if part[:3] in {b"AF=", b"AC=", b"AN="}}


def _numbers(text: bytes | None, count: int) -> list[float] | None:
    """So many finite numbers, none below 0; None when they are not that."""
    parts = [] if text is None else text.split(b",", count)
    if len(parts) != count:
        return None
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    return numbers if all(0 <= number < math.inf for number in numbers) else None
