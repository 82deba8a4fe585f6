"""Any file of genotypes as the text of a VCF, told by its content, whatever its name says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.genotypes.check.content import read_content
from apps.genotypes.check.facts import FileFormat
from apps.genotypes.repair.alleles import Panel
from apps.genotypes.repair.bcf import bcf_lines
from apps.genotypes.repair.plink import PlinkVcf
from apps.genotypes.repair.plink_sets import set_beside, set_in_zip
from apps.genotypes.repair.programs import run_plink2
from apps.genotypes.repair.progress import Progress
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.text import VcfText, open_text, vcf_text

__all__ = ["Opened", "format_of", "open_genotypes"]


class Opened:
    """A file that is being read as a VCF.

    Attributes:
        converted: Whether it was none.
        notes: What to know about the conversion, as sentences, once all records are read.
    """

    def __init__(
        self,
        text: VcfText,
        *,
        converted: bool,
        notes: Callable[[], list[str]] = list,
    ) -> None:
        self.text = text
        self.converted = converted
        self.notes = notes


def format_of(path: Path) -> FileFormat:
    """What the content of a file is; `UNKNOWN` may still be a text that can be mended.

    Raises:
        OSError: it cannot be read.
    """
    content = read_content(path)
    if content.compression == "zip":
        return FileFormat.ZIP
    return FileFormat.UNKNOWN if content.format is FileFormat.ZIP else content.format


@contextmanager
def open_genotypes(
    path: Path,
    *,
    shown: str,
    work: Path,
    build: str | None,
    panel: Callable[[], Panel] | None,
    progress: Progress,
) -> Iterator[Opened]:
    """Open a VCF, BCF, PLINK set, zip of one, PLINK 2 set or BGEN.

    Args:
        shown: How the file is called towards people.
        work: A folder where a converting program may write.
        panel: Decides REF in a PLINK set.

    Raises:
        Refused: it cannot be read; also while its records are.
        OSError: the disk fails.
    """
    match format_of(path):
        case FileFormat.BCF:
            yield Opened(vcf_text(bcf_lines(path, progress)), converted=True)
        case FileFormat.PLINK:
            plink = PlinkVcf(set_beside(path, shown), build=build, panel=panel() if panel else None)
            yield _opened_plink(plink, progress)
        case FileFormat.ZIP:
            with set_in_zip(path) as files:
                plink = PlinkVcf(files, build=build, panel=panel() if panel else None)
                yield _opened_plink(plink, progress)
        case FileFormat.PLINK2 | FileFormat.BGEN as kind:
            converting, reading = progress.split(50)
            converted = _by_plink2(path, kind, work, build)
            converting.at(1, 1)
            with open_text(converted, reading) as text:
                yield Opened(
                    text,
                    converted=True,
                    notes=lambda: [
                        "Converted by plink2; which allele is REF is as the file states it."
                    ],
                )
        case _:
            with open_text(path, progress) as text:
                yield Opened(text, converted=False)


def _opened_plink(plink: PlinkVcf, progress: Progress) -> Opened:
    def notes() -> list[str]:
        found = []
        if plink.by_panel:
            found.append(f"REF is the panel's at {plink.by_panel:,} sites.")
        if plink.by_custom:
            found.append(
                f"REF is A2 at {plink.by_custom:,} sites, since nothing says which allele is the "
                "reference's: check the file against a panel."
            )
        found += [f"Left out since {why}: {count:,}." for why, count in plink.left_out.items()]
        if plink.mixed_haploid:
            found.append(
                f"{plink.mixed_haploid:,} genotypes of two alleles where there is one are missing "
                "now."
            )
        return found

    return Opened(vcf_text(plink.lines(progress)), converted=True, notes=notes)


def _by_plink2(path: Path, kind: FileFormat, work: Path, build: str | None) -> Path:
    """Convert with plink2 and return the VCF."""
    out = work / "converted"
    if kind is FileFormat.BGEN:
        source: list[str | Path] = ["--bgen", path.resolve(), "ref-first"]
        sample = path.with_suffix(".sample")
        if sample.is_file():
            source += ["--sample", sample.resolve()]
        name = "BGEN"
    else:
        source = ["--pgen", path.resolve()]
        for part in ("pvar", "psam"):
            beside = path.with_suffix(f".{part}")
            if not beside.is_file():
                raise Refused(
                    "plink-incomplete",
                    f"A PLINK 2 set is three files; beside the .pgen the .{part} is missing.",
                    remedy="Send .pgen, .pvar and .psam of the same name.",
                )
            source += [f"--{part}", beside.resolve()]
        name = "PLINK 2"
    if build is not None:
        source += ["--split-par", build]
    chromosomes = "chrMT" if build == "hg38" else "MT"
    run_plink2(
        [*source, "--export", "vcf-4.2", "bgz", "id-paste=iid", "--output-chr", chromosomes,
         "--out", out],
        work,
        format_name=name,
        hidden=[path.resolve().parent],
    )  # fmt: skip
    return out.with_suffix(".vcf.gz")
