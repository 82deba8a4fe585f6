"""Small files to check, written line by line."""

from pathlib import Path

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.check.beside_panel import PanelChoice
from apps.genotypes.check.run import Choices, check_file
from apps.genotypes.rules import JobLimits, PanelRules
from apps.genotypes.sites import write_site_tables

META = ("##fileformat=VCFv4.2", "##contig=<ID=chr20,length=64444167>")
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
SAMPLES = ("a", "b")
ANY_NUMBER = JobLimits(min_samples=1)


def row(
    position=5,
    *,
    chromosome="chr20",
    ref="A",
    alt="C",
    flags="PASS",
    form="GT",
    calls=("0|1", "1|1"),
):
    cells = [chromosome, position, ".", ref, alt, ".", flags, ".", form, *calls]
    return "\t".join(str(cell) for cell in cells)


def text(*rows, meta=META, samples=SAMPLES, columns=COLUMNS):
    return "\n".join([*meta, "\t".join([columns, *samples]), *rows, ""]).encode()


def bgzf(path: Path, content: bytes) -> Path:
    with BgzfWriter(path) as out:
        out.write(content)
    return path


def site(position, ref="A", alt="C", *, frequency=0.5, chromosome="chr20"):
    return f"{chromosome}\t{position}\t.\t{ref}\t{alt}\t.\t.\tAF={frequency}"


def panel(folder: Path, *sites, key="afr", build=None, **rules) -> PanelChoice:
    """A panel of these sites."""
    source = bgzf(
        folder / f"{key}.vcf.gz",
        "\n".join([*META, COLUMNS.removesuffix("\tFORMAT"), *sites, ""]).encode(),
    )
    write_site_tables(source, folder / key)
    return PanelChoice(key=key, tables=folder / key, build=build, rules=PanelRules(**rules))


def check(path: Path, *, limits=ANY_NUMBER, **choices):
    return check_file(path, name="study.vcf.gz", choices=Choices(limits=limits, **choices))


def found(report, rule):
    """The findings of a rule."""
    return [finding for finding in report.findings if finding.rule == rule]
