import gzip
import random

import numpy as np
import pytest
import pyzipper
from cyvcf2 import VCF

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.rules import JobLimits, PanelRules
from tests.unit.apps.node.pipeline.conftest import PASSWORD, names, write_vcf

SAMPLES = 6
PHASED = ("0|0", "0|1", "1|0", "1|1")


def panel_rows(chromosome, positions, *, samples=10, seed=1):
    """Sites A/C whose haplotypes form long blocks, so that neighbours tell of each other."""
    generator = random.Random(seed)
    founders = [[generator.random() < 0.5 for _ in positions] for _ in range(4)]
    carried = [generator.randrange(4) for _ in range(2 * samples)]
    return [
        (
            chromosome,
            position,
            "A",
            "C",
            "PASS",
            [
                f"{int(founders[carried[2 * s]][at])}|{int(founders[carried[2 * s + 1]][at])}"
                for s in range(samples)
            ],
        )
        for at, position in enumerate(positions)
    ]


def targets_of(rows, *, every=2, samples=SAMPLES):
    """The first samples of a panel's rows, at every second site."""
    kept = [(*row[:5], row[5][:samples]) for row in rows[::every]]
    return [row for row in kept if "1" in "".join(row[5])]


POSITIONS = range(1_000_000, 1_060_000, 1000)
ROWS = panel_rows("chr20", POSITIONS)


@pytest.fixture
def panel(make_panel):
    return make_panel({"20": ROWS})


@pytest.fixture
def upload(workspace):
    def upload(rows, *, name="study.vcf.gz", samples=SAMPLES, meta=()):
        return write_vcf(workspace / "input" / name, rows, samples=names(samples), meta=meta)

    return upload


def extract(outcome, chromosome="20"):
    folder = outcome.workspace / f"extracted{chromosome}"
    with pyzipper.AESZipFile(outcome.workspace / "output" / f"chr_{chromosome}.zip") as archive:
        archive.setpassword(PASSWORD.encode())
        archive.extractall(folder)
    return folder


def test_job_that_succeeds_says_and_leaves_what_the_server_does(run, panel, upload):
    upload(targets_of(ROWS))
    outcome = run(panel)
    assert outcome.success
    assert [e["name"] for e in outcome.events if e["event"] == "step"] == [
        "Input Validation",
        "Quality Control",
        "Phasing and Imputation",
        "Summary",
    ]
    assert outcome.messages(1) == []
    skipped, exclusions = outcome.messages(2)
    assert skipped == "Skip allele frequency check."
    validated, statistics, engine, imputed, packed, exported = outcome.messages(0)
    assert validated.startswith("1 valid VCF file(s) found.\n\n<b>Samples:</b> 6\n")
    assert "<b>Datatype:</b> phased\n<b>Build:</b> hg38\n" in validated
    assert "<br>Reference Overlap: 100.00 %<br>" in statistics
    assert exclusions.startswith("Excluded sites in total: 0<br>Remaining sites in total: ")
    assert exclusions.count("<br>") == 1
    assert engine == "Imputation engine: numpy Li-Stephens 1.0"
    assert imputed.startswith("<b>Imputation (1/1)</b><br>")
    assert packed.startswith("<b>Compression and Encryption (1/1)</b><br>")
    assert exported == "Data have been exported successfully."
    assert outcome.outputs == [
        "qc_report.txt",
        "quality-control.html",
        "statistics/snps-excluded.txt",
        "statistics/snps-typed-only.txt",
        "statistics/chunks-excluded.txt",
        "chr_20.zip",
    ]
    assert all((outcome.workspace / "output" / path).is_file() for path in outcome.outputs)


