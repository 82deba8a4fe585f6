"""The check of one file, stage by stage; each stage goes as far as the one before found ground.

1. What the file is, and its header.
2. Every line, once, beside the sites of the panels.
3. The genotypes: call rates, frequencies, heterozygosity.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from apps.genotypes.bgzf import BgzfError, LineTooLong, Truncated, check_end
from apps.genotypes.builds import BUILDS
from apps.genotypes.check.beside_panel import PanelChoice, PanelTally
from apps.genotypes.check.content import (
    BYTE_ORDER_MARKS,
    SAMPLE_MAJOR_BED,
    read_content,
    read_pieces,
)
from apps.genotypes.check.facts import Facts, FileFormat
from apps.genotypes.check.findings import Findings
from apps.genotypes.check.header import HeaderReader
from apps.genotypes.check.lines import TextLines, whole_lines
from apps.genotypes.check.quality import Quality
from apps.genotypes.check.records import RecordScan
from apps.genotypes.check.report import PanelReport, Report
from apps.genotypes.job_rules import check_samples
from apps.genotypes.rules import JobLimits

__all__ = ["Choices", "check_file"]

_FORMATS = {
    FileFormat.BCF: ("format-bcf", "The file is a BCF."),
    FileFormat.PLINK: ("format-plink", "The file is a PLINK set, or a part of one."),
    FileFormat.PLINK2: ("format-plink", "The file is a PLINK 2 set, or a part of one."),
    FileFormat.BGEN: ("format-bgen", "The file is a BGEN."),
    FileFormat.ZIP: ("format-zip", "The file is an archive."),
    FileFormat.UNKNOWN: ("format-unknown", "The file is no VCF."),
}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the person has chosen, as far as it is known.

    Attributes:
        build: `hg19` or `hg38`; None leaves it to the header.
        phasing: Whether the service is asked to phase.
        last_stage: Where to stop, 1 to 3.
    """

    build: str | None = None
    phasing: bool | None = None
    panels: Sequence[PanelChoice] = ()
    limits: JobLimits = field(default_factory=JobLimits)
    last_stage: int = 3


def check_file(
    path: Path,
    *,
    name: str,
    choices: Choices,
    progress: Callable[[int, int], None] = lambda stage, percent: None,
) -> Report:
    """Check a file; whatever is in it, the answer is a report.

    Args:
        name: How findings call the file.
        progress: Told the stage and how many percent of it are done, when that changes.

    Raises:
        OSError: the file cannot be read.
        SitesError: the tables of a panel are broken.
        ValueError: a choice is none.
    """
    if choices.build not in {None, *BUILDS}:
        raise ValueError(f"there is no build {choices.build!r}; there are hg19 and hg38")
    return _Check(path, name, choices, progress).run(name)


