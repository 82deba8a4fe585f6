"""What the check says beforehand is what a node's own quality control says of the same file."""

import shutil

import pytest

from apps.genotypes.check.beside_panel import PanelChoice
from apps.genotypes.job_rules import check_totals
from apps.genotypes.qc import VerdictKind
from apps.genotypes.rules import PanelRules
from apps.genotypes.sites import write_site_tables
from apps.genotypes.vcf import scan_vcf
from apps.node.pipeline.panel_index import panel_sites
from apps.node.pipeline.panels import Population, write_panel
from apps.node.pipeline.quality_control import QualityControl, run_qc
from apps.node.pipeline.validation import Study, StudyFile
from tests.unit.apps.genotypes.check.files import check
from tests.unit.apps.node.pipeline.conftest import KIT, names, write_records
from tests.unit.apps.node.pipeline.qc_study import PANEL_SAMPLES, make_world

CLASSES = {
    "multiallelic": VerdictKind.MULTIALLELIC,
    "invalid alleles": VerdictKind.INVALID_ALLELES,
    "duplicate": VerdictKind.DUPLICATE,
    "filtered": VerdictKind.FILTERED,
    "indel": VerdictKind.INDEL,
    "monomorphic": VerdictKind.MONOMORPHIC,
}


@pytest.fixture
def both(tmp_path):
    """Judge a file by a node and by the check; return what each says, and the node's panel."""

    def both(path, panel):
        result = QualityControl()
        work = tmp_path / "work"
        work.mkdir()
        run_qc(
            Study(files=(StudyFile(path=path, scan=scan_vcf(path)),)),
            panel,
            sites=lambda name: panel_sites(panel, name),
            result=result,
            statistics=work / "statistics",
            folder=work,
        )
        shutil.rmtree(work)
        tables = tmp_path / "tables"
        for chromosome in panel.chromosomes.values():
            write_site_tables(chromosome.genotypes, tables)
        choice = PanelChoice(key="panel", tables=tables, build=panel.build, rules=panel.rules)
        return result, check(path, panels=[choice], build=panel.build)

    return both


def assert_same(result, report, rules):
    [beside] = report.panels
    kinds, totals = result.totals.kinds, result.totals
    assert {name: report.facts.variants[name] for name in CLASSES} == {
        name: kinds[kind] for name, kind in CLASSES.items()
    }
    assert report.facts.variants["unreadable"] == 0
    assert (beside.matches, beside.palindromic) == (totals.matching, totals.palindromic)
    assert beside.strand_flips == kinds[VerdictKind.STRAND_FLIP]
    assert beside.allele_switches == kinds[VerdictKind.ALLELE_SWITCH]
    assert beside.both == kinds[VerdictKind.STRAND_FLIP_AND_ALLELE_SWITCH]
    assert beside.mismatches == kinds[VerdictKind.ALLELE_MISMATCH]
    assert beside.typed_only == kinds[VerdictKind.TYPED_ONLY]
    assert beside.low_call_rate == kinds[VerdictKind.LOW_CALL_RATE]
    assert beside.overlap == pytest.approx(totals.overlap)
    kept = {chunk.chunk.name for chunk in result.chunks}
    assert {chunk.name for chunk in beside.chunks if chunk.fault is None} == kept
    excluded = {chunk.name: (chunk, fault.value) for chunk, fault in result.excluded}
    assert {c.name: c.fault for c in beside.chunks if c.fault} == {
        name: fault for name, (_, fault) in excluded.items()
    }
    for chunk in beside.chunks:
        if chunk.fault:
            theirs = excluded[chunk.name][0]
            assert (chunk.found, chunk.sites) == (theirs.found, theirs.sites)
            assert chunk.compared == theirs.found + theirs.typed_only
            low = theirs.samples_below(rules.sample_call_rate)
            assert chunk.samples_low_call_rate == low
    assert set(check_totals(totals, len(result.chunks), rules)) <= set(beside.reasons)
    assert beside.accepted == ("no" if beside.reasons else "yes")


@pytest.mark.parametrize("population", ["AFR", "EUR"])
@pytest.mark.parametrize("target", ["phased", "unphased"])
def test_the_kit_is_judged_as_the_node_judges_it(both, tmp_path, population, target):
    panel = write_panel(
        tmp_path / "panels",
        id="kit",
        version="1.0.0",
        name="Kit (SIMULATED)",
        build="hg38",
        populations=[Population(id="off", name="Skip", samples=-1)],
        genotypes={"20": KIT / f"panel_{population}.vcf.gz"},
        maps={},
        simulated=True,
    )
    path = KIT / f"target.{target}.vcf.gz"
    if not path.is_file():
        path = KIT / "target.phased.vcf.gz"
    result, report = both(path, panel)
    assert_same(result, report, panel.rules)
    assert report.panels[0].accepted == "yes"


@pytest.mark.parametrize("seed", range(8))
def test_a_random_study_is_judged_as_the_node_judges_it(both, tmp_path, seed):
    world = make_world(seed, x=seed % 2 == 1, sites=25)
    rules = PanelRules(strand_flips=10 * (seed % 3), allele_switches=5 if seed % 2 else None)
    panel = write_panel(
        tmp_path / "panels",
        id="random",
        version="1.0.0",
        name="Random (SIMULATED)",
        build=world.build,
        populations=[Population(id="off", name="Skip", samples=-1)],
        genotypes={
            name: write_records(
                tmp_path / f"panel{name}.vcf.gz", lines, samples=names(PANEL_SAMPLES)
            )
            for name, lines in world.panel.items()
        },
        maps={},
        simulated=True,
        rules=rules,
    )
    for name, lines in world.study.items():
        path = write_records(tmp_path / f"study{name}.vcf.gz", lines, samples=world.samples)
        result, report = both(path, panel)
        assert_same(result, report, rules)