def test_result_is_read_by_the_tools_people_use(run, panel, upload):
    upload(targets_of(ROWS))
    folder = extract(run(panel))
    assert {path.name for path in folder.iterdir()} == {
        "chr20.dose.vcf.gz",
        "chr20.info.gz",
        "chr20.empiricalDose.vcf.gz",
        "chr20.empiricalDose.vcf.gz.tbi",
    }
    dose = VCF(str(folder / "chr20.dose.vcf.gz"))
    assert dose.samples == names(SAMPLES)
    for line in (
        "##source=numpy Li-Stephens 1.0",
        "##mis_panel=apps@small@1.0.0 Small (SIMULATED)",
    ):
        assert line in dose.raw_header
    typed = {row[1] for row in targets_of(ROWS)}
    for variant in dose:
        haploid = variant.format("HDS").reshape(-1)
        assert variant.format("DS").reshape(-1) == pytest.approx(
            haploid[0::2] + haploid[1::2], abs=1e-6
        )
        assert variant.format("GP").sum(axis=1) == pytest.approx(np.ones(SAMPLES), abs=2e-3)
        frequency = haploid.mean()
        assert variant.INFO["AF"] == pytest.approx(frequency, abs=1e-5)
        known = frequency * (1 - frequency)
        expected = haploid.var() / known if known > 1e-12 else 0
        assert variant.INFO["R2"] == pytest.approx(expected, abs=1e-4)
        assert (variant.INFO.get("TYPED") is not None) == (variant.POS in typed)
        assert (variant.INFO.get("ER2") is not None) == (variant.POS in typed)
        assert variant.INFO.get("IMPUTED")
    info, full = (
        [str(v).strip().split("\t")[:8] for v in VCF(str(folder / name))]
        for name in ("chr20.info.gz", "chr20.dose.vcf.gz")
    )
    assert info == full
    empirical = VCF(str(folder / "chr20.empiricalDose.vcf.gz"))
    low, high = sorted(typed)[3], sorted(typed)[9]
    assert [v.POS for v in empirical(f"chr20:{low}-{high}")] == sorted(typed)[3:10]


def test_haplotypes_of_the_panel_are_recovered(run, panel, upload):
    upload(targets_of(ROWS))
    folder = extract(run(panel))
    truth = {row[1]: [int(a) for call in row[5][:SAMPLES] for a in call.split("|")] for row in ROWS}
    right = total = 0
    for variant in VCF(str(folder / "chr20.dose.vcf.gz")):
        called = [allele for genotype in variant.genotypes for allele in genotype[:2]]
        right += sum(a == b for a, b in zip(called, truth[variant.POS], strict=True))
        total += len(called)
    assert right / total > 0.98


def test_without_meta_there_is_no_empirical_file_and_zips_stay_encrypted(run, panel, upload):
    upload(targets_of(ROWS))
    outcome = run(panel, meta=False, aes=False)
    assert {p.name for p in extract(outcome).iterdir()} == {"chr20.dose.vcf.gz", "chr20.info.gz"}
    assert "Results are encrypted with AES-256 on this server, always." in outcome.messages(2)


def test_zip_does_not_open_with_another_password(run, panel, upload):
    upload(targets_of(ROWS))
    outcome = run(panel)
    with pyzipper.AESZipFile(outcome.workspace / "output" / "chr_20.zip") as archive:
        archive.setpassword(b"other")
        with pytest.raises(RuntimeError, match="password"):
            archive.read("chr20.info.gz")


def test_several_chromosomes_give_a_zip_each(run, make_panel, upload):
    rows = {name: panel_rows(f"chr{name}", POSITIONS, seed=int(name)) for name in ("2", "20")}
    panel = make_panel(rows)
    upload(targets_of(rows["20"]), name="a.vcf.gz")
    upload(targets_of(rows["2"]), name="b.vcf.gz")
    outcome = run(panel)
    assert [path for path in outcome.outputs if path.endswith(".zip")] == [
        "chr_2.zip",
        "chr_20.zip",
    ]
    assert "<b>Chromosomes:</b> 2 20\n" in outcome.messages(0)[0]
    assert VCF(str(extract(outcome, "2") / "chr2.dose.vcf.gz")).seqnames == ["chr2"]


