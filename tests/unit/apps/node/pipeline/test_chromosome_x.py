"""Chromosome X from upload to result: three regions, men with one allele, one file."""

import random
import shutil

import pytest
import pyzipper
from cyvcf2 import VCF

from apps.genotypes.chromosome_x import XRegion
from apps.genotypes.rules import PanelRules
from apps.node.pipeline.phasing_programs import find_program
from tests.unit.apps.node.pipeline.conftest import PASSWORD, names, write_vcf

needs_minimac4 = pytest.mark.skipif(not shutil.which("minimac4"), reason="it is not installed")
ENGINES = ["numpy", pytest.param("minimac4", marks=needs_minimac4)]

SAMPLES = 12
MEN = {0, 2, 5}  # of the panel, and of the study, who are the same people
PAR1, BETWEEN, PAR2 = 1_000_000, 25_000_000, 155_800_000
PLACES = [start + 1000 * n for start in (PAR1, BETWEEN, PAR2) for n in range(30)]


def haploid(position):
    return PAR1 + 30_000 < position < PAR2


def panel_rows(seed=3):
    """Sites whose haplotypes are copies of four founders, so that neighbours tell of each other."""
    generator = random.Random(seed)
    founders = [[generator.random() < 0.5 for _ in PLACES] for _ in range(4)]
    carried = [(generator.randrange(4), generator.randrange(4)) for _ in range(SAMPLES)]
    rows = []
    for at, position in enumerate(PLACES):
        calls = []
        for sample, pair in enumerate(carried):
            one, other = (int(founders[each][at]) for each in pair)
            is_man = sample in MEN and haploid(position)
            calls.append(str(one) if is_man else f"{one}|{other}")
        rows.append(("chrX", position, "A", "C", "PASS", calls))
    return rows


ROWS = panel_rows()
TRUTH = {row[1]: row[5] for row in ROWS if "1" in "".join(row[5])}
DOSE = "chrX.dose.vcf.gz"


def study_rows(rows=ROWS):
    kept = [(*row[:5], list(row[5])) for row in rows[::2]]
    return [row for row in kept if "1" in "".join(row[5])]


@pytest.fixture
def panel(make_panel):
    return make_panel({"X": ROWS}, samples=SAMPLES)


@pytest.fixture
def upload(workspace):
    def upload(rows):
        path = workspace / "input" / "study.vcf.gz"
        return write_vcf(path, rows, samples=names(SAMPLES))

    return upload


def result(outcome):
    folder = outcome.workspace / "extracted"
    with pyzipper.AESZipFile(outcome.workspace / "output" / "chr_X.zip") as archive:
        archive.setpassword(PASSWORD.encode())
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("engine", ENGINES)
def test_regions_are_imputed_and_joined_and_men_keep_one_allele(run, panel, upload, engine):
    rows = study_rows()
    # What was not called at a man's site is written in either way.
    typed = next(at for at, row in enumerate(rows) if row[1] > BETWEEN)
    rows[typed + 2][5][2] = "."
    rows[typed + 4][5][1] = "."
    upload(rows)

    outcome = run(panel, engine=engine)

    assert outcome.success, outcome.messages(1)
    assert [p for p in outcome.outputs if p.endswith(".zip")] == ["chr_X.zip"]
    folder = result(outcome)
    assert {path.name for path in folder.iterdir()} == {
        "chrX.dose.vcf.gz",
        "chrX.info.gz",
        "chrX.empiricalDose.vcf.gz",
        "chrX.empiricalDose.vcf.gz.tbi",
    }
    dose = VCF(str(folder / DOSE))
    found = {}
    right = total = 0
    for variant in dose:
        form, *cells = str(variant).strip().split("\t")[8:]
        columns = zip(*(cell.split(":") for cell in cells), strict=True)
        fields = dict(zip(form.split(":"), columns, strict=True))
        found[variant.POS] = fields["GT"]
        for sample, (call, haps, probabilities) in enumerate(
            zip(fields["GT"], fields["HDS"], fields["GP"], strict=True)
        ):
            one = sample in MEN and haploid(variant.POS)
            assert len(call.split("|")) == len(haps.split(",")) == (1 if one else 2)
            assert len(probabilities.split(",")) == (2 if one else 3)
            right += call == TRUTH[variant.POS][sample]
            total += 1
    assert list(found) == list(TRUTH)
    assert right / total > 0.9
    assert [v.POS for v in VCF(str(folder / "chrX.info.gz"))] == list(TRUTH)
    empirical = VCF(str(folder / "chrX.empiricalDose.vcf.gz"))
    assert [v.POS for v in empirical("chrX:25000000-155700000")] == [
        row[1] for row in rows if haploid(row[1])
    ]


