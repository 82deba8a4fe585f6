"""`manage.py genotypes check FILE`: all that is wrong with a file, before a service says so.

Exit status: 0 when a service would take the file, 1 when it would refuse it, 2 when the file or a
panel cannot be read.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from apps.genotypes.builds import BUILDS
from apps.genotypes.check.beside_panel import PanelChoice
from apps.genotypes.check.facts import Facts
from apps.genotypes.check.report import Accepted, Finding, PanelReport, Report, Severity
from apps.genotypes.check.run import Choices, check_file
from apps.genotypes.commands.panels import site_tables
from apps.genotypes.sites import SitesError

__all__ = ["add_parser"]

_SHOWN_EXAMPLES: Final = 5
_STAGES: Final = {1: "header", 2: "lines", 3: "genotypes"}
_NEEDS_PANEL: Final = frozenset({"swap", "flip"})


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `check`."""
    check = commands.add_parser(
        "check",
        help="tell all that is wrong with a file, and whether services would take it",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument(
        "--panel",
        action="append",
        default=[],
        type=Path,
        metavar="SITES",
        help="a panel to compare with: its VCF or site list, or a folder of site tables",
    )
    check.add_argument("--build", choices=BUILDS, help="of the positions; else the header tells")
    check.add_argument("--phasing", choices=["yes", "no"], help="whether the service is to phase")
    check.add_argument(
        "--stage",
        type=int,
        choices=[1, 2, 3],
        default=3,
        help="where to stop: 1 header, 2 lines, 3 genotypes",
    )
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        with _panels(given.panel) as panels:
            choices = Choices(
                build=given.build,
                phasing=None if given.phasing is None else given.phasing == "yes",
                panels=panels,
                last_stage=given.stage,
            )
            report = check_file(
                given.file, name=given.file.name, choices=choices, progress=_show_progress
            )
    except (OSError, SitesError) as error:
        _end_progress()
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        _end_progress()
        sys.stderr.write("Stopped.\n")
        return 130
    _end_progress()
    text = json.dumps(report.to_json(), indent=1) if given.json else "\n".join(_lines(report))
    sys.stdout.write(text + "\n")
    refused = report.errors or any(panel.accepted is Accepted.NO for panel in report.panels)
    return 1 if refused else 0


@contextmanager
def _panels(given: Sequence[Path]) -> Iterator[list[PanelChoice]]:
    """The panels, each under a name of its own."""
    with ExitStack() as stack:
        choices: list[PanelChoice] = []
        for path in given:
            tables = stack.enter_context(site_tables(path))
            # Two panels of the same name are told apart by their folders.
            taken = any(choice.key == path.name for choice in choices)
            choices.append(PanelChoice(key=str(path) if taken else path.name, tables=tables))
        yield choices


def _show_progress(stage: int, percent: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{stage} of 3, {_STAGES[stage]}: {percent} %\x1b[K")
        sys.stderr.flush()


def _end_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def _lines(report: Report) -> Iterator[str]:
    yield from _about(report.file, report.facts)
    for severity, title in (
        (Severity.ERROR, "A service refuses the file:"),
        (Severity.WARNING, "Something is left out, or worth a look:"),
        (Severity.INFO, "Good to know:"),
    ):
        found = [finding for finding in report.findings if finding.severity is severity]
        if found:
            yield ""
            yield title
        for finding in found:
            yield from _finding(finding)
    if report.panels:
        yield ""
        yield from _panel_table(report.panels)
    yield ""
    yield _outcome(report)


def _about(name: str, facts: Facts) -> Iterator[str]:
    packed = "" if facts.compression == "none" else f", {facts.compression}"
    yield f"{name}: {facts.format.value}{packed}, {facts.size:,} bytes"
    if facts.samples is None:
        return
    parts = [f"{facts.samples:,} samples", f"{facts.records:,} records"]
    if facts.chromosomes:
        spelled = [chromosome.spelled for chromosome in facts.chromosomes]
        more = f" and {len(spelled) - 25} more" if len(spelled) > 25 else ""
        parts.append(f"chromosome {', '.join(spelled[:25])}{more}")
    if facts.phased is not None:
        parts.append("phased" if facts.phased else "unphased")
    parts.append(f"build {facts.build or 'not told by the header'}")
    yield "  " + ", ".join(parts)
    classes = [f"{count:,} {name}" for name, count in facts.variants.items() if count]
    if classes:
        yield "  " + ", ".join(classes)
    if (quality := facts.quality) is not None and quality.call_rate is not None:
        parts = [f"call rate {quality.call_rate:.4f}"]
        if quality.ti_tv is not None:
            parts.append(f"Ti/Tv {quality.ti_tv:.2f}")
        if quality.heterozygosity is not None:
            parts.append(f"heterozygosity {quality.heterozygosity:.3f}")
        yield "  " + ", ".join(parts)


def _finding(finding: Finding) -> Iterator[str]:
    place = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
    times = f" ({finding.count:,} times)" if finding.count > 1 else ""
    panel = f" [{finding.panel}]" if finding.panel else ""
    yield f"  {place}: {finding.message}{times}{panel}"
    for example in finding.examples[:_SHOWN_EXAMPLES]:
        if example.text:
            line = "" if example.line is None else f"line {example.line}: "
            yield f"      {line}{example.text}"
    if finding.count > _SHOWN_EXAMPLES < len(finding.examples):
        yield "      …"
    yield f"    {finding.remedy}"
    if finding.repair == "convert":
        yield f"    We can do it: manage.py genotypes convert {finding.file} --into FOLDER"
    elif finding.repair:
        panel = " --panel SITES" if finding.repair in _NEEDS_PANEL else ""
        command = f"repair {finding.file} --do {finding.repair}{panel} --into FOLDER"
        yield f"    We can do it: manage.py genotypes {command}"


def _panel_table(panels: Sequence[PanelReport]) -> Iterator[str]:
    head: tuple[str, ...] = (
        "panel", "overlap", "matches", "flips", "switches", "both", "mismatches",
        "typed only", "chunks", "accepted",
    )  # fmt: skip
    rows = [head]
    for panel in panels:
        counts = (
            panel.matches, panel.strand_flips, panel.allele_switches, panel.both,
            panel.mismatches, panel.typed_only,
        )  # fmt: skip
        rows.append(
            (
                panel.key,
                "-" if panel.overlap is None else f"{panel.overlap:.1%}",
                *(f"{count:,}" for count in counts),
                f"{panel.chunks_kept} of {panel.chunks_kept + panel.chunks_excluded}",
                panel.accepted.value,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()
    for panel in panels:
        for reason in panel.reasons:
            yield f"  {panel.key}: {reason}"


def _outcome(report: Report) -> str:
    if report.errors:
        return "A service would refuse this file."
    if any(panel.accepted is Accepted.NO for panel in report.panels):
        return "At least one of the panels' services would refuse this file."
    if not report.panels:
        return "Nothing in the file itself keeps a service from taking it; no panel was compared."
    if all(panel.accepted is Accepted.YES for panel in report.panels):
        return "The services of these panels would take this file."
    return "Nothing in the file itself keeps a service from taking it."
