import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.genotypes.calls import ABSENT, MISSING, CallsError, format_calls, parse_calls

GENOTYPES = {
    "0|0": (0, 0),
    "0/1": (0, 1),
    "1|0": (1, 0),
    ".|1": (MISSING, 1),
    "./.": (MISSING, MISSING),
    ".": (MISSING, MISSING),
    "1": (1, ABSENT),
    "10|2": (10, 2),
}


@given(
    st.lists(st.sampled_from(sorted(GENOTYPES)), min_size=1),
    st.sampled_from(["", ":7", ":7:0|1"]),
)
def test_genotypes_are_parsed_whatever_stands_beside_them(names, rest):
    form = b"GT" if not rest else b"GT:DP:OTHER"
    calls = "\t".join(name + rest for name in names).encode()
    assert parse_calls(form, calls, len(names)).tolist() == [list(GENOTYPES[n]) for n in names]


@given(st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 9)), min_size=1), st.booleans())
def test_written_genotypes_are_read_back(pairs, phased):
    calls = np.array(pairs, np.int8)
    text = format_calls(calls, phased=phased)
    assert (b"|" in text, b"/" in text) == (phased, not phased)
    assert parse_calls(b"GT", text, len(pairs)).tolist() == calls.tolist()


@pytest.mark.parametrize(
    "calls", [b"0|1", b"0|1\t0|x", b"0|1\t0-1", b"0|1\t", b"0|1\t0|1\t0|1", b"0|1\t0|1|1", b"\t"]
)
def test_what_is_no_genotype_is_refused(calls):
    with pytest.raises(CallsError):
        parse_calls(b"GT", calls, 2)
