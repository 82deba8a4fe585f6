"""Stage 1 of a check: what the first bytes of a file show, within the request that brings it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apps.genotypes.check.facts import FileFormat
from apps.genotypes.check.report import Finding, Report
from apps.genotypes.check.run import Choices, check_file
from federated_imputation.monolith.files.models import GenotypeFile

__all__ = ["Look", "NoGenotypes", "look", "look_at_made"]

_INDEXES: Final = (".tbi", ".csi")
_KINDS: Final = {
    FileFormat.BCF: GenotypeFile.Format.BCF,
    FileFormat.PLINK: GenotypeFile.Format.PLINK,
    FileFormat.BGEN: GenotypeFile.Format.BGEN,
}


class NoGenotypes(Exception):
    """The content is certainly no file of genotypes; carries the findings that say why."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("The file is no file of genotypes.")
        self.findings = findings


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a first look shows.

    Attributes:
        format: One of `GenotypeFile.Format`, by the content and not by the name.
    """

    format: str
    report: Report


def look(path: Path, *, name: str) -> Look:
    """Look at the beginning and the end of the file that people know as `name`.

    Raises:
        NoGenotypes: It is certainly none.
        OSError: It cannot be read.
    """
    report = check_file(path, name=name, choices=Choices(last_stage=1))
    kept_as = _kept_as(report)
    if kept_as is None:
        raise NoGenotypes(report.findings)
    return Look(format=kept_as, report=report)


def look_at_made(path: Path, *, name: str) -> Look:
    """Look at what a repair made: genotypes, or an index of them.

    Raises:
        NoGenotypes: It is neither.
        OSError: It cannot be read.
    """
    if name.endswith(_INDEXES):
        report = check_file(path, name=name, choices=Choices(last_stage=1))
        index = Report(file=name, stage=1, facts=report.facts)
        return Look(format=GenotypeFile.Format.INDEX, report=index)
    return look(path, name=name)


def _kept_as(report: Report) -> str | None:
    facts = report.facts
    if facts.format is not FileFormat.VCF:
        return _KINDS.get(facts.format)
    packed = facts.compression in {"bgzf", "gzip"}
    return GenotypeFile.Format.VCF_GZ if packed else GenotypeFile.Format.VCF
