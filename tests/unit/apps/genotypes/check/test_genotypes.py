"""Genotypes are read by the thousand; each must be what it is when it is read alone."""

from itertools import product

import numpy as np
import pytest

from apps.genotypes.calls import CallsError, parse_calls
from apps.genotypes.check.cells import read_genotypes
from apps.genotypes.check.lines import Records, TextLines
from tests.unit.apps.genotypes.check.files import bgzf, check, found, row, text

# Letters that mean something, and some that do not.
LETTERS = "012.|/:x-"


def read(lines, samples):
    [cut] = TextLines.cut("".join(f"{line}\n" for line in lines).encode(), first=1)
    records, good = Records.cut(cut, samples)
    assert good.all()
    return read_genotypes(records, samples)


def alone(form, cells):
    """What `parse_calls` makes of a line; None when it has genotypes that are none."""
    try:
        return parse_calls(form.encode(), "\t".join(cells).encode(), len(cells))
    except CallsError:
        return None


@pytest.mark.parametrize(("form", "rest"), [("GT", ""), ("GT:DP", ""), ("GT:DP", ":7")])
@pytest.mark.parametrize("beside", ["./.", "2/0", "1"])
def test_every_cell_of_three_letters_is_read_as_when_it_is_alone(form, rest, beside):
    for letters in product(LETTERS, repeat=3):
        calls = [beside + rest, "".join(letters) + rest]
        expected = alone(form, calls)
        genotypes = read([row(form=form, calls=calls)], 2)
        assert (expected is None) == bool(genotypes.malformed), calls
        if expected is not None:
            got = genotypes.calls(0)
            assert (got == np.where(expected > 1, 1, expected)).all(), calls
            assert genotypes.any_many[0] == (expected > 1).any(), calls
            slash = any("/" in call.partition(":")[0] for call in calls)
            assert genotypes.any_slash[0] == slash, calls


@pytest.mark.parametrize("form", ["GT", "GT:DP"])
def test_lines_of_all_kinds_are_read_beside_each_other(form):
    rest = "" if form == "GT" else ":7"
    kinds = ["0|1", "1/1", "./.", ".|.", ".|1", "2|0", ".", "1", "10|0", "0|x", "0|1|1"]
    lines = [[one + rest, other + rest] for one, other in product(kinds, repeat=2)]
    genotypes = read([row(form=form, calls=calls) for calls in lines], 2)
    for number, calls in enumerate(lines):
        expected = alone(form, calls)
        assert (expected is None) == (number in genotypes.malformed), calls
        if expected is not None:
            assert (genotypes.calls(number) == np.where(expected > 1, 1, expected)).all(), calls


def test_a_tab_in_the_place_of_a_letter_is_a_column_more():
    [cut] = TextLines.cut(f"{row(calls=['0|1', '0|1'])}\n".replace("|", "\t").encode(), first=1)
    _, good = Records.cut(cut, 2)
    assert not good.any()


def test_a_piece_of_very_many_lines_keeps_their_numbers(tmp_path):
    lines = ["", "x"] * 30_000
    lines[50_000] = "\0"
    report = check(bgzf(tmp_path / "file", text(row(), *lines, row(6))))
    assert found(report, "columns")[0].count == 60_000
    assert found(report, "nul")[0].line == 50_000 + 5
    assert report.facts.records == 60_002
    assert report.facts.chromosomes[0].last == 6
