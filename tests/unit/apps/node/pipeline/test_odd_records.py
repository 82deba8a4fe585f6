"""Records that are odd, not wrong: every engine gets them in a form that it can read."""

import shutil
import tracemalloc
from contextlib import suppress

import pytest

from apps.genotypes.bgzf import BgzfWriter, read_blocks, read_lines
from apps.genotypes.rules import PanelRules
from apps.genotypes.vcf import scan_vcf
from apps.node.pipeline.engines import LiStephens
from apps.node.pipeline.events import JobFailed
from apps.node.pipeline.quality_control import QualityControl, run_qc
from apps.node.pipeline.validation import Study, StudyFile
from tests.unit.apps.node.pipeline.conftest import KIT, names, write_vcf

needs_minimac4 = pytest.mark.skipif(not shutil.which("minimac4"), reason="it is not installed")
ENGINES = ["numpy", pytest.param("minimac4", marks=needs_minimac4)]


@pytest.fixture
def spoilt_kit(workspace):
    """Upload the kit's study; from its third record on, each has one column changed."""

    def spoil(*changes: tuple[int, bytes]) -> None:
        number = 0
        changing = dict(enumerate(changes, start=3))
        with (
            (KIT / "target.phased.vcf.gz").open("rb") as file,
            BgzfWriter(workspace / "input" / "study.vcf.gz") as out,
        ):
            for line in read_lines(read_blocks(file)):
                if not line.startswith(b"#"):
                    number += 1
                    if number in changing:
                        fields = line.split(b"\t")
                        column, value = changing[number]
                        fields[column] = value
                        line = b"\t".join(fields)
                out.write(line + b"\n")
                if number == 300:
                    return

    return spoil


@pytest.mark.parametrize("engine", ENGINES)
def test_odd_records_do_not_end_the_job(run, kit_panel, spoilt_kit, engine):
    odd_ids = [(2, b"a b"), (2, b""), (2, b"rs\0x"), (2, b"\xff")]
    spoilt_kit(*odd_ids, (9, b"0|."), (10, b".|1"), (10, b"."))

    outcome = run(kit_panel, engine=engine)

    assert outcome.success, outcome.messages(1)
    assert "chr_20.zip" in outcome.outputs


@pytest.mark.parametrize("call", [b".|1", b"."])
def test_study_that_minimac4_would_end_at_is_imputed_without_it(run, kit_panel, spoilt_kit, call):
    spoilt_kit((9, call))

    outcome = run(kit_panel, engine="auto")

    assert outcome.success, outcome.messages(1)
    assert any(f"Imputation engine: {LiStephens().name}" in said for said in outcome.messages(0))


def test_minimac4_asked_for_by_name_says_what_it_needs(run, kit_panel, spoilt_kit):
    spoilt_kit((9, b".|1"))

    outcome = run(kit_panel, engine="minimac4")

    assert not outcome.success
    assert "every genotype of the first sample" in outcome.messages(1)[-1]


def test_long_alleles_at_one_position_are_not_kept_in_memory(make_panel, tmp_path):
    samples = names(5)
    panel = make_panel({"20": [("chr20", 100, "A", "C", ".", ["0|1"] * 10)]}, rules=PanelRules())
    rows = [("chr20", 100, "A", "C" * 2_000_000 + "G" * n, ".", ["0|1"] * 5) for n in range(40)]
    path = write_vcf(tmp_path / "study.vcf.gz", rows, samples=samples)
    study = Study(files=(StudyFile(path=path, scan=scan_vcf(path)),))
    del rows

    tracemalloc.start()
    with suppress(JobFailed):
        run_qc(
            study,
            panel,
            sites=lambda chromosome: iter(()),
            result=QualityControl(),
            statistics=tmp_path / "statistics",
            folder=tmp_path,
        )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 30_000_000
