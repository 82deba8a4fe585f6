"""The study that the demonstration imputes: what is uploaded, the truth, and the nodes' panels.

The real one is made of Debian's `shapeit4-example`, which carries 300 phased genomes of the 1000
Genomes Project (chr20:1-4 Mb, GRCh37): every fifth sample becomes the target, masked to the sites
of a genotyping array, and the others, in turn, the panels of the two nodes. The simulated one lies
in this repository. Which one it is, is said wherever its results are shown.
"""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from apps.genotypes.bgzf import BgzfWriter
from apps.node.example import (
    ARRAY,
    INSTALLED,
    MAP,
    REFERENCE,
    RealDataMissing,
    fetch_example,
    find_example,
    make_folder,
)
from apps.node.kit_panels import KIT, POPULATIONS
from apps.node.pipeline.panels import Panel, Population, read_panel, write_panel

__all__ = [
    "Study",
    "StudyKind",
    "StudyPanel",
    "prepare",
]

StudyKind = Literal["auto", "real", "kit"]

_HEADER: Final = (
    b"##fileformat=VCFv4.2\n"
    b'##FILTER=<ID=PASS,Description="All filters passed">\n'
    b"##source=1000 Genomes Project, by way of Debian's shapeit4-example\n"
    b"##contig=<ID=20,length=63025520,assembly=GRCh37>\n"
    b'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
)


@dataclass(frozen=True, kw_only=True)
class StudyPanel:
    """The reference panel of one node.

    Attributes:
        deployment: The node that serves it.
        id: Name within the node; together with `version` it is never reused for other content.
        populations: Choices of the allele-frequency check.
        population: The one that fits the study's people.
        genotypes: Phased VCF of the chromosome.
        samples: Which of its samples make the panel; None for all.
        map: Genetic map, columns `pos chr cM`.
    """

    deployment: str
    id: str
    version: str
    name: str
    build: str
    populations: tuple[Population, ...]
    population: str
    chromosome: str
    genotypes: Path
    samples: tuple[str, ...] | None
    map: Path
    simulated: bool

    @property
    def key(self) -> str:
        """How the Michigan API names it."""
        return f"apps@{self.id}@{self.version}"

    def install(self, root: Path) -> Panel:
        """Write the panel below `root`, a node's folder of panels, unless it is there.

        Raises:
            PanelError: What is there under its name is broken.
        """
        folder = root / f"{self.id}@{self.version}"
        if folder.is_dir():
            return read_panel(folder)
        return write_panel(
            root,
            id=self.id,
            version=self.version,
            name=self.name,
            build=self.build,
            populations=self.populations,
            genotypes={self.chromosome: self.genotypes},
            maps={self.chromosome: self.map},
            simulated=self.simulated,
            samples=self.samples,
        )


@dataclass(frozen=True, kw_only=True)
class Study:
    """A phased study whose true genotypes are known.

    Attributes:
        label: What it is, for a heading; says SIMULATED when it is.
        build: `hg19` or `hg38`.
        samples: Number of people.
        target: What is uploaded: phased genotypes at the sites of the array, BGZF.
        unphased: The same without phase; the simulated one lacks some genotypes, too.
        truth: Genotypes of the same people at all sites.
        panels: One for each node.
    """

    label: str
    simulated: bool
    build: str
    chromosome: str
    samples: int
    target: Path
    unphased: Path
    truth: Path
    panels: tuple[StudyPanel, ...]


def prepare(
    kind: StudyKind,
    folder: Path,
    *,
    say: Callable[[str], None],
    installed: Path = INSTALLED,
    fetch: Callable[[Path], None] = fetch_example,
) -> Study:
    """Find or make the study.

    What is made appears in `folder` complete or not at all, so that this may be interrupted and
    may run twice at once.

    Args:
        kind: `real` insists on real genotypes, `kit` takes the simulated ones, `auto` takes the
            real ones if they can be had.
        folder: Where what is fetched and made is kept.
        say: Told in one sentence what takes long, and why it became the simulated study.
        installed: Where Debian's package puts its files.
        fetch: Puts the files of the package into a folder, or raises `RealDataMissing`.

    Raises:
        RealDataMissing: With `real` only.
        ValueError: The kind is another word.
    """
    if kind not in {"auto", "real", "kit"}:
        raise ValueError(f"STUDY is {kind!r}; it must be auto, real or kit.")
    if kind == "kit":
        return _simulated_study()
    try:
        return _real_study(
            find_example(folder / "shapeit4-example", installed=installed, fetch=fetch, say=say),
            folder,
        )
    except RealDataMissing as missing:
        if kind == "real":
            raise
        say(f"No real genotypes ({missing}); taking the SIMULATED study instead.")
        return _simulated_study()


