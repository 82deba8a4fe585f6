"""The demonstration's results as a table for people and as JSON for programs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from apps.genotypes.accuracy import MAF_BINS, Accuracy
from apps.genotypes.summary import ResultSummary

__all__ = ["DemoResult", "PanelResult", "ResultFile", "as_json", "render"]

_BIN_NAMES: Final = tuple(f"{lower:g}-{upper:g}" for lower, upper in MAF_BINS)
_LONGEST_NAME: Final = 26


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """A downloaded result file; `sha256` was computed from what arrived."""

    name: str
    size: int
    sha256: str
    path: str


@dataclass(frozen=True, kw_only=True)
class PanelResult:
    """What one panel gave.

    Attributes:
        panel: Its name as the node shows it.
        node: The deployment that imputed.
        service_job_id: The node's own id of the job.
        status: Final state of the platform's job.
        submissions: How often the platform sent the job, by its events.
        seconds: From the upload to the results lying complete on the platform.
        events: The job's events, oldest first, in the platform's words.
    """

    panel: str
    node: str
    job_id: str
    service_job_id: str
    status: str
    submissions: int
    seconds: float
    summary: ResultSummary
    accuracy: Accuracy
    files: tuple[ResultFile, ...]
    events: tuple[str, ...]

    @property
    def engine(self) -> str:
        return self.summary.source


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """All that a demonstration showed.

    Attributes:
        study: Label of the study; says SIMULATED when it is.
        panels: The study as it is, phased, with each panel.
        unphased: The study sent without its phase, with some of them; empty where no node phases.
        seconds: From the start of the demonstration to its results.
        addresses: URL by deployment.
    """

    study: str
    simulated: bool
    samples: int
    panels: tuple[PanelResult, ...]
    seconds: float
    addresses: dict[str, str]
    unphased: tuple[PanelResult, ...] = ()


def as_json(result: DemoResult) -> dict[str, Any]:
    """The result with all its parts as plain values, and each panel's engine."""
    content = asdict(result)
    for name, panels in (("panels", result.panels), ("unphased", result.unphased)):
        for panel, plain in zip(panels, content[name], strict=True):
            plain["engine"] = panel.engine
    return content


def render(result: DemoResult) -> str:
    """Two small tables, at most 100 columns wide."""
    first = result.panels[0].accuracy
    rows = _rows(result)
    services = _table(
        ("panel", "engine", "typed", "imputed", "typed only", "mean R²", "time"),
        [
            (
                title,
                _short(panel.engine),
                f"{panel.summary.typed:,}",
                f"{panel.summary.imputed:,}",
                f"{panel.summary.typed_only:,}",
                _number(panel.summary.mean_r2),
                f"{panel.seconds:.1f} s",
            )
            for title, panel in rows
        ],
        left=2,
    )
    accuracy = _table(
        ("r² against the truth, by MAF", *_BIN_NAMES, "all"),
        [
            *(
                (
                    title,
                    *(_number(part.r2) for part in panel.accuracy.bins),
                    _number(panel.accuracy.total.r2),
                )
                for title, panel in rows
            ),
            ("sites compared", *(f"{part.sites:,}" for part in (*first.bins, first.total))),
        ],
        left=1,
    )
    return "\n".join([result.study, "", *services, "", *accuracy])


def _rows(result: DemoResult) -> list[tuple[str, PanelResult]]:
    """Every panel, and below it what it gave for the study without phase."""
    rows = []
    for panel in result.panels:
        rows.append((_short(panel.panel), panel))
        for other in result.unphased:
            if (other.panel, other.node) == (panel.panel, panel.node):
                program = other.summary.phasing.partition(" ")[0].capitalize()
                rows.append((_short(f"  unphased, by {program}"), other))
    return rows


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> list[str]:
    """Aligned columns under a rule; the first `left` ones flush left, the others right."""
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        aligned: list[str] = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            align: Callable[[int], str] = cell.ljust if column < left else cell.rjust
            aligned.append(align(width))
        return "  " + "  ".join(aligned).rstrip()

    rule = "  " + "─" * (sum(widths) + 2 * (len(widths) - 1))
    return [line(header), rule, *(line(row) for row in cells[1:])]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"  # noqa: RUF001 - a dash, as tables have it


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
