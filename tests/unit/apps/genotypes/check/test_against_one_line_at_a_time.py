"""The check works on whole pieces of a file at once; here one line at a time says the same."""

from collections import Counter

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.genotypes.builds import plain_name
from apps.genotypes.calls import ABSENT, CallsError, parse_calls
from apps.genotypes.check.beside_panel import PanelChoice
from apps.genotypes.qc import AlleleMatch, PanelSite, VerdictKind, judge_site
from tests.unit.apps.genotypes.check.files import bgzf, check, found, panel, row, site, text

SAMPLES = ("a", "b", "c")
CLASSES = {
    VerdictKind.MULTIALLELIC: "multiallelic",
    VerdictKind.INVALID_ALLELES: "invalid alleles",
    VerdictKind.DUPLICATE: "duplicate",
    VerdictKind.FILTERED: "filtered",
    VerdictKind.INDEL: "indel",
    VerdictKind.MONOMORPHIC: "monomorphic",
}
PANEL = (
    (1, "A", "C", 0.5), (2, "A", "G", 0.1), (2, "A", "T", 0.2), (3, "C", "G", 0.3),
    (5, "T", "TA", 0.1), (5, "G", "A", 0.4), (9, "A", "T", 0.5),
)  # fmt: skip

calls = st.one_of(
    st.sampled_from(["0|0", "0|1", "1|1", "0/1", "./.", ".|.", ".|1", "0|."]),
    st.sampled_from([".", "1", "0", "0|2", "10|0", "0|1|1", "0|", "|", "", "0|1:7", "01|1", "x"]),
)
plain_calls = st.sampled_from(["0|0", "0|1", "1|1", "0/1", "./."])
bases = st.sampled_from(["A", "C", "G", "T"])
odd_alleles = st.sampled_from(["A", "AC", "C,G", "<DEL>", "*", "a", "", "N", "A,"])


@st.composite
def records(draw):
    """Lines that are nearly all good: odd fields are rare, so that they meet good ones."""
    odd = draw(st.integers(0, 9)) == 0
    form = draw(st.sampled_from(["GT", "GT:DP", "DS", "GTX", "", "G"])) if odd else "GT"
    cells = draw(st.lists(calls if odd else plain_calls, min_size=3, max_size=3))
    if odd and draw(st.booleans()):
        cells = cells[: draw(st.integers(0, 3))]
    return row(
        draw(st.sampled_from(["0", "x", "-1", "1e3", "", "99999999999", "0007"]))
        if odd and draw(st.booleans())
        else draw(st.integers(1, 10)),
        chromosome=draw(st.sampled_from(["chrY", "", "20", "chr20x"]))
        if odd and draw(st.booleans())
        else "chr20",
        ref=draw(odd_alleles if odd else bases),
        alt=draw(odd_alleles if odd else bases),
        flags=draw(st.sampled_from(["PASS", ".", "DUP", "q10", "PAS", ""])) if odd else "PASS",
        form=form,
        calls=cells,
    )