def _real_study(examples: Path, folder: Path) -> Study:
    reference = examples / REFERENCE
    samples = _samples(reference)
    target = samples[4::5]
    others = [sample for index, sample in enumerate(samples) if index % 5 != 4]
    made = folder / "real-2"
    if not made.is_dir():

        def fill(partial: Path) -> None:
            _write_target_and_truth(
                reference=reference,
                array=_positions(examples / ARRAY),
                samples=target,
                into=partial,
            )

        make_folder(made, fill)
    panels = tuple(
        StudyPanel(
            deployment=deployment,
            id=f"1000g-{letter}",
            version="1.0.0",
            name=f"1000 Genomes EUR, part {letter.upper()}",
            build="hg19",
            populations=(
                Population(id="eur", name="EUR", samples=len(part)),
                Population(id="off", name="Skip", samples=-1),
            ),
            population="eur",
            chromosome="20",
            genotypes=reference,
            samples=tuple(part),
            map=examples / MAP,
            simulated=False,
        )
        for deployment, letter, part in (
            ("node-afr", "a", others[0::2]),
            ("node-eur", "b", others[1::2]),
        )
    )
    return Study(
        label=f"1000 Genomes, {len(target)} people, chr20:1-4 Mb (GRCh37)",
        simulated=False,
        build="hg19",
        chromosome="20",
        samples=len(target),
        target=made / "target.vcf.gz",
        unphased=made / "target.unphased.vcf.gz",
        truth=made / "truth.vcf.gz",
        panels=panels,
    )


def _simulated_study() -> Study:
    samples = _samples(KIT / "target.phased.vcf.gz")
    panels = tuple(
        StudyPanel(
            deployment=f"node-{population.lower()}",
            id=f"kit-{population.lower()}",
            version="1.0.0",
            name=f"Kit {population} (SIMULATED)",
            build="hg38",
            populations=(
                Population(id=population.lower(), name=population, samples=120),
                Population(id="off", name="Skip", samples=-1),
            ),
            population="off",  # the study is of mixed ancestry
            chromosome="20",
            genotypes=KIT / f"panel_{population}.vcf.gz",
            samples=None,
            map=KIT / "chr20.40-43Mb.map.gz",
            simulated=True,
        )
        for population in POPULATIONS
    )
    return Study(
        label=f"SIMULATED study, {len(samples)} samples, chr20:40-43 Mb (GRCh38)",
        simulated=True,
        build="hg38",
        chromosome="20",
        samples=len(samples),
        target=KIT / "target.phased.vcf.gz",
        unphased=KIT / "target.unphased.vcf.gz",
        truth=KIT / "truth.vcf.gz",
        panels=panels,
    )


def _write_target_and_truth(
    *, reference: Path, array: frozenset[bytes], samples: Sequence[str], into: Path
) -> None:
    wanted = {sample.encode() for sample in samples}
    columns: list[int] = []
    with (
        _lines(reference) as lines,
        BgzfWriter(into / "truth.vcf.gz") as truth,
        BgzfWriter(into / "target.vcf.gz") as target,
        BgzfWriter(into / "target.unphased.vcf.gz") as unphased,
    ):
        for line in lines:
            if line.startswith(b"##"):
                continue
            fields = line.rstrip(b"\n").split(b"\t")
            if line.startswith(b"#CHROM"):
                columns = [at for at, field in enumerate(fields) if at > 8 and field in wanted]
                header = _HEADER + b"\t".join([*fields[:9], *(fields[at] for at in columns)])
                truth.write(header + b"\n")
                target.write(header + b"\n")
                unphased.write(header + b"\n")
                continue
            fixed = [*fields[:5], b".", b"PASS", b".", b"GT"]
            record = b"\t".join([*fixed, *(fields[at] for at in columns)]) + b"\n"
            truth.write(record)
            if fields[1] in array:
                target.write(record)
                unphased.write(record.replace(b"1|0", b"0/1").replace(b"|", b"/"))


def _samples(path: Path) -> list[str]:
    with _lines(path) as lines:
        for line in lines:
            if line.startswith(b"#CHROM"):
                return line.decode().rstrip("\n").split("\t")[9:]
    raise RealDataMissing(f"{path.name} is not a VCF")


def _positions(path: Path) -> frozenset[bytes]:
    with _lines(path) as lines:
        return frozenset(line.split(b"\t", 2)[1] for line in lines if not line.startswith(b"#"))


def _lines(path: Path) -> gzip.GzipFile:
    return gzip.open(path, "rb")
