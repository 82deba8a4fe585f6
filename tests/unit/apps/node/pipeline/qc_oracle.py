"""What quality control must say of a study, counted the slow and obvious way.

Written from the description of imputationserver2's rules, and sharing no code with what it checks:
records and panel are lists of tuples, and every number is one loop over all of them.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

CHUNK = 20_000_000
WINDOW = 5_000_000
NON_PAR = {"hg19": (2_699_520, 154_931_044), "hg38": (2_781_479, 155_701_383)}
OTHER_STRAND = {"A": "T", "C": "G", "G": "C", "T": "A"}


class Line(NamedTuple):
    """A record of a VCF; `calls` are the texts of the sample columns."""

    chromosome: str
    position: int
    id: str
    ref: str
    alt: str
    flag: str
    calls: list[str]


@dataclass(frozen=True)
class Rules:
    overlap: float = 0.5
    min_snps: int = 3
    call_rate: float = 0.5
    mixed: float = 0.1
    flips: int = 100
    switches: int | None = None


@dataclass
class Expected:
    """What is said and written; the tables are lists of rows, each a list of texts."""

    statistics: list[str]
    filtered: list[str]
    exclusions: list[str]
    errors: list[str]
    excluded: list[list[str]]
    typed_only: list[list[str]]
    chunks_excluded: list[list[str]]
    chrx: list[list[str]]
    maf: list[tuple[list[str], list[float]]]
    chunk_files: dict[str, list[tuple[int, str, str]]]
    far: int


def region(chromosome: str, position: int, build: str) -> str:
    if chromosome != "X":
        return chromosome
    first, last = NON_PAR[build]
    if position < first:
        return "X.PAR1"
    return "X.PAR2" if position > last else "X.nonPAR"


def alleles_of(call: str) -> list[str]:
    return call.replace("/", "|").split("|")


def is_missing(call: str) -> bool:
    return set(alleles_of(call)) == {"."}


def frequency(calls: list[str]) -> float:
    called = [a for call in calls for a in alleles_of(call) if a != "."]
    return sum(a == "1" for a in called) / len(called) if called else 0.0


def flip(alleles: tuple[str, str]) -> tuple[str, str]:
    return OTHER_STRAND[alleles[0]], OTHER_STRAND[alleles[1]]


def pearson(study: tuple[float, float], panel: tuple[float, float]) -> float | None:
    """Chi-square of the counts of ALT and REF; None where a row or column is empty."""
    rows = [study, panel]
    total = sum(map(sum, rows))
    columns = [study[0] + panel[0], study[1] + panel[1]]
    if 0 in columns:
        return None
    found = 0.0
    for row in rows:
        for count, column in zip(row, columns, strict=True):
            expected = sum(row) * column / total
            found += (count - expected) ** 2 / expected
    return found


class Panel:
    """Sites by region and position, in the order of the file."""

    def __init__(self, lines: dict[str, list[Line]], build: str) -> None:
        self.sites: dict[tuple[str, int], list[tuple[str, str, float]]] = {}
        for name, own in lines.items():
            for line in own:
                if any("1" in call for call in line.calls):
                    place = region(name, line.position, build), line.position
                    site = (line.ref, line.alt, frequency(line.calls))
                    self.sites.setdefault(place, []).append(site)

    def at(self, where: str, position: int) -> list[tuple[str, str, float]]:
        return self.sites.get((where, position), [])


def judge(line: Line, sites: list[tuple[str, str, float]], before: set[tuple[int, str, str]]):
    """The class of a record, the text for it, and the panel's site it was compared with."""
    if "," in line.alt:
        return "Multiallelic sites", "Multiallelic Site", None
    if set(line.ref + line.alt) - set("ACGT"):
        return "Invalid alleles", "Invalid Alleles", None
    if "DUP" in line.flag or (line.position, line.ref, line.alt) in before:
        return "Duplicated sites", "Filter Duplicate", None
    if line.flag not in ("PASS", "."):
        return "Filter flag set", "Filter Other", None
    if len(line.ref) > 1 or len(line.alt) > 1:
        return "NonSNP sites", "InDel", None
    if len(line.calls) > 1 and not any("1" in call for call in line.calls):
        return "Monomorphic sites", "Monomorphic", None
    if not sites:
        return "Typed only sites", "", None
    ours = (line.ref, line.alt)
    site = next((s for s in sites if s[:2] == ours), sites[-1])
    theirs = site[:2]
    kind = "Allele mismatch"
    if theirs == ours:
        kind = "Match"
    elif theirs == ours[::-1] and flip(ours) == theirs:
        kind = "A/T, C/G genotypes"
    elif theirs == ours[::-1]:
        kind = "Allele switch"
    elif len(theirs[0] + theirs[1]) == 2 and flip(ours) == theirs:
        kind = "Strand flip"
    elif len(theirs[0] + theirs[1]) == 2 and flip(ours) == theirs[::-1]:
        kind = "Strand flip and allele switch"
    if kind in ("Match", "A/T, C/G genotypes"):
        return kind, "", site
    text = "Strand flip and Allele switch" if kind == "Strand flip and allele switch" else kind
    return kind, f"{text}. Reference Panel: {theirs[0]}/{theirs[1]}", site