def one_by_one(lines):
    """What the check must count."""
    counts: Counter[str] = Counter()
    matches: Counter[AlleleMatch | str | None] = Counter()
    position_before: tuple[bytes, int] | None = None
    seen: set[tuple[bytes, bytes]] = set()
    for line in lines:
        counts["records"] += 1
        fields = line.encode().split(b"\t")
        if len(fields) != 12:
            counts["columns"] += 1
            continue
        chromosome, digits, _, ref, alt, _, flags, _, form, *cells = fields
        position = int(digits) if digits.isdigit() and len(digits) <= 10 else 0
        no_position = not 0 < position < 1 << 29
        strange = plain_name(chromosome.decode()) is None
        counts["position"] += no_position
        counts["chromosome-invalid"] += strange
        if no_position:
            continue
        key = (chromosome, position)
        if key != position_before:
            position_before, seen = key, set()
        repeated = (ref, alt) in seen
        seen.add((ref, alt))
        if strange:
            continue
        no_gt = form != b"GT" and not form.startswith(b"GT:")
        counts["format-gt"] += no_gt
        counts["ref-is-alt"] += ref == alt
        if no_gt:
            continue
        try:
            called = parse_calls(form, b"\t".join(cells), 3)
        except CallsError:
            counts["genotype"] += 1
            continue
        counts["unphased"] += b"/" in b"".join(cells)
        if ref == alt:
            continue
        sites = [
            PanelSite(at, one.encode(), other.encode(), share)
            for at, one, other, share in PANEL
            if at == position
        ]
        verdict = judge_site(
            ref=ref, alt=alt, flags=flags, calls=called, panel=sites, repeated=repeated
        )
        if verdict.kind in CLASSES:
            counts[CLASSES[verdict.kind]] += 1
            continue
        counts["kept"] += 1
        counts["genotype-allele"] += bool((called > 1).any())
        counts["genotype-haploid"] += bool((called == ABSENT).any())
        matches[verdict.match] += 1
        matches["low"] += verdict.kind is VerdictKind.LOW_CALL_RATE
    return counts, matches


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lines=st.lists(records(), min_size=1, max_size=30))
@example(lines=[row(1, form="GT:DP", calls=["0|0", "0/1", "0|1|1"])])
def test_pieces_and_single_lines_count_the_same(tmp_path, lines):
    folder = tmp_path / "panel"
    if not folder.exists():
        folder.mkdir()
        panel(folder, *(site(at, a, b, frequency=f) for at, a, b, f in PANEL))
    afr = PanelChoice(key="afr", tables=folder / "afr")
    report = check(bgzf(tmp_path / "file", text(*lines, samples=SAMPLES)), panels=[afr])
    counts, matches = one_by_one(lines)
    variants = report.facts.variants
    assert {name: variants[name] for name in CLASSES.values()} == {
        name: counts[name] for name in CLASSES.values()
    }
    assert variants["kept"] == counts["kept"]
    assert sum(variants.values()) == report.facts.records == counts["records"]
    assert report.facts.unphased_records == counts["unphased"]
    for rule in (
        "columns", "position", "chromosome-invalid", "format-gt", "ref-is-alt", "genotype",
        "genotype-allele", "genotype-haploid",
    ):  # fmt: skip
        assert sum(finding.count for finding in found(report, rule)) == counts[rule], rule
    [beside] = report.panels
    assert (
        beside.matches, beside.palindromic, beside.strand_flips, beside.allele_switches,
        beside.both, beside.mismatches, beside.typed_only, beside.low_call_rate,
    ) == (
        matches[AlleleMatch.SAME], matches[AlleleMatch.AMBIGUOUS], matches[AlleleMatch.FLIP],
        matches[AlleleMatch.SWITCH], matches[AlleleMatch.FLIP_AND_SWITCH],
        matches[AlleleMatch.MISMATCH], matches[None], matches["low"],
    )  # fmt: skip


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cells=st.lists(
        st.lists(st.sampled_from(["0|0", "0|1", "1/1", "./.", ".|1", "."]), min_size=4, max_size=4),
        min_size=1,
        max_size=12,
    ),
    form=st.sampled_from(["GT", "GT:DP"]),
)
def test_genotypes_are_summed_as_one_by_one(tmp_path, cells, form):
    more = "" if form == "GT" else ":5"
    lines = [
        row(5 + at, form=form, calls=[call + more for call in line])
        for at, line in enumerate(cells)
    ]
    path = bgzf(tmp_path / "file", text(*lines, samples=("a", "b", "c", "d")))
    quality = check(path).facts.quality
    tables = [parse_calls(b"GT", "\t".join(line).encode(), 4) for line in cells]
    alleles = np.array(tables)
    missing = (alleles < 0).all(axis=2)
    diploid = (alleles >= 0).all(axis=2)
    heterozygous = diploid & (alleles[:, :, 0] != alleles[:, :, 1])
    known = diploid.any(axis=0)
    assert quality.genotypes == missing.size
    assert abs(quality.call_rate - (1 - missing.mean())) < 1e-12
    assert quality.sites_low_call_rate == (missing.mean(axis=1) > 0.1).sum()
    if known.any():
        shares = heterozygous.sum(axis=0)[known] / diploid.sum(axis=0)[known]
        assert abs(quality.heterozygosity - shares.mean()) < 1e-12
    called = (alleles >= 0).sum(axis=(1, 2))
    shares = (alleles > 0).sum(axis=(1, 2))[called > 0] / called[called > 0]
    assert sum(quality.allele_frequencies) == len(shares)
    binned = np.bincount(np.minimum((shares * 20).astype(int), 19), minlength=20)
    assert list(quality.allele_frequencies) == binned.tolist()
