import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.node.pipeline.engines.dosage_text import (
    Cells,
    Ploidy,
    empirical_cells,
    site_info,
    squared_correlation,
    to_thousandths,
)


def women(count):
    return Ploidy(np.zeros(count, bool))


MAN_WOMAN_MAN = Ploidy(np.array([True, False, True]))


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1))
def test_cells_say_what_the_dosages_are(pairs):
    row = Cells().row(np.array(pairs, np.uint16).reshape(-1), women(len(pairs)))
    for cell, (first, second) in zip(row.split(b"\t"), pairs, strict=True):
        genotype, dose, haploid, probabilities = cell.decode().split(":")
        one, other = first / 1000, second / 1000
        assert genotype == f"{int(one > 0.5)}|{int(other > 0.5)}"
        assert float(dose) == pytest.approx(one + other)
        assert [float(h) for h in haploid.split(",")] == [one, other]
        expected = [(1 - one) * (1 - other), one + other - 2 * one * other, one * other]
        assert [float(p) for p in probabilities.split(",")] == pytest.approx(expected, abs=6e-4)


def test_cells_stay_bounded(monkeypatch):
    monkeypatch.setattr(Cells, "_MOST", 10)
    cells = Cells()
    rows = [cells.row(np.array([n, 0], np.uint16), women(1)) for n in range(100)]
    assert len(cells) <= 10
    assert rows[7] == cells.row(np.array([7, 0], np.uint16), women(1))


def test_r2_is_the_variance_over_that_of_known_alleles():
    dosages = np.array([[0, 1000, 0, 1000], [500, 500, 500, 500], [0, 0, 0, 0], [100, 900, 0, 0]])
    r2, texts = site_info(dosages.astype(np.uint16))
    p, x = 0.25, np.array([0.1, 0.9, 0, 0])
    expected = (np.sum(x**2) - np.sum(x) ** 2 / 4) / 4 / (p * (1 - p))
    assert r2 == pytest.approx([1, 0, 0, expected])
    assert texts[0] == b"AF=0.5;MAF=0.5;AVG_CS=1;R2=1"
    assert texts[1].startswith(b"AF=0.5;MAF=0.5;AVG_CS=0.5")


def test_er2_is_the_squared_correlation_over_known_alleles():
    alleles = np.array([0, 1, 1, 0, -1], np.int8)
    dosages = np.array([100, 900, 600, 300, 777], np.uint16)
    expected = np.corrcoef([0, 1, 1, 0], [100, 900, 600, 300])[0, 1] ** 2
    assert squared_correlation(alleles, dosages) == pytest.approx(expected)
    assert squared_correlation(np.zeros(4, np.int8), dosages[:4]) == 0.0
    assert squared_correlation(np.full(4, -1, np.int8), dosages[:4]) == 0.0


def test_empirical_cells_hold_alleles_and_dosages():
    cells = empirical_cells(
        np.array([0, 1, -1, 1], np.int8), np.array([3, 1000, 120, 0], np.uint16), women(2)
    )
    assert cells == b"0|1:0.003,1\t.|1:0.12,0"


def test_thousandths_are_clipped_and_rounded():
    assert to_thousandths(np.array([-0.1, 0.0004, 0.0006, 1.0001])).tolist() == [0, 0, 1, 1000]


def test_men_have_one_of_each():
    assert MAN_WOMAN_MAN.haplotypes == 4
    row = Cells().row(np.array([1000, 0, 501, 250], np.uint16), MAN_WOMAN_MAN)
    assert row == b"1:1:1:0,1\t0|1:0.501:0,0.501:0.499,0.501,0\t0:0.25:0.25:0.75,0.25"
    alleles = np.array([1, 0, -1, -1], np.int8)
    cells = empirical_cells(alleles, np.array([1000, 0, 501, 250], np.uint16), MAN_WOMAN_MAN)
    assert cells == b"1:1\t0|.:0,0.501\t.:0.25"