def expect(
    study: dict[str, list[Line]],
    panel: Panel,
    *,
    build: str,
    samples: list[str],
    panel_people: int,
    rules: Rules,
) -> Expected:
    """Count everything.

    Args:
        study: Records by chromosome, in the order of chromosomes; names without `chr`.
        panel_people: Of the chosen population; 0 skips the check of frequencies.
    """
    counts: Counter[str] = Counter()
    above_half = found = typed = far = 0
    excluded, typed_only, chrx, maf = [], [], [], []
    chunks: dict[tuple[str, int], dict[str, Any]] = {}
    kept: list[tuple[str, Line]] = []
    for name, lines in study.items():
        before: set[tuple[int, str, str]] = set()
        for line in lines:
            where = region(name, line.position, build)
            number = (line.position - 1) // CHUNK
            chunk = chunks.setdefault(
                (where, number), {"found": 0, "typed": 0, "sites": 0, "called": [0] * len(samples)}
            )
            kind, info, site = judge(line, panel.at(where, line.position), before)
            before.add((line.position, line.ref, line.alt))
            first = [line.id, line.chromosome, str(line.position), line.ref, line.alt]
            counts[kind] += 1
            if site is None and kind != "Typed only sites":
                excluded.append([*first, info])
                continue
            mine = frequency(line.calls)
            above_half += mine > 0.5
            if kind == "Typed only sites":
                typed += 1
                chunk["typed"] += 1
                typed_only.append(first)
                kept.append((where, line))
                continue
            found += 1
            chunk["found"] += 1
            absent = sum(is_missing(call) for call in line.calls)
            if not info and absent / len(samples) > 0.10:
                counts["SNPs call rate < 90%"] += 1
                info = f"Low call rate. Value: {1.0 - absent / len(samples)}"
            if info:
                excluded.append([*first, info])
                continue
            kept.append((where, line))
            counts["remaining"] += 1
            chunk["sites"] += 1
            for at, call in enumerate(line.calls):
                chunk["called"][at] += not is_missing(call)
            if not panel_people:
                continue
            if kind != "Match":
                mine = 1 - mine
            alleles = sum(a != "." for call in line.calls for a in alleles_of(call))
            chi = pearson(
                (mine * alleles, (1 - mine) * alleles),
                (site[2] * 2 * panel_people, (1 - site[2]) * 2 * panel_people),
            )
            far += chi is not None and chi > 300
            maf.append(
                (
                    [*first[:3], site[0], site[1], site[0], site[1], "true", "SNP"],
                    [mine, site[2], float("nan") if chi is None else chi],
                )
            )
    chrx, mixed = ploidy(study.get("X", []), build, samples, rules)
    rows: list[list[str]] = []
    files: dict[str, list[tuple[int, str, str]]] = {}
    reasons: Counter[str] = Counter()
    for (where, number), chunk in chunks.items():
        start, end = number * CHUNK + 1, (number + 1) * CHUNK
        title = f"chunk_{where}_{start:010d}_{end:010d}"
        compared = chunk["found"] + chunk["typed"]
        low = sum(called < rules.call_rate * chunk["sites"] for called in chunk["called"])
        if compared and chunk["found"] / compared < rules.overlap:
            fault = "overlap"
        elif chunk["sites"] < max(rules.min_snps, 1):
            fault = "few"
        elif low:
            fault = "call rate"
        else:
            files[title] = [
                (line.position, line.ref, line.alt)
                for other, line in kept
                if other == where and start - WINDOW <= line.position <= end + WINDOW
            ]
            continue
        reasons[fault] += 1
        overlap = f"{chunk['found'] / compared:.6g}" if compared else "NaN"
        rows.append([title, str(chunk["sites"]), overlap, str(low)])
    left_out = len(excluded)
    return Expected(
        statistics=[
            f"Alternative allele frequency > 0.5 sites: {above_half:,}",
            f"Reference Overlap: {100 * found / max(found + typed, 1):.2f} %",
            *(
                f"{label}: {counts[label]:,}"
                for label in (
                    "Match",
                    "Allele switch",
                    "Strand flip",
                    "Strand flip and allele switch",
                    "A/T, C/G genotypes",
                )
            ),
        ],
        filtered=[
            f"{label}: {counts[label]:,}"
            for label in (
                "Filter flag set",
                "Invalid alleles",
                "Multiallelic sites",
                "Duplicated sites",
                "NonSNP sites",
                "Monomorphic sites",
                "Allele mismatch",
                "SNPs call rate < 90%",
            )
        ],
        exclusions=exclusions(left_out, counts["remaining"], typed, reasons, len(files), rules),
        errors=errors(counts, len(files), mixed, bool(chrx), rules),
        excluded=excluded,
        typed_only=typed_only,
        chunks_excluded=rows,
        chrx=chrx,
        maf=maf,
        chunk_files=files,
        far=far,
    )