class _Check:
    """The state of one check: what the file is, and how far it was read."""

    def __init__(
        self, path: Path, name: str, choices: Choices, progress: Callable[[int, int], None]
    ) -> None:
        self._path = path
        self._choices = choices
        self._progress = progress
        self._told: tuple[int, int] | None = None
        self._findings = Findings(name)
        self._content = read_content(path)
        self._header = HeaderReader(findings=self._findings)
        self._complete = False

    def run(self, name: str) -> Report:
        self._tell(1, 0)
        stage = 1
        scan = quality = None
        if self._judge_content():
            self._read_header()
            samples = self._header.samples
            if samples is not None and self._choices.last_stage >= 2:
                stage = 2
                scan = self._scan(samples)
                if self._complete and self._choices.last_stage >= 3:
                    stage = 3
                    quality = self._measure(samples)
        self._tell(stage, 100)
        # First the panels: judging them adds findings.
        panels = [] if scan is None else self._judge_panels(scan, quality)
        return Report(
            file=name,
            stage=stage,
            facts=self._facts(scan, quality),
            findings=self._findings.all(),
            panels=tuple(panels),
        )

    def _tell(self, stage: int, percent: int) -> None:
        if self._told != (stage, percent):
            self._told = (stage, percent)
            self._progress(stage, percent)

    def _judge_content(self) -> bool:
        """Note what the file is; tell whether its text can be read as a VCF."""
        content, findings = self._content, self._findings
        if content.compression == "empty":
            findings.add("empty", "The file is empty.")
            return False
        if (trouble := _FORMATS.get(content.format)) is not None:
            rule, message = trouble
            if content.head.startswith(BYTE_ORDER_MARKS):
                rule = "format-encoding"
            elif content.head.startswith(SAMPLE_MAJOR_BED):
                rule = "format-plink-order"
            findings.add(rule, f"{message} {content.hint}".strip())
            return False
        if content.compression == "gzip":
            findings.add("gzip", "The file is compressed with gzip, not with bgzip.")
        elif content.compression == "none":
            findings.add("uncompressed", "The file is not compressed.")
        else:
            try:
                check_end(self._path)
            except Truncated as error:
                findings.add("truncated", _sentence(error))
        return True

    def _read_header(self) -> None:
        """Stage 1; the first lines behind the header are read to see that they can be."""
        for _ in self._lines(1):
            break
        self._header.close()
        samples, build = self._header.samples, self._choices.build
        if samples is not None:
            reason = check_samples(len(samples), self._choices.limits)
            if reason is not None:
                self._findings.add("samples-number", reason, line=self._header.lines)
        if build is not None and self._header.build not in {None, build}:
            self._findings.add(
                "build-differs",
                f"The contig lengths are those of {self._header.build}, "
                f"the selected build is {build}.",
            )

    def _lines(self, stage: int) -> Iterator[TextLines]:
        """The lines behind the header; its own are read in stage 1, and then skipped.

        Trouble of the packing ends them and becomes a finding.
        """
        header = self._header
        number = 1
        self._complete = False
        try:
            for piece in whole_lines(read_pieces(self._path, self._content)):
                self._tell(stage, min(99, 100 * piece.read // max(self._content.size, 1)))
                at = 0
                while at < len(piece.text) and (number <= header.lines or not header.done):
                    end = piece.text.index(b"\n", at)
                    if number > header.lines:
                        header.add(piece.text[at:end])
                    at = end + 1
                    number += 1
                if header.done and header.samples is None:
                    return
                if at < len(piece.text):
                    for lines in TextLines.cut(piece.text[at:], first=number):
                        number += len(lines)
                        yield lines
            self._complete = True
        except LineTooLong:
            self._note_once("line-length", "The line is longer than 8 MB.", number)
        except BgzfError as error:
            rule = "truncated" if isinstance(error, Truncated) else "damaged"
            self._note_once(rule, _sentence(error), number)

    def _note_once(self, rule: str, message: str, line: int) -> None:
        if rule not in self._findings:
            self._findings.add(rule, message, line=line)

    @property
    def _build(self) -> str | None:
        return self._choices.build or self._header.build

    def _scan(self, samples: Sequence[str]) -> RecordScan:
        scan = RecordScan(
            findings=self._findings,
            samples=len(samples),
            build=self._build,
            version=self._header.version,
            phasing=self._choices.phasing,
            panels=[
                PanelTally(choice, samples=len(samples), build=self._build, findings=self._findings)
                for choice in self._choices.panels
            ],
        )
        for lines in self._lines(2):
            scan.add(lines)
        scan.close()
        return scan

    def _measure(self, samples: Sequence[str]) -> Quality:
        quality = Quality(
            findings=self._findings,
            samples=samples,
            build=self._build,
            panels=self._choices.panels,
        )
        for lines in self._lines(3):
            quality.add(lines)
        quality.close()
        return quality

    def _judge_panels(self, scan: RecordScan, quality: Quality | None) -> list[PanelReport]:
        refused = [finding.message for finding in self._findings.errors()]
        reports = []
        for panel in scan.panels:
            report = panel.report(scan.chunks, refused, complete=self._complete)
            if quality is not None and report.known:
                agreement = quality.agreement(report.key)
                report = replace(
                    report,
                    frequency_correlation=agreement.correlation,
                    frequency_outliers=agreement.far,
                )
            reports.append(report)
        return reports

    def _facts(self, scan: RecordScan | None, quality: Quality | None) -> Facts:
        content, header = self._content, self._header
        facts = Facts(
            format=content.format,
            compression="none" if content.compression == "empty" else content.compression,
            size=content.size,
            version=header.version,
            samples=None if header.samples is None else len(header.samples),
            build=header.build,
        )
        if scan is None:
            return facts
        return replace(
            facts,
            complete=self._complete,
            records=scan.records,
            chromosomes=tuple(c.facts() for c in scan.chromosomes.all if c.records),
            phased=scan.first_unphased is None,
            unphased_records=scan.unphased,
            variants=scan.variants(),
            quality=None if quality is None else quality.facts(),
        )


def _sentence(error: BgzfError) -> str:
    text = str(error).partition(";")[0]
    return f"{text[0].upper()}{text[1:]}."
