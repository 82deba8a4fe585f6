"""The sites of a panel as files that anybody may have: no genotype, no sample name, only counts.

Who has them can say before an upload how much of it the panel knows. One BGZF VCF a chromosome,
without samples, with AC, AN and AF (VCF 4.2, section 1.4.2) over all haplotypes of the panel.
"""

import json
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.builds import LENGTHS, spelled
from apps.genotypes.chromosome_x import whole
from apps.node.pipeline.derived import derived
from apps.node.pipeline.panel_index import PanelIndex, open_index
from apps.node.pipeline.panels import Panel

__all__ = ["SiteList", "open_site_list"]

_BLOCK = 4096
_FACTS = "facts.json"
_INFO = (
    b'##INFO=<ID=AC,Number=A,Type=Integer,Description="Haplotypes of the panel that carry ALT">\n'
    b'##INFO=<ID=AN,Number=1,Type=Integer,Description="Haplotypes of the panel">\n'
    b'##INFO=<ID=AF,Number=A,Type=Float,Description="AC / AN">\n'
)


@dataclass(frozen=True, kw_only=True)
class SiteList:
    """The site list of one chromosome.

    Attributes:
        chromosome: Named without `chr`.
        path: The file, which never changes.
        size: Of the file, in bytes.
        sha256: Of the file, in hexadecimal.
    """

    chromosome: str
    path: Path
    size: int
    sha256: str


def open_site_list(panel: Panel, chromosome: str) -> SiteList:
    """The site list of a panel's chromosome, written on first use.

    Raises:
        KeyError: The panel has no such chromosome.
        PanelError: Its genotypes are not what the manifest says.
    """
    if chromosome not in panel.names:
        raise KeyError(chromosome)
    folder = derived(
        panel.folder,
        f"chr{chromosome}.sites-1",
        lambda path: _write(path, panel, chromosome),
    )
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    return SiteList(
        chromosome=chromosome,
        path=folder / _file_name(chromosome),
        size=facts["size"],
        sha256=facts["sha256"],
    )


def _file_name(chromosome: str) -> str:
    return f"{chromosome}.vcf.gz"


def _write(folder: Path, panel: Panel, chromosome: str) -> None:
    folder.mkdir()
    path = folder / _file_name(chromosome)
    name = spelled(chromosome, panel.build).encode()
    with BgzfWriter(path) as out:
        out.write(_header(panel, chromosome, name))
        for part in panel.chromosomes:
            if whole(part) == chromosome:
                index = open_index(panel, part)
                for low in range(0, len(index.positions), _BLOCK):
                    block = range(low, min(low + _BLOCK, len(index.positions)))
                    out.write(_lines(index, block, name))
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    facts = {"size": path.stat().st_size, "sha256": digest}
    (folder / _FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")


def _header(panel: Panel, chromosome: str, name: bytes) -> bytes:
    length = LENGTHS[panel.build][chromosome]
    simulated = b"##simulated=yes\n" if panel.simulated else b""
    return (
        b"##fileformat=VCFv4.2\n"
        b"##panel=%b\n"
        % panel.key.encode()
        + simulated
        + b"##contig=<ID=%b,length=%d,assembly=%b>\n" % (name, length, panel.build.encode())
        + b'##FILTER=<ID=PASS,Description="All filters passed">\n'
        + _INFO
        + b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    )


def _lines(index: PanelIndex, sites: range, name: bytes) -> bytes:
    rows = slice(sites.start, sites.stop)
    counts = index.alt_counts[rows].tolist()
    return b"".join(
        b"%b\t%d\t%b\t%b\t%b\t.\tPASS\tAC=%d;AN=%d;AF=%b\n"
        % (name, at, ident, ref, alt, count, index.haplotypes, _frequency(count, index.haplotypes))
        for at, (ident, ref, alt), count in zip(
            index.positions[rows].tolist(), index.texts(sites), counts, strict=True
        )
    )


def _frequency(count: int, haplotypes: int) -> bytes:
    return b"%.6g" % (count / haplotypes)
