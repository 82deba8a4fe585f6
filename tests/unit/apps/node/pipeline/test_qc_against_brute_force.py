"""Quality control of random studies against a count that shares no code with it."""

import math
import re
from html import unescape

import pytest

from apps.genotypes.calls import format_calls, parse_calls
from apps.genotypes.chromosome_x import whole
from apps.genotypes.rules import JobLimits, PanelRules
from apps.genotypes.vcf import scan_vcf, vcf_lines
from apps.node.pipeline.frequencies import Frequencies
from apps.node.pipeline.panel_index import panel_sites
from apps.node.pipeline.panels import Population, write_panel
from apps.node.pipeline.quality_control import QualityControl, run_qc
from apps.node.pipeline.validation import Study, StudyFile
from tests.unit.apps.node.pipeline.conftest import names, write_records
from tests.unit.apps.node.pipeline.qc_oracle import Panel, Rules, alleles_of, expect
from tests.unit.apps.node.pipeline.qc_study import PANEL_SAMPLES, make_world

LABEL = re.compile(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>")


@pytest.fixture
def install(tmp_path):
    """Write a world's panel and its study's files."""

    def install(world, rules):
        genotypes = {
            name: write_records(
                tmp_path / f"panel{name}.vcf.gz", lines, samples=names(PANEL_SAMPLES)
            )
            for name, lines in world.panel.items()
        }
        panel = write_panel(
            tmp_path / "panels",
            id="random",
            version="1.0.0",
            name="Random (SIMULATED)",
            build=world.build,
            populations=[
                Population(id="afr", name="AFR", samples=PANEL_SAMPLES),
                Population(id="off", name="Skip", samples=-1),
            ],
            genotypes=genotypes,
            maps={},
            simulated=True,
            rules=PanelRules(
                overlap=rules.overlap,
                min_snps=rules.min_snps,
                sample_call_rate=rules.call_rate,
                mixed_genotypes_x=rules.mixed,
                strand_flips=rules.flips,
                allele_switches=rules.switches,
            ),
        )
        folder = tmp_path / "workspace" / "input"
        folder.mkdir(parents=True, exist_ok=True)
        paths = [
            write_records(folder / f"study{name}.vcf.gz", lines, samples=world.samples)
            for name, lines in world.study.items()
        ]
        return panel, paths

    return install


def expected_of(world, rules, *, people=PANEL_SAMPLES):
    return expect(
        world.study,
        Panel(world.panel, world.build),
        build=world.build,
        samples=world.samples,
        panel_people=people,
        rules=rules,
    )


def plain(html):
    return [unescape(line) for line in html.split("<br>")]


def table(outcome, name):
    text = (outcome.workspace / "output" / "statistics" / name).read_text()
    header, *rows = (line.split("\t") for line in text.splitlines())
    return header, rows


RULES = {
    0: Rules(),
    1: Rules(flips=3, switches=3),
    2: Rules(flips=10**6, switches=10**6, mixed=0.005),
    3: Rules(overlap=0.9, min_snps=20, call_rate=0.99, flips=10**6),
}


def world_of(seed):
    return make_world(seed, x=seed % 2 == 0, sites=130 if seed == 2 else 40, confused=seed == 0)


@pytest.mark.parametrize("seed", range(4))
def test_every_number_and_every_row_equals_the_count(run, install, workspace, seed):
    rules = RULES[seed]
    world = world_of(seed)
    panel, _ = install(world, rules)
    expected = expected_of(world, rules)

    outcome = run(panel, mode="qc_only", population="afr", limits=JobLimits(min_samples=5))

    said = plain(outcome.messages(0)[1])
    assert said == [
        "<b>Statistics:</b>",
        *expected.statistics,
        "<b>Filtered sites:</b>",
        *expected.filtered,
    ]
    assert plain(outcome.messages(2)[-1]) == expected.exclusions
    assert outcome.messages(1) == expected.errors
    assert outcome.success is not bool(expected.errors)

    report = (workspace / "output" / "qc_report.txt").read_text()
    assert report.splitlines() == [
        f"Reference Panel: Random (SIMULATED) (apps@random@1.0.0, {world.build})",
        "",
        "Statistics:",
        *expected.statistics,
        "",
        "Filtered sites:",
        *expected.filtered,
        "",
        *expected.exclusions,
    ]
    page = (workspace / "output" / "quality-control.html").read_text()
    shown = [f"{unescape(label)}: {value}" for label, value in LABEL.findall(page)]
    assert shown == [*expected.statistics, *expected.filtered]
    assert f"<p>{len(expected.maf):,} sites compared; chi-square above 300 at" in page

    site = ["ID", "CHROM", "POS", "REF", "ALT"]
    assert table(outcome, "snps-excluded.txt") == ([*site, "INFO"], expected.excluded)
    assert table(outcome, "snps-typed-only.txt") == (site, expected.typed_only)
    assert table(outcome, "chunks-excluded.txt") == (
        ["CHUNK", "SNPS", "REFERENCE_OVERLAP", "SAMPLES_LOW_CALL_RATE"],
        expected.chunks_excluded,
    )
    if "X" in world.study:
        assert table(outcome, "chrX-info.txt") == (["SAMPLE", "POSITION"], expected.chrx)
    else:
        assert "statistics/chrX-info.txt" not in outcome.outputs
    header, rows = table(outcome, "maf.txt")
    assert header == [
        *site,
        *("AAF", "REFERENCE_REF", "REFERENCE_ALT", "REFERENCE_AAF"),
        *("CHISQ", "OVERLAP_WITH_REFERENCE", "TYPE"),
    ]
    assert [[*row[:5], row[6], row[7], *row[10:]] for row in rows] == [
        texts for texts, _ in expected.maf
    ]
    for row, (_, numbers) in zip(rows, expected.maf, strict=True):
        found = [float(row[5]), float(row[8]), math.nan if row[9] == "NA" else float(row[9])]
        assert found == pytest.approx(numbers, rel=1e-5, abs=1e-5, nan_ok=True)


def test_the_studies_have_every_class_and_every_fault():
    """Else the test above would agree on nothing."""
    counted: set[str] = set()
    said: set[str] = set()
    for seed in RULES:
        expected = expected_of(world_of(seed), RULES[seed])
        lines = (*expected.statistics, *expected.filtered)
        counted |= {line.split(": ")[0] for line in lines if not line.endswith((": 0", " 0.00 %"))}
        said |= {*expected.exclusions, *expected.errors}
    assert len(counted) == len(lines) == 15
    everything = " ".join(said)
    for fault in ("reference overlap <", " SNPs (see", "at least one sample has a call rate"):
        assert fault in everything
    for error in ("strand flips", "allele switches", "mixed genotypes", "ambiguous samples"):
        assert error in everything
    assert re.search(r"\d,\d{3}", everything)


@pytest.mark.parametrize("seed", [2, 3])
def test_chunk_files_hold_what_is_kept_and_its_surroundings(install, tmp_path, seed):
    rules = RULES[seed]
    world = make_world(seed, x=True, sites=25)
    panel, paths = install(world, rules)
    expected = expected_of(world, rules)
    result = QualityControl(frequencies=Frequencies(panel_alleles=2 * PANEL_SAMPLES))
    work = tmp_path / "work"
    work.mkdir()

    run_qc(
        Study(files=tuple(StudyFile(path=path, scan=scan_vcf(path)) for path in paths)),
        panel,
        sites=lambda chromosome: panel_sites(panel, chromosome),
        result=result,
        statistics=tmp_path / "statistics",
        folder=work,
    )

    found: dict[str, list[tuple[int, str, str]]] = {}
    sent = {
        (name, line.position, line.ref, line.alt): line
        for name, lines in world.study.items()
        for line in lines
        if line.id != "again"
    }
    for file in result.chunks:
        found[file.chunk.name] = []
        with vcf_lines(file.path) as lines:
            for text in lines:
                if text.startswith(b"#"):
                    continue
                _, position, _, ref, alt, *_, calls = text.decode().split("\t", 9)
                key = (int(position), ref, alt)
                found[file.chunk.name].append(key)
                line = sent[(whole(file.chunk.chromosome), *key)]
                for ours, theirs in zip(calls.split("\t"), line.calls, strict=True):
                    known = [a for a in alleles_of(theirs) if a != "."]
                    assert [a for a in alleles_of(ours) if a != "."] == known
    assert found == expected.chunk_files
    assert {p.name for p in work.iterdir() if not p.name.endswith(".tbi")} == {
        f"{name}.vcf.gz" for name in expected.chunk_files
    }


def test_frequency_check_that_is_skipped_says_so_and_has_no_table(run, install):
    world = make_world(5, x=False, sites=10)
    rules = Rules(flips=10**6)
    panel, _ = install(world, rules)
    outcome = run(panel, mode="qc_only", population="off")
    assert outcome.messages(2)[0] == "Skip allele frequency check."
    assert "statistics/maf.txt" not in outcome.outputs
    assert plain(outcome.messages(2)[-1]) == expected_of(world, rules, people=0).exclusions


def test_genotypes_of_men_keep_their_one_allele():
    text = b"0|1\t1\t.|.\t0\t.|1"
    calls = parse_calls(b"GT", text, 5)
    assert format_calls(calls, phased=True) == text
