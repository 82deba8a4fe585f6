"""Agreement of a result with the truth, against a plain computation over whole matrices."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.genotypes.accuracy import MAF_BINS, FilesDiffer, measure

Site = tuple[int, str, str]
A: Site = (100, "A", "C")
B: Site = (200, "A", "G")
C: Site = (200, "A", "T")  # at the position of B
D: Site = (300, "G", "T")

KNOWN_SITES = [(position, "A", alt) for position in range(1, 5) for alt in "CGT"]

DOSAGE_HEADER = [
    '##FORMAT=<ID=DS,Number=1,Type=Float,Description="Dosage">',
    '##FORMAT=<ID=HDS,Number=2,Type=Float,Description="Haploid dosage">',
]


def write_vcf(
    path: Path,
    samples: Sequence[str],
    records: Sequence[tuple[Site, str, Sequence[str]]],
    *,
    chromosome: str = "20",
    dosages: bool = True,
) -> Path:
    """A VCF of `records`: site, FORMAT, one field per sample; `dosages` declares DS and HDS."""
    lines = [
        "##fileformat=VCFv4.2",
        f"##contig=<ID={chromosome}>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        *(DOSAGE_HEADER if dosages else []),
        "\t".join(
            ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
        ),
    ]
    for (position, ref, alt), fmt, fields in records:
        fixed = [chromosome, str(position), ".", ref, alt, ".", "PASS", ".", fmt]
        lines.append("\t".join([*fixed, *fields]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """An array that holds none of the sites of the tests."""
    return write_vcf(tmp_path / "array.vcf", ["x"], [((1, "A", "C"), "GT", ["0|0"])])


@st.composite
def studies(
    draw: st.DrawFn,
) -> tuple[dict[Site, list[int | None]], dict[Site, list[float]], set[Site], set[Site]]:
    """Truth (None is a missing call) and result for five samples, array sites, panel sites."""
    chosen = st.lists(st.sampled_from(KNOWN_SITES), unique=True)
    truth = {
        site: draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, None]), min_size=5, max_size=5))
        for site in sorted(draw(chosen))
    }
    dosage = st.integers(0, 2000).map(lambda thousandths: thousandths / 1000)
    result = {site: draw(st.lists(dosage, min_size=5, max_size=5)) for site in sorted(draw(chosen))}
    return truth, result, set(draw(chosen)), set(draw(chosen))


def brute_force(
    truth: Mapping[Site, Sequence[int | None]],
    result: Mapping[Site, Sequence[float]],
    sites: Sequence[Site],
) -> float | None:
    pairs = [
        (true, dosage)
        for site in sites
        for true, dosage in zip(truth[site], result.get(site, [0.0] * 5), strict=True)
        if true is not None
    ]
    if not pairs:
        return None
    x, y = np.array(pairs, dtype=float).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def maf(calls: Sequence[int | None]) -> float:
    known = [call for call in calls if call is not None]
    alternative = sum(known)
    return min(alternative, 2 * len(known) - alternative) / (2 * len(known)) if known else 0.0


def same(measured: float | None, expected: float | None) -> bool:
    if measured is None or expected is None:
        return measured is expected
    return math.isclose(measured, expected, abs_tol=1e-6)


@settings(max_examples=80, deadline=None)
@given(study=studies(), restricted=st.booleans())
def test_measure_agrees_with_the_correlation_of_whole_matrices(
    study: tuple[dict[Site, list[int | None]], dict[Site, list[float]], set[Site], set[Site]],
    restricted: bool,
) -> None:
    truth, result, on_array, in_panel = study
    samples = ["s1", "s2", "s3", "s4", "s5"]
    genotype = {0: "0|0", 1: "0|1", 2: "1|1", None: "./."}
    with TemporaryDirectory() as folder:
        here = Path(folder)
        accuracy = measure(
            truth=write_vcf(
                here / "truth.vcf",
                samples,
                [(site, "GT", [genotype[call] for call in calls]) for site, calls in truth.items()],
            ),
            result=write_vcf(  # other order of samples, other spelling of the chromosome
                here / "result.vcf",
                samples[::-1],
                [
                    (site, "DS", [f"{d:.3f}" for d in dosages[::-1]])
                    for site, dosages in result.items()
                ],
                chromosome="chr20",
            ),
            array=write_vcf(
                here / "array.vcf", ["x"], [(site, "GT", ["0|0"]) for site in sorted(on_array)]
            ),
            panel=write_vcf(
                here / "panel.vcf", ["y"], [(site, "GT", ["0|0"]) for site in sorted(in_panel)]
            )
            if restricted
            else None,
        )

    compared = [
        site for site in truth if site not in on_array and (not restricted or site in in_panel)
    ]
    assert accuracy.samples == 5
    assert accuracy.total.sites == len(compared)
    assert accuracy.total.found == sum(site in result for site in compared)
    assert same(accuracy.total.r2, brute_force(truth, result, compared))
    for (lower, upper), part in zip(MAF_BINS, accuracy.bins, strict=True):
        inside = [site for site in compared if lower < maf(truth[site]) <= upper]
        assert part.sites == len(inside)
        assert same(part.r2, brute_force(truth, result, inside))


def test_measure_gives_one_when_the_result_is_the_truth(tmp_path: Path, array: Path) -> None:
    calls = [(A, "GT", ["0|0", "0|1"]), (B, "GT", ["1|1", "0|0"]), (C, "GT", ["0|0", "1|0"])]
    truth = write_vcf(tmp_path / "truth.vcf", ["a", "b"], calls, dosages=False)

    accuracy = measure(truth=truth, result=truth, array=array)

    assert accuracy.total.r2 == pytest.approx(1)
    assert accuracy.total.sites == accuracy.total.found == 3


def test_measure_counts_absent_sites_as_dosage_zero(tmp_path: Path, array: Path) -> None:
    truth = write_vcf(
        tmp_path / "truth.vcf",
        ["a", "b"],
        [(A, "GT", ["0|0", "0|1"]), (D, "GT", ["1|1", "1|1"])],
    )
    result = write_vcf(tmp_path / "result.vcf", ["a", "b"], [(A, "DS", ["0", "1"])])

    accuracy = measure(truth=truth, result=result, array=array)

    expected = np.corrcoef([0, 1, 2, 2], [0, 1, 0, 0])[0, 1] ** 2
    assert accuracy.total.r2 == pytest.approx(expected)
    assert (accuracy.total.sites, accuracy.total.found) == (2, 1)


@pytest.mark.parametrize(
    ("fmt", "fields"),
    [("HDS", ["0.25,0.5", "1,0.75", "0,0"]), ("DS", ["0.75", "1.75", "."])],
)
def test_measure_reads_each_way_of_writing_dosages(
    tmp_path: Path, array: Path, fmt: str, fields: list[str]
) -> None:
    samples = ["a", "b", "c"]
    truth = write_vcf(tmp_path / "truth.vcf", samples, [(A, "GT", ["0|1", "1|1", "0|1"])])
    result = write_vcf(tmp_path / "result.vcf", samples, [(A, fmt, fields)])

    accuracy = measure(truth=truth, result=result, array=array)

    expected = np.corrcoef([1, 2, 1], [0.75, 1.75, 0])[0, 1] ** 2
    assert accuracy.total.r2 == pytest.approx(expected)


def test_measure_compares_only_samples_that_both_name(tmp_path: Path, array: Path) -> None:
    truth = write_vcf(tmp_path / "truth.vcf", ["a", "b", "c"], [(A, "GT", ["0|0", "0|1", "1|1"])])
    result = write_vcf(tmp_path / "result.vcf", ["z", "c", "a"], [(A, "DS", ["2", "2", "0"])])

    accuracy = measure(truth=truth, result=result, array=array)

    assert accuracy.samples == 2
    assert accuracy.total.r2 == pytest.approx(1)


def test_measure_leaves_multiallelic_records_out(tmp_path: Path, array: Path) -> None:
    records = [(A, "GT", ["0|0", "0|1"]), ((200, "A", "C,G"), "GT", ["1|2", "0|0"])]
    truth = write_vcf(tmp_path / "truth.vcf", ["a", "b"], records)

    assert measure(truth=truth, result=truth, array=array).total.sites == 1


def test_measure_refuses_files_without_common_samples(tmp_path: Path, array: Path) -> None:
    truth = write_vcf(tmp_path / "truth.vcf", ["a"], [(A, "GT", ["0|1"])])
    result = write_vcf(tmp_path / "result.vcf", ["b"], [(A, "DS", ["1"])])

    with pytest.raises(FilesDiffer, match=r"truth\.vcf and result\.vcf have no sample in common"):
        measure(truth=truth, result=result, array=array)


def test_measure_refuses_another_chromosome(tmp_path: Path, array: Path) -> None:
    truth = write_vcf(tmp_path / "truth.vcf", ["a"], [(A, "GT", ["0|1"])])
    result = write_vcf(tmp_path / "result.vcf", ["a"], [(A, "DS", ["1"])], chromosome="21")

    with pytest.raises(FilesDiffer, match=r"result\.vcf is of chromosome 21, truth\.vcf of 20"):
        measure(truth=truth, result=result, array=array)


@pytest.mark.parametrize("unsorted", ["truth", "result"])
def test_measure_refuses_unsorted_files(tmp_path: Path, array: Path, unsorted: str) -> None:
    rows = [(A, "GT", ["0|1"]), (D, "GT", ["1|1"])]
    files = {
        name: write_vcf(tmp_path / f"{name}.vcf", ["a"], rows[::-1] if name == unsorted else rows)
        for name in ("truth", "result")
    }

    with pytest.raises(FilesDiffer, match=rf"{unsorted}\.vcf is not sorted at position 100"):
        measure(truth=files["truth"], result=files["result"], array=array)


def test_measure_raises_when_a_file_is_missing(tmp_path: Path, array: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere\.vcf"):
        measure(truth=tmp_path / "nowhere.vcf", result=array, array=array)
