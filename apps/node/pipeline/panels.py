"""Reference panels on disk: one folder each, `<root>/<id>@<version>/`, with a manifest.

A folder appears complete or not at all: it is written beside its place and renamed. Its files
never change afterwards, so readers need no lock; other content is another version. What engines
derive from a panel lies in its folder `cache/` and may be deleted at any time.
"""

import gzip
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.builds import AUTOSOMES, BUILDS, LENGTHS, spelled
from apps.genotypes.rules import PanelRules
from apps.shared.durable import sync_folder, sync_tree

__all__ = [
    "Panel",
    "PanelChromosome",
    "PanelError",
    "Population",
    "read_panel",
    "read_panels",
    "write_panel",
]

_MANIFEST = "manifest.json"


class PanelError(ValueError):
    """A panel cannot be read or written; the text names the file and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Population:
    """A choice of the allele-frequency check; `samples` of -1 means that it is skipped."""

    id: str
    name: str
    samples: int


@dataclass(frozen=True, kw_only=True)
class PanelChromosome:
    """One chromosome of a panel.

    Attributes:
        genotypes: Phased VCF, BGZF, sorted, only GT.
        map: Genetic map with the columns `pos chr cM` and that header, gzip.
        sites: Number of records of `genotypes`.
        sha256: Digest of `genotypes`, in hexadecimal.
    """

    genotypes: Path
    map: Path | None
    sites: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A reference panel that can be imputed against.

    Attributes:
        chromosomes: By name without `chr`.
        rules: What it asks of uploaded data.
    """

    folder: Path
    id: str
    version: str
    name: str
    build: str
    simulated: bool
    samples: int
    sites: int
    populations: tuple[Population, ...]
    chromosomes: Mapping[str, PanelChromosome]
    rules: PanelRules = field(default_factory=PanelRules)

    @property
    def key(self) -> str:
        """How the Michigan API names it."""
        return f"apps@{self.id}@{self.version}"


def read_panels(root: Path) -> list[Panel]:
    """Read all panels below `root`, ordered by id and version; a missing root has none.

    Raises:
        PanelError: a manifest is broken, or a file it names is missing.
    """
    return [read_panel(path.parent) for path in sorted(root.glob(f"*@*/{_MANIFEST}"))]