def ploidy(lines: list[Line], build: str, samples: list[str], rules: Rules):
    """Rows of chrX-info.txt, and whether a sample has too many mixed genotypes."""
    rows, mixed = [], False
    between = [
        line
        for line in lines
        if region("X", line.position, build) == "X.nonPAR" and len(line.ref + line.alt) == 2
    ]
    for at, sample in enumerate(samples):
        calls = [alleles_of(line.calls[at]) for line in between]
        mixed |= sum(len(set(a)) == 2 and "." in a for a in calls) > rules.mixed * len(between)
        known = [(line, len(a)) for line, a in zip(between, calls, strict=True) if set(a) != {"."}]
        other = next((line for line, number in known if number != known[0][1]), None)
        if other is not None:
            rows.append((other.position, at, [sample, f"{other.chromosome}:{other.position}"]))
    return [row for _, _, row in sorted(rows, key=lambda each: each[:2])], mixed


def exclusions(left_out, remaining, typed, reasons, files, rules) -> list[str]:
    said = [f"Excluded sites in total: {left_out:,}", f"Remaining sites in total: {remaining:,}"]
    if left_out:
        said.append("See snps-excluded.txt for details")
    if typed:
        said += [f"Typed only sites: {typed:,}", "See snps-typed-only.txt for details"]
    for fault, why in (
        ("overlap", f"reference overlap < {100 * rules.overlap:g}%"),
        ("few", f"< {rules.min_snps} SNPs"),
        ("call rate", f"at least one sample has a call rate < {100 * rules.call_rate:g}%"),
    ):
        if reasons[fault]:
            said.append(
                f"Warning: {reasons[fault]:,} Chunk(s) excluded: {why} "
                "(see chunks-excluded.txt for details)."
            )
    if reasons:
        said.append(f"Remaining chunk(s): {files:,}")
    return said


def errors(counts, files, mixed, ambiguous, rules) -> list[str]:
    both = counts["Strand flip and allele switch"]
    said = []
    if not files:
        said.append("No chunks passed the QC step. Imputation cannot be started!")
    if counts["Strand flip"] + both > rules.flips:
        said.append(
            f"More than {rules.flips} obvious strand flips have been detected. Please check "
            "strand. Imputation cannot be started!"
        )
    if rules.switches is not None and counts["Allele switch"] + both > rules.switches:
        said.append(
            f"More than {rules.switches} allele switches have been detected. Imputation cannot be "
            "started!"
        )
    if mixed:
        said.append(
            f"Chromosome X nonPAR region includes > {100 * rules.mixed:g} % mixed genotypes. "
            "Imputation cannot be started!"
        )
    if ambiguous:
        said.append(
            "ChrX nonPAR region includes ambiguous samples (haploid and diploid positions). "
            "Imputation cannot be started! See chrX-info.txt"
        )
    return said
