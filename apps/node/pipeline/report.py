"""The quality control in words: messages, the text report and the page with its picture.

Labels are those of imputationserver2, letter by letter, since clients read numbers by them.
"""

from collections import Counter
from html import escape

from apps.genotypes.job_rules import ChunkFault
from apps.genotypes.qc import VerdictKind
from apps.genotypes.rules import PanelRules
from apps.node.pipeline.events import listing
from apps.node.pipeline.frequencies import OUTLIER_CHI_SQUARE, Frequencies
from apps.node.pipeline.panels import Panel
from apps.node.pipeline.quality_control import QualityControl

__all__ = ["exclusions", "page", "statistics", "text_report"]

_Lines = list[tuple[str, object]]


def _statistics(qc: QualityControl) -> tuple[_Lines, _Lines]:
    totals, kinds = qc.totals, qc.totals.kinds
    found: _Lines = [
        ("Alternative allele frequency > 0.5 sites", f"{totals.alt_above_half:,}"),
        ("Reference Overlap", f"{100 * totals.overlap:.2f} %"),
        ("Match", f"{totals.matching:,}"),
        ("Allele switch", f"{kinds[VerdictKind.ALLELE_SWITCH]:,}"),
        ("Strand flip", f"{kinds[VerdictKind.STRAND_FLIP]:,}"),
        (
            "Strand flip and allele switch",
            f"{kinds[VerdictKind.STRAND_FLIP_AND_ALLELE_SWITCH]:,}",
        ),
        ("A/T, C/G genotypes", f"{totals.palindromic:,}"),
    ]
    filtered: _Lines = [
        ("Filter flag set", f"{kinds[VerdictKind.FILTERED]:,}"),
        ("Invalid alleles", f"{kinds[VerdictKind.INVALID_ALLELES]:,}"),
        ("Multiallelic sites", f"{kinds[VerdictKind.MULTIALLELIC]:,}"),
        ("Duplicated sites", f"{kinds[VerdictKind.DUPLICATE]:,}"),
        ("NonSNP sites", f"{kinds[VerdictKind.INDEL]:,}"),
        ("Monomorphic sites", f"{kinds[VerdictKind.MONOMORPHIC]:,}"),
        ("Allele mismatch", f"{kinds[VerdictKind.ALLELE_MISMATCH]:,}"),
        ("SNPs call rate < 90%", f"{kinds[VerdictKind.LOW_CALL_RATE]:,}"),
    ]
    return found, filtered


def _exclusions(qc: QualityControl, rules: PanelRules) -> list[str]:
    totals = qc.totals
    lines = [
        f"Excluded sites in total: {totals.excluded:,}",
        f"Remaining sites in total: {totals.remaining:,}",
    ]
    if totals.excluded:
        lines.append("See snps-excluded.txt for details")
    if typed_only := totals.kinds[VerdictKind.TYPED_ONLY]:
        lines.append(f"Typed only sites: {typed_only:,}")
        lines.append("See snps-typed-only.txt for details")
    why = {
        ChunkFault.OVERLAP: f"reference overlap < {100 * rules.overlap:g}%",
        ChunkFault.FEW_SNPS: f"< {rules.min_snps} SNPs",
        ChunkFault.CALL_RATE: (
            f"at least one sample has a call rate < {100 * rules.sample_call_rate:g}%"
        ),
    }
    counts = Counter(fault for _, fault in qc.excluded)
    lines += [
        f"Warning: {counts[fault]:,} Chunk(s) excluded: {why[fault]} "
        "(see chunks-excluded.txt for details)."
        for fault in ChunkFault
        if counts[fault]
    ]
    if counts:
        lines.append(f"Remaining chunk(s): {len(qc.chunks):,}")
    return lines


def statistics(qc: QualityControl) -> str:
    """The first message of the step."""
    found, filtered = _statistics(qc)
    return (
        f"<b>Statistics:</b><br>{listing(found)}<br><b>Filtered sites:</b><br>{listing(filtered)}"
    )


def exclusions(qc: QualityControl, rules: PanelRules) -> str:
    """The second message of the step, a warning; a line without a count is left out."""
    return "<br>".join(escape(line) for line in _exclusions(qc, rules))


def text_report(qc: QualityControl, panel: Panel) -> str:
    """`qc_report.txt`."""
    found, filtered = _statistics(qc)
    lines = [
        f"Reference Panel: {panel.name} ({panel.key}, {panel.build})",
        "",
        "Statistics:",
        *(f"{label}: {value}" for label, value in found),
        "",
        "Filtered sites:",
        *(f"{label}: {value}" for label, value in filtered),
        "",
        *_exclusions(qc, panel.rules),
    ]
    return "\n".join(lines) + "\n"


def page(qc: QualityControl, panel: Panel) -> str:
    """`quality-control.html`, complete in itself: no script, nothing loaded from elsewhere."""
    found, filtered = _statistics(qc)
    rows = "\n".join(
        f"<tr><th>{escape(label)}</th><td>{escape(str(value))}</td></tr>"
        for label, value in (*found, *filtered)
    )
    frequencies = (
        "<p>Skip allele frequency check.</p>"
        if qc.frequencies is None
        else _frequencies(qc.frequencies)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Quality control</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem }}
th {{ text-align: left; font-weight: normal; padding-right: 2rem }}
td {{ text-align: right; font-variant-numeric: tabular-nums }}
</style>
</head>
<body>
<h1>Quality control</h1>
<p>Reference panel: {escape(panel.name)} ({escape(panel.key)}, {escape(panel.build)})</p>
<table>
{rows}
</table>
<p>{exclusions(qc, panel.rules)}</p>
<h2>Allele frequencies</h2>
{frequencies}
</body>
</html>
"""


def _frequencies(frequencies: Frequencies) -> str:
    counts = frequencies.counts
    most = max(1, int(counts.max()))
    size = 400 / len(counts)
    squares = "\n".join(
        f'<rect x="{40 + column * size:g}" y="{410 - (row + 1) * size:g}" '
        f'width="{size:g}" height="{size:g}" '
        f'fill="rgb(20 60 140 / {0.15 + 0.85 * counts[row, column] / most:.2f})"/>'
        for row, column in zip(*(place.tolist() for place in counts.nonzero()), strict=True)
    )
    rows = "\n".join(
        f"<tr><th>{escape(o.text)}</th><td>{o.frequency:.3f}</td>"
        f"<td>{o.panel_frequency:.3f}</td><td>{o.chi_square:.0f}</td></tr>"
        for o in sorted(frequencies.outliers, reverse=True)
    )
    table = (
        "<table><tr><th>Site</th><th>Uploaded</th><th>Panel</th><th>Chi-square</th></tr>\n"
        f"{rows}\n</table>"
        if rows
        else ""
    )
    return f"""<svg viewBox="0 0 450 450" width="450" role="img"
 aria-label="Allele frequencies: uploaded data against the panel">
<rect x="40" y="10" width="400" height="400" fill="none" stroke="#999"/>
<path d="M40 410L440 10" stroke="#bbb"/>
{squares}
<text x="240" y="440" text-anchor="middle">Panel</text>
<text x="20" y="210" text-anchor="middle" transform="rotate(-90 20 210)">Uploaded</text>
</svg>
<p>{int(counts.sum()):,} sites compared; chi-square above {OUTLIER_CHI_SQUARE:g} at \
{frequencies.above:,}.</p>
{table}"""
