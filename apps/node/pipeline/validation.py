"""Step 1: is what was uploaded something that this panel can impute?

Rules, order and words are those of imputationserver2's input validation. What this node cannot do
(chromosomes that the panel lacks, phasing, lifting over) is said in the same step or the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from apps.genotypes.bgzf import BgzfError, check_end
from apps.genotypes.builds import BUILDS, spelled
from apps.genotypes.job_rules import check_samples
from apps.genotypes.vcf import VcfError, VcfScan, scan_vcf
from apps.node.pipeline.events import JobFailed
from apps.node.pipeline.panels import Panel
from apps.node.pipeline.phasing import ENGINES, PhasingEngine
from apps.node.pipeline.specification import JobSpecification

__all__ = [
    "Study",
    "StudyFile",
    "check_choices",
    "check_phase",
    "read_study",
    "summary",
    "warnings",
]

NO_PHASING = "no_phasing"


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """An uploaded file that passed, and what it is."""

    path: Path
    scan: VcfScan


@dataclass(frozen=True, kw_only=True)
class Study:
    """All files of a job, one per chromosome, in the order of chromosomes."""

    files: tuple[StudyFile, ...]

    @property
    def samples(self) -> int:
        return len(self.files[0].scan.header.samples)

    @property
    def phased(self) -> bool:
        return all(file.scan.phased for file in self.files)


def check_choices(job: JobSpecification, panel: Panel) -> None:
    """Check what the user chose, before any file is read.

    Raises:
        JobFailed: with the server's words.
    """
    populations = [population.id for population in panel.populations]
    if job.population not in populations:
        raise JobFailed(
            f"Population '{escape(job.population)}' is not supported by reference panel "
            f"'{escape(panel.id)}'.<br>Available populations: {escape(', '.join(populations))}"
        )
    for label, chosen, known in (
        ("Build", job.build, BUILDS),
        ("Phasing engine", job.phasing, (*ENGINES, NO_PHASING)),
        ("Mode", job.mode, ("imputation", "qc_only")),
    ):
        if chosen not in known:
            raise JobFailed(f"{label} '{escape(chosen)}' is not supported.")


def read_study(
    workspace: Path,
    job: JobSpecification,
    panel: Panel,
    *,
    analyze: Callable[[str], None],
) -> Study:
    """Read every file once and check all of them together.

    Args:
        analyze: Told each file's name before it is read.

    Raises:
        JobFailed: with the server's words.
    """
    paths = sorted(path for path in job.files if path.name.endswith(".vcf.gz"))
    if not paths:
        raise JobFailed("No vcf.gz input files detected.")
    files = []
    for path in paths:
        analyze(path.name)
        files.append(StudyFile(path=workspace / path, scan=_scan(workspace / path)))
    _check_together(files, job, panel)
    files.sort(key=lambda file: panel.names.index(file.scan.name))
    return Study(files=tuple(files))


def _scan(path: Path) -> VcfScan:
    try:
        check_end(path)
        return scan_vcf(path)
    except (BgzfError, VcfError, OSError) as error:
        text = str(error) if isinstance(error, VcfError) else f"{path.name}: {error}"
        raise JobFailed(f"The provided VCF file is malformed.<br>{escape(text)}") from error


def _check_together(files: Sequence[StudyFile], job: JobSpecification, panel: Panel) -> None:
    samples = {len(file.scan.header.samples) for file in files}
    if len(samples) > 1:
        raise JobFailed("The provided VCF files have different numbers of samples.")
    if (reason := check_samples(samples.pop(), job.limits)) is not None:
        raise JobFailed(reason)
    seen: dict[str, str] = {}
    for file in files:
        name, scan = file.path.name, file.scan
        if scan.name in seen:
            raise JobFailed(
                f"The files {escape(seen[scan.name])} and {escape(name)} are both of chromosome "
                f"{scan.name}. Please merge them into one file."
            )
        seen[scan.name] = name
        prefixed = scan.chromosome.startswith("chr")
        if prefixed is not (job.build == "hg38"):
            plain = scan.chromosome.removeprefix("chr")
            raise JobFailed(
                f"Your upload data contains chromosome '{escape(scan.chromosome)}'. This is not a "
                f"valid {job.build} encoding. Please ensure that your input data is build "
                f"{job.build} and chromosome is encoded as '{spelled(plain, job.build)}'."
            )
        if scan.name not in panel.names:
            raise JobFailed(
                f"Chromosome {scan.name} cannot be imputed here: reference panel "
                f"'{escape(panel.id)}' has chromosome {', '.join(panel.names)} only."
            )


def check_phase(study: Study, job: JobSpecification, engine: PhasingEngine | None) -> None:
    """Check that data without phase can get one.

    Args:
        engine: The one that the job is going to use.

    Raises:
        JobFailed: with the server's words, and what is missing here.
    """
    unphased = next((file for file in study.files if not file.scan.phased), None)
    if unphased is None or engine is not None:
        return
    if job.phasing == NO_PHASING:
        raise JobFailed("Your input data is unphased. Please select an algorithm for phasing.")
    raise JobFailed(
        f"Your input data is unphased ({escape(unphased.path.name)}, line "
        f"{unphased.scan.first_unphased}), and no phasing engine is installed on this server. "
        "Please phase your data before the upload."
    )


def warnings(study: Study, job: JobSpecification, engine: PhasingEngine | None) -> list[str]:
    """What the user should know although the job goes on.

    Args:
        engine: The phasing engine that the job is going to use.
    """
    found = [
        f"The contig lengths of {escape(file.path.name)} are those of {file.scan.header.build}, "
        f"the selected build is {job.build}."
        for file in study.files
        if file.scan.header.build not in {None, job.build}
    ]
    asked = ENGINES.get(job.phasing)
    if asked is not None and engine is None:
        found.append(
            f"Phasing with {escape(job.phasing)} was selected, but no phasing engine is installed "
            "on this server. Your data is phased already and is imputed as it is."
        )
    elif asked is not None and engine is not None and engine.name != asked.name:
        found.append(
            f"{asked.name} is not installed on this server. Your data is phased with "
            f"{engine.name} instead."
        )
    return found


def summary(study: Study, job: JobSpecification, panel: Panel) -> str:
    """The message that ends a validation which found nothing wrong."""
    lines = [
        ("Samples", f"{study.samples:,}"),
        ("Chromosomes", " ".join(file.scan.name for file in study.files)),
        ("SNPs", f"{sum(file.scan.records for file in study.files):,}"),
        ("Chunks", f"{sum(len(file.scan.chunks) for file in study.files):,}"),
        ("Datatype", "phased" if study.phased else "unphased"),
        ("Build", job.build),
        ("Reference Panel", f"{panel.id} ({panel.build})"),
        ("Population", job.population),
        ("Phasing", job.phasing),
        ("Mode", job.mode),
    ]
    if job.r2_filter:
        lines.append(("Rsq filter", f"{job.r2_filter:g}"))
    text = "\n".join(f"<b>{label}:</b> {escape(value)}" for label, value in lines)
    return f"{len(study.files)} valid VCF file(s) found.\n\n{text}"