def test_chromosome_23_is_x(run, make_panel, upload):
    between = [("X", *row[1:]) for row in ROWS if haploid(row[1])]
    panel = make_panel({"X": between}, samples=SAMPLES, build="hg19")
    upload([("23", *row[1:]) for row in between])
    outcome = run(panel, mode="qc_only")
    assert outcome.success, outcome.messages(1)
    assert "<b>Chromosomes:</b> X\n" in outcome.messages(0)[0]


@pytest.mark.parametrize(("build", "last_of_par1"), [("hg19", 2_699_519), ("hg38", 2_781_478)])
def test_regions_are_those_of_the_build(run, make_panel, upload, build, last_of_par1):
    contig = "chrX" if build == "hg38" else "X"

    def rows(samples):
        women = ["0|1"] * samples
        men = ["1", *["0|1"] * (samples - 1)]
        return [
            *((contig, last_of_par1 - n, "A", "C", "PASS", women) for n in (2, 1, 0)),
            *((contig, last_of_par1 + n, "A", "C", "PASS", men) for n in (1, 2, 3)),
        ]

    panel = make_panel({"X": rows(10)}, build=build)
    upload(rows(SAMPLES))
    outcome = run(panel, mode="qc_only")
    assert outcome.success, outcome.messages(1)
    assert outcome.table("chunks-excluded.txt") == []
    assert "Remaining sites in total: 6" in outcome.messages(2)[-1]


def test_ploidy_that_changes_fails_the_job_and_names_sample_and_place(run, panel, upload):
    rows = study_rows()
    places = [at for at, row in enumerate(rows) if haploid(row[1])]
    rows[places[3]][5][2] = "0|1"
    rows[places[5]][5][1] = "1"
    upload(rows)
    outcome = run(panel)
    (message,) = outcome.messages(1)
    assert message == (
        "ChrX nonPAR region includes ambiguous samples (haploid and diploid positions). "
        "Imputation cannot be started! See chrX-info.txt"
    )
    assert outcome.table("chrX-info.txt") == [
        ["s2", f"chrX:{rows[places[3]][1]}"],
        ["s1", f"chrX:{rows[places[5]][1]}"],
    ]
    assert "statistics/chrX-info.txt" in outcome.outputs
    assert "chr_X.zip" not in outcome.outputs


@pytest.mark.parametrize(("mixed", "fails"), [(1, False), (2, True)])
def test_mixed_genotypes_of_one_sample_fail_the_job(run, make_panel, upload, mixed, fails):
    panel = make_panel({"X": ROWS}, samples=SAMPLES, rules=PanelRules(mixed_genotypes_x=0.1))
    rows = [row for row in study_rows() if haploid(row[1])][:11]
    for row in rows[:mixed]:
        row[5][1] = ".|1"
    upload(rows)
    outcome = run(panel, mode="qc_only")
    said = [
        "Chromosome X nonPAR region includes > 10 % mixed genotypes. Imputation cannot be started!"
    ]
    assert outcome.messages(1) == (said if fails else [])


def test_haploid_genotype_of_a_pseudoautosomal_region_is_refused(run, panel, upload):
    rows = study_rows()
    rows[0][5][0] = "1"
    upload(rows)
    (message,) = run(panel).messages(1)
    assert (
        "study.vcf.gz, line 3: A genotype of a pseudoautosomal region of X is haploid." in message
    )


def test_panel_of_one_region_leaves_the_others_out(run, make_panel, upload):
    between = [row for row in ROWS if haploid(row[1])]
    panel = make_panel({"X": between}, samples=SAMPLES)
    assert list(panel.chromosomes) == [XRegion.NON_PAR.value]
    upload(study_rows())
    outcome = run(panel)
    assert outcome.success, outcome.messages(1)
    assert [row[0] for row in outcome.table("chunks-excluded.txt")] == [
        "chunk_X.PAR1_0000000001_0020000000",
        "chunk_X.PAR2_0140000001_0160000000",
    ]
    places = [v.POS for v in VCF(str(result(outcome) / DOSE))]
    assert all(haploid(place) for place in places)


@pytest.mark.skipif(find_program("eagle") is None, reason="it is not installed")
def test_unphased_study_is_phased_region_by_region(run, panel, upload):
    upload([(*row[:5], [call.replace("|", "/") for call in row[5]]) for row in study_rows()])
    outcome = run(panel, phasing="eagle")
    assert outcome.success, outcome.messages(1)
    assert any("Phasing with Eagle (3/3)" in message for message in outcome.messages(0))
    variants = {v.POS: str(v).strip().split("\t")[9:] for v in VCF(str(result(outcome) / DOSE))}
    assert len(variants) == len(TRUTH)
    for position, cells in variants.items():
        calls = [cell.split(":")[0] for cell in cells]
        assert [len(call.split("|")) for call in calls] == [
            1 if sample in MEN and haploid(position) else 2 for sample in range(SAMPLES)
        ]