def test_chunks_are_joined_without_a_seam_and_bad_ones_are_left_out(run, make_panel, upload):
    positions = [*range(19_950_000, 20_050_000, 2000), *range(45_000_000, 45_100_000, 2000)]
    rows = panel_rows("chr20", positions)
    panel = make_panel({"20": rows})
    mistyped = [
        ("chr20", p, "A", "C", "PASS", ["0|1"] * SAMPLES) for p in range(65_000_000, 65_000_009)
    ]
    upload([*targets_of(rows), *mistyped])
    outcome = run(panel)
    assert outcome.success
    assert outcome.table("chunks-excluded.txt") == [
        ["chunk_20_0060000001_0080000000", "0", "0", "0"]
    ]
    assert "Chunk(s) excluded: reference overlap &lt; 50%" in outcome.messages(2)[-1]
    assert outcome.messages(2)[-1].endswith("Remaining chunk(s): 3")
    folder = extract(outcome)
    for name in ("chr20.dose.vcf.gz", "chr20.info.gz"):
        assert [v.POS for v in VCF(str(folder / name))] == [
            p for p, row in zip(positions, rows, strict=True) if "1" in "".join(row[5])
        ]
    text = gzip.decompress((folder / "chr20.dose.vcf.gz").read_bytes())
    assert text.count(b"#CHROM") == text.count(b"##mis_pipeline") == 1


def test_r2_filter_leaves_out_imputed_sites_only(run, panel, upload):
    upload(targets_of(ROWS, every=20))
    sites = [(v.POS, v.INFO["R2"], v.INFO.get("TYPED")) for v in read_dose(run(panel))]
    kept = [v.POS for v in read_dose(run(panel, r2_filter=0.9))]
    assert kept == [pos for pos, r2, typed in sites if r2 >= 0.9 or typed]
    assert len(kept) < len(sites)


def read_dose(outcome):
    return VCF(str(extract(outcome) / "chr20.dose.vcf.gz"))


def test_typed_only_sites_stay_in_the_result(run, panel, upload):
    only = ("chr20", 1_000_500, "G", "T", "PASS", ["0|1", ".|.", *["0|0"] * (SAMPLES - 2)])
    upload(sorted([*targets_of(ROWS), only], key=lambda row: row[1]))
    outcome = run(panel)
    assert outcome.table("snps-typed-only.txt") == [[".", "chr20", "1000500", "G", "T"]]
    found = {v.POS: v for v in read_dose(outcome)}[1_000_500]
    assert found.INFO.get("TYPED")
    assert found.INFO.get("IMPUTED") is None
    assert found.format("HDS")[0].tolist() == [0, 1]
    assert found.format("HDS")[1].tolist() == pytest.approx([0.1, 0.1])


def test_missing_genotypes_are_imputed(run, panel, upload):
    rows = targets_of(ROWS)
    position, truth = rows[10][1], rows[10][5][0]
    rows[10] = (*rows[10][:5], [".|.", *["1|0"] * (SAMPLES - 1)])
    upload(rows)
    outcome = run(panel, mode="imputation")
    excluded = outcome.table("snps-excluded.txt")
    assert [row[-1] for row in excluded] == ["Low call rate. Value: 0.8333333333333334"]
    found = {v.POS: v for v in read_dose(outcome)}[position]
    assert found.genotypes[0][:2] == [int(a) for a in truth.split("|")]


def test_qc_only_stops_after_quality_control(run, panel, upload):
    upload(targets_of(ROWS))
    outcome = run(panel, mode="qc_only", population="afr")
    assert outcome.success
    assert [e["name"] for e in outcome.events if e["event"] == "step"][-2:] == [
        "Quality Control",
        "Summary",
    ]
    assert "chr_20.zip" not in outcome.outputs
    page = (outcome.workspace / "output" / "quality-control.html").read_text()
    assert "<svg" in page
    assert "Small (SIMULATED)" in page