def read_panel(folder: Path) -> Panel:
    """Read the panel in `folder`.

    Raises:
        PanelError: its manifest is broken, or a file it names is missing.
    """
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        panel = _parse(folder, manifest)
    except OSError as error:
        raise PanelError(path, f"cannot be read ({error.strerror})") from error
    except KeyError as error:
        raise PanelError(path, f"has no {error}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise PanelError(path, f"is broken ({error})") from error
    if folder.name != f"{panel.id}@{panel.version}":
        raise PanelError(path, f"is of {panel.id}@{panel.version}, its folder is not named so")
    if panel.build not in BUILDS:
        raise PanelError(path, f"names the unknown build {panel.build!r}")
    for chromosome in panel.chromosomes.values():
        for file in (chromosome.genotypes, chromosome.map):
            if file is not None and not file.is_file():
                raise PanelError(path, f"names {file.name}, which is missing")
    return panel


def _parse(folder: Path, manifest: Any) -> Panel:
    return Panel(
        folder=folder,
        id=str(manifest["id"]),
        version=str(manifest["version"]),
        name=str(manifest["name"]),
        build=str(manifest["build"]),
        simulated=bool(manifest["simulated"]),
        samples=int(manifest["samples"]),
        sites=int(manifest["sites"]),
        populations=tuple(
            Population(id=str(p["id"]), name=str(p["name"]), samples=int(p["samples"]))
            for p in manifest["populations"]
        ),
        chromosomes={
            str(name): PanelChromosome(
                genotypes=folder / entry["genotypes"],
                map=folder / entry["map"] if entry["map"] is not None else None,
                sites=int(entry["sites"]),
                sha256=str(entry["sha256"]),
            )
            for name, entry in manifest["chromosomes"].items()
        },
        rules=PanelRules(**manifest["qc"]),
    )


def write_panel(
    root: Path,
    *,
    id: str,  # noqa: A002 - the manifest's own word
    version: str,
    name: str,
    build: str,
    populations: Sequence[Population],
    genotypes: Mapping[str, Path],
    maps: Mapping[str, Path],
    simulated: bool,
    samples: Sequence[str] | None = None,
    rules: PanelRules | None = None,
) -> Panel:
    """Write `<root>/<id>@<version>/` from phased VCF files, or find that it is there already.

    Only POS, ID, REF, ALT and GT are kept, and of the sites only those where a chosen sample
    carries an ALT allele. The chromosome is spelled as its build does, `20` or `chr20`.

    Args:
        root: Folder of all panels; it is made when missing.
        build: `hg19` or `hg38`.
        genotypes: Phased VCF (plain, gzip or BGZF) per autosome, named without `chr`.
        maps: Genetic map per chromosome, columns `pos chr cM` with a header; may lack some.
        simulated: Whether people must be told that this panel is not of real genomes.
        samples: Names of the samples to keep, in the order wanted; `None` keeps all.
        rules: What the panel asks of uploaded data; `None` is the usual.

    Raises:
        PanelError: an input is not as it must be, or the same version exists with other content.
    """
    if build not in BUILDS:
        raise PanelError(root, f"unknown build {build!r}; known are hg19 and hg38")
    if not genotypes or not set(genotypes) <= set(AUTOSOMES):
        raise PanelError(root, "a panel needs at least one chromosome, and only 1 to 22")
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"{id}@{version}"
    partial = Path(tempfile.mkdtemp(prefix=f".{id}@{version}.", dir=root))
    try:
        chromosomes: dict[str, dict[str, Any]] = {}
        counts: set[int] = set()
        for chromosome in sorted(genotypes):
            target = partial / f"chr{chromosome}.vcf.gz"
            count, sites = _copy_genotypes(
                genotypes[chromosome], target, chromosome, build, samples
            )
            counts.add(count)
            chromosomes[chromosome] = {
                "genotypes": target.name,
                "map": _copy_map(maps.get(chromosome), partial / f"chr{chromosome}.map.gz"),
                "sites": sites,
                "sha256": _digest(target),
            }
        if len(counts) != 1:
            raise PanelError(root, f"the chromosomes have different numbers of samples: {counts}")
        manifest = {
            "id": id,
            "version": version,
            "name": name,
            "build": build,
            "simulated": simulated,
            "samples": counts.pop(),
            "sites": sum(entry["sites"] for entry in chromosomes.values()),
            "populations": [asdict(population) for population in populations],
            "chromosomes": chromosomes,
            "qc": asdict(rules or PanelRules()),
        }
        (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        partial.chmod(0o755)
        sync_tree(partial)
        try:
            partial.rename(folder)
            sync_folder(root)
        except OSError:
            if not folder.is_dir():
                raise
            _must_be_same(folder, manifest)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return read_panel(folder)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _must_be_same(folder: Path, manifest: dict[str, Any]) -> None:
    path = folder / _MANIFEST
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PanelError(path, f"cannot be read ({error})") from error
    if there != manifest:
        raise PanelError(path, "exists with other content; write it under another version")


def _copy_map(source: Path | None, target: Path) -> str | None:
    if source is None:
        return None
    with _open(source) as lines, gzip.GzipFile(target, "wb", mtime=0) as out:
        header = next(lines, b"")
        if header.split()[:3] != [b"pos", b"chr", b"cM"]:
            raise PanelError(source, "does not start with the columns pos, chr and cM")
        out.write(header)
        out.writelines(lines)
    return target.name


def _copy_genotypes(
    source: Path, target: Path, chromosome: str, build: str, samples: Sequence[str] | None
) -> tuple[int, int]:
    """Copy what a panel needs; return the numbers of samples and of sites."""
    name = spelled(chromosome, build).encode()
    sites = 0
    last = 0
    columns: list[int] | None = None
    with _open(source) as lines, BgzfWriter(target) as out:
        for number, line in enumerate(_complete(source, lines), start=1):
            if line.startswith(b"##"):
                continue
            fields = line.rstrip(b"\n").split(b"\t")
            if columns is None:
                columns = _choose_columns(source, fields, samples)
                length = LENGTHS[build][chromosome]
                out.write(b"##fileformat=VCFv4.2\n")
                out.write(
                    b"##contig=<ID=%b,length=%d,assembly=%b>\n" % (name, length, build.encode())
                )
                out.write(b'##FILTER=<ID=PASS,Description="All filters passed">\n')
                out.write(b'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
                out.write(b"\t".join([*fields[:9], *(fields[i] for i in columns)]) + b"\n")
                width = len(fields)
                continue
            if len(fields) != width:
                raise PanelError(source, f"line {number} has {len(fields)} columns, not {width}")
            if fields[0].removeprefix(b"chr") != chromosome.encode():
                raise PanelError(source, f"line {number} is not of chromosome {chromosome}")
            position = int(fields[1]) if fields[1].isdigit() else 0
            if position < max(last, 1):
                raise PanelError(source, f"line {number} is not in the order of positions")
            last = position
            if b"," in fields[4]:
                raise PanelError(source, f"line {number} is multiallelic; run bcftools norm -m-")
            if not fields[8].startswith(b"GT"):
                raise PanelError(source, f"line {number} does not start its FORMAT with GT")
            calls = [fields[i] for i in columns]
            if fields[8] != b"GT":
                calls = [call.partition(b":")[0] for call in calls]
            text = b"\t".join(calls)
            if b"/" in text or b"." in text:
                raise PanelError(source, f"line {number} has unphased or missing genotypes")
            if not text.strip(b"0|\t"):
                continue
            sites += 1
            out.write(b"\t".join([name, *fields[1:5], b".", b"PASS", b".", b"GT", text]) + b"\n")
    if columns is None:
        raise PanelError(source, "has no #CHROM line: it is not a VCF")
    if not sites:
        raise PanelError(source, "has no site where a chosen sample carries an ALT allele")
    return len(columns), sites


def _choose_columns(
    source: Path, fields: Sequence[bytes], samples: Sequence[str] | None
) -> list[int]:
    if fields[0] != b"#CHROM" or len(fields) < 10:
        raise PanelError(source, "has no #CHROM line with samples: it is not a VCF of genotypes")
    if samples is None:
        return list(range(9, len(fields)))
    place = {name: at for at, name in enumerate(fields[9:], start=9)}
    missing = [sample for sample in samples if sample.encode() not in place]
    if missing:
        raise PanelError(source, f"has no sample {missing[0]} ({len(missing)} are missing)")
    return [place[sample.encode()] for sample in samples]


def _open(path: Path) -> Any:
    """The file open for reading lines of bytes, unpacked when it is gzip or BGZF."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _complete(path: Path, lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines, where a file that is cut or damaged raises `PanelError`."""
    try:
        yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PanelError(path, f"is cut or damaged ({error})") from error
