"""What the check of a file says: findings, facts, and what each panel's service would do.

All of it goes through JSON, since the check runs in a process of its own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from apps.genotypes.check.facts import Facts, read_facts

__all__ = [
    "MAX_EXAMPLES",
    "Accepted",
    "ChunkReport",
    "Example",
    "Finding",
    "MalformedReport",
    "PanelReport",
    "Report",
    "Severity",
]

MAX_EXAMPLES = 20


class MalformedReport(ValueError):
    """The JSON is not that of a report; the text says what is missing or wrong."""


class Severity(StrEnum):
    """`error`: a service refuses the file; `warning`: it leaves something out; `info`: a fact."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Accepted(StrEnum):
    """Whether a service would impute the file; `unknown` when its sites are not known."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Example:
    """One place where a rule is broken.

    Attributes:
        line: Number of the line in the file's text, from 1, if the trouble has one.
        text: What stands there, shortened; holds no genotypes.
    """

    line: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A rule that the file breaks, once however often it does.

    Attributes:
        rule: Its id, as in the table of rules.
        message: What is wrong, as a sentence.
        file: The name that the file is shown by.
        line: Where it is broken first; None for trouble of the whole file.
        count: How often.
        examples: The first ones, `MAX_EXAMPLES` at most.
        remedy: What to do, as a sentence.
        repair: Id of the repair that mends it, as `apps.genotypes.repair` names it.
        panel: Key of the panel that the rule is of; None for rules of the file alone.
    """

    rule: str
    severity: Severity
    message: str
    file: str
    line: int | None
    count: int
    examples: tuple[Example, ...] = ()
    remedy: str
    repair: str | None = None
    panel: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChunkReport:
    """A chunk of 20 Mb as the service judges it.

    Attributes:
        name: As the service names it, `chunk_20_0000000001_0020000000`.
        compared: Sites that no rule of the file alone leaves out.
        found: Those of them whose position the panel has.
        sites: Those of them that are kept.
        samples_low_call_rate: Samples called at less than the share that the panel asks for.
        fault: Why it is left out, in the words of `ChunkFault`; None for a chunk that is kept.
    """

    name: str
    compared: int
    found: int
    sites: int
    samples_low_call_rate: int
    fault: str | None


@dataclass(frozen=True, kw_only=True)
class PanelReport:
    """The file beside a panel.

    Attributes:
        key: As the caller names the panel.
        known: Whether its sites are known here; without them all counts are 0.
        overlap: Share of the compared sites whose position the panel has; None without any.
        matches: Sites with the panel's REF and ALT.
        palindromic: A/T and C/G sites that the panel has the other way round: kept, since their
            strand cannot be told.
        both: Sites that are strand flips and allele switches at once; in neither of these.
        low_call_rate: Matching sites that are left out since more than 10 % is missing.
        frequency_correlation: Pearson's r of the ALT frequencies at the matching sites.
        frequency_outliers: Matching sites whose frequencies differ by more than 0.2.
        accepted: Whether its service would impute the file.
        reasons: Why not, or why it cannot be told, as sentences.
    """

    key: str
    known: bool
    build: str | None = None
    overlap: float | None = None
    matches: int = 0
    palindromic: int = 0
    strand_flips: int = 0
    allele_switches: int = 0
    both: int = 0
    mismatches: int = 0
    typed_only: int = 0
    low_call_rate: int = 0
    frequency_correlation: float | None = None
    frequency_outliers: int = 0
    chunks_kept: int = 0
    chunks_excluded: int = 0
    chunks: tuple[ChunkReport, ...] = ()
    accepted: Accepted = Accepted.UNKNOWN
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """The check of one file.

    Attributes:
        stage: The last stage that was done, 1 to 3.
    """

    file: str
    stage: int
    facts: Facts
    findings: tuple[Finding, ...] = ()
    panels: tuple[PanelReport, ...] = ()

    @property
    def errors(self) -> int:
        """How many rules are broken so that a service refuses the file."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Only values that `json.dumps` writes; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> "Report":
        """Read what `to_json` gave.

        Raises:
            MalformedReport: it is not that.
        """
        try:
            return cls(
                file=value["file"],
                stage=value["stage"],
                facts=read_facts(value["facts"]),
                findings=tuple(_finding(finding) for finding in value["findings"]),
                panels=tuple(_panel(panel) for panel in value["panels"]),
            )
        except KeyError as error:
            raise MalformedReport(f"the report has no {error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise MalformedReport(f"the report is not one: {error}") from error


def _finding(value: Mapping[str, Any]) -> Finding:
    return Finding(
        **{
            **value,
            "severity": Severity(value["severity"]),
            "examples": tuple(Example(**example) for example in value["examples"]),
        }
    )


def _panel(value: Mapping[str, Any]) -> PanelReport:
    return PanelReport(
        **{
            **value,
            "accepted": Accepted(value["accepted"]),
            "chunks": tuple(ChunkReport(**chunk) for chunk in value["chunks"]),
            "reasons": tuple(value["reasons"]),
        }
    )