@pytest.fixture
def nothing_installed(tmp_path, monkeypatch):
    """A server with no engine but our own."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("nothing_installed")
def test_phased_data_goes_on_as_it_is_when_phasing_was_asked(run, panel, upload):
    upload(targets_of(ROWS))
    outcome = run(panel, phasing="eagle")
    assert outcome.success
    assert any("no phasing engine is installed" in message for message in outcome.messages(2))


def test_lengths_of_the_other_build_are_pointed_out(run, panel, upload):
    upload(targets_of(ROWS), meta=["##contig=<ID=chr20,length=63025520>"])
    assert any("are those of hg19" in message for message in run(panel).messages(2))


UNPHASED = ("chr20", POSITIONS[-1] + 1, "A", "C", "PASS", ["0/1"] * SAMPLES)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("extra", "choices", "said"),
    [
        (
            [],
            {"population": "<eur>"},
            "Population '&lt;eur&gt;' is not supported by reference panel",
        ),
        ([], {"phasing": "shapeit"}, "Phasing engine 'shapeit' is not supported."),
        ([], {"mode": "x"}, "Mode 'x' is not supported."),
        ([], {"build": "hg17"}, "Build 'hg17' is not supported."),
        ([], {"build": "hg19"}, "This is not a valid hg19 encoding."),
        ([], {"limits": JobLimits(min_samples=20)}, "At least 20 samples must be uploaded."),
        (
            [],
            {"limits": JobLimits(min_samples=1, max_samples=5)},
            "The maximum number of samples is 5",
        ),
        ([], {"files": ()}, "No vcf.gz input files detected."),
        ([UNPHASED], {}, "Your input data is unphased. Please select an algorithm for phasing."),
        ([UNPHASED], {"phasing": "beagle"}, "no phasing engine is installed on this server"),
        ([("chr21", 1, "A", "C", "PASS", ["0|1"] * SAMPLES)], {}, "more than one chromosome"),
    ],
)
def test_validation_refuses(run, panel, upload, extra, choices, said):
    upload([*targets_of(ROWS), *extra])
    outcome = run(panel, **choices)
    assert not outcome.success
    assert said in outcome.messages(1)[-1]
    assert [e["name"] for e in outcome.events if e["event"] == "step"] == ["Input Validation"]


@pytest.mark.parametrize("chromosome", ["chr21", "chrX", "chrMT"])
def test_chromosome_that_the_panel_lacks_is_refused_plainly(run, panel, upload, chromosome):
    upload([(chromosome, *row[1:]) for row in targets_of(ROWS)])
    (said,) = run(panel).messages(1)
    assert said == (
        f"Chromosome {chromosome[3:]} cannot be imputed here: reference panel 'small' has "
        "chromosome 20 only."
    )


def test_files_must_fit_together(run, panel, upload):
    upload(targets_of(ROWS), name="a.vcf.gz")
    upload(targets_of(ROWS), name="b.vcf.gz")
    assert "The files a.vcf.gz and b.vcf.gz are both of chromosome 20" in run(panel).messages(1)[0]
    upload([(*row[:5], row[5][:5]) for row in targets_of(ROWS)], name="b.vcf.gz", samples=5)
    assert "different numbers of samples" in run(panel).messages(1)[0]


def test_other_files_are_ignored(run, panel, upload, workspace):
    upload(targets_of(ROWS))
    (workspace / "input" / "readme.txt").write_text("hello")
    assert run(panel, mode="qc_only").success


def cut(whole):
    return whole[:-40]


def no_end(whole):
    return whole[:-28]


def plain_gzip(whole):
    return gzip.compress(gzip.decompress(whole))


def garbage(whole):
    return random.Random(1).randbytes(5000)


def nothing(whole):
    return b""


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "its last BGZF block is missing"),
        (no_end, "its last BGZF block is missing"),
        (plain_gzip, "compress it with bgzip"),
        (garbage, "not compressed with bgzip"),
        (nothing, "the file is empty"),
    ],
)
def test_spoilt_file_fails_with_its_name_and_a_remedy(run, panel, upload, spoil, said):
    path = upload(targets_of(ROWS))
    path.write_bytes(spoil(path.read_bytes()))
    outcome = run(panel)
    (message,) = outcome.messages(1)
    assert message.startswith("The provided VCF file is malformed.<br>study.vcf.gz: ")
    assert said in message
    assert not outcome.success


def test_markup_in_a_file_is_shown_as_text(run, panel, workspace):
    rows = targets_of(ROWS)
    samples = ["<script>", "<script>", *names(SAMPLES)[2:]]
    write_vcf(workspace / "input" / "study.vcf.gz", rows, samples=samples)
    (message,) = run(panel).messages(1)
    assert "following ID: &lt;script&gt;." in message


def test_other_build_needs_a_chain_file_that_is_not_there(run, make_panel, upload):
    panel = make_panel({"20": ROWS})
    upload([(row[0][3:], *row[1:]) for row in targets_of(ROWS)])
    outcome = run(panel, build="hg19")
    differ, no_chain = outcome.messages(1)
    assert differ == "Uploaded data is hg19 and reference is hg38."
    assert no_chain.startswith("The chain file hg19ToHg38.over.chain.gz is not installed")


@pytest.mark.parametrize(
    ("ref", "alt", "rules", "said"),
    [
        ("T", "G", PanelRules(strand_flips=4), "More than 4 obvious strand flips"),
        ("G", "T", PanelRules(strand_flips=4), "More than 4 obvious strand flips"),
        ("C", "A", PanelRules(allele_switches=4), "More than 4 allele switches"),
        ("G", "C", PanelRules(), "No chunks passed the QC step"),
    ],
)
def test_totals_fail_the_job_and_the_reasons_can_be_fetched(
    run, make_panel, upload, ref, alt, rules, said
):
    panel = make_panel({"20": ROWS}, rules=rules)
    rows = targets_of(ROWS)
    spoilt = len(rows) if said.startswith("No") else 5
    upload([(*row[:2], ref, alt, *row[4:]) for row in rows[:spoilt]] + rows[spoilt:])
    outcome = run(panel)
    assert not outcome.success
    assert outcome.messages(1)[-1].startswith(said)
    assert len(outcome.table("snps-excluded.txt")) == spoilt
    assert "statistics/snps-excluded.txt" in outcome.outputs
    assert "qc_report.txt" in outcome.outputs
    assert "chr_20.zip" not in outcome.outputs


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("0|2", "names an allele that ALT does not have"),
        ("1", "haploid"),
        ("0|x", "is not a genotype"),
    ],
)
def test_bad_genotype_fails_with_its_line_and_what_was_judged_stays(run, panel, upload, call, said):
    rows = targets_of(ROWS)
    indel = (*rows[0][:2], "AT", *rows[0][3:])
    rows[7] = (*rows[7][:5], [call, *rows[7][5][1:]])
    upload([indel, *rows[1:]])
    outcome = run(panel)
    assert not outcome.success
    assert said in outcome.messages(1)[0]
    assert "study.vcf.gz, line 10:" in outcome.messages(1)[0]
    assert len(outcome.table("snps-excluded.txt")) == 1


def test_broken_panel_fails_without_showing_paths(run, panel, upload):
    upload(targets_of(ROWS))
    (panel.folder / "manifest.json").write_text("{")
    outcome = run(panel)
    assert outcome.messages(1) == [
        "The reference panel cannot be read. Please contact the operators."
    ]


def test_repeated_site_counts_as_a_duplicate(run, panel, upload):
    rows = targets_of(ROWS)
    upload([rows[0], rows[0], *rows[1:]])
    outcome = run(panel)
    assert outcome.success
    assert [row[-1] for row in outcome.table("snps-excluded.txt")] == ["Filter Duplicate"]


def test_input_of_other_formats_fields_is_read(run, panel, workspace):
    with BgzfWriter(workspace / "input" / "study.vcf.gz") as out:
        out.write(b"##fileformat=VCFv4.1\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t")
        out.write("\t".join(names(SAMPLES)).encode() + b"\n")
        for chromosome, position, ref, alt, flag, calls in targets_of(ROWS):
            cells = "\t".join(f"{call}:{n}" for n, call in enumerate(calls))
            line = f"{chromosome}\t{position}\t.\t{ref}\t{alt}\t9\t{flag}\tDP=3\tGT:DP\t{cells}\n"
            out.write(line.encode())
    assert run(panel).success
