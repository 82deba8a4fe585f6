import pytest

from apps.genotypes.phase_accuracy import SwitchErrors, measure_switches
from tests.unit.apps.node.pipeline.conftest import write_vcf


@pytest.fixture
def compare(tmp_path):
    """Compare two files, each given by its sites' genotypes."""

    def compare(truth, phased, *, names=("a", "b"), others=("a", "b")):
        def write(name, sites, samples):
            rows = [("20", at, ref, alt, "PASS", calls.split()) for (at, ref, alt), calls in sites]
            return write_vcf(tmp_path / name, rows, samples=samples)

        return measure_switches(
            truth=write("truth.vcf.gz", truth, names), phased=write("p.vcf.gz", phased, others)
        )

    return compare


def sites(*calls, start=100):
    return [((start + 10 * n, "A", "C"), call) for n, call in enumerate(calls)]


def test_same_phase_and_turned_samples_have_no_switch(compare):
    truth = sites("0|1 0|1", "1|0 0|1", "0|0 1|0", "0|1 1|1")
    turned = sites("0|1 1|0", "1|0 1|0", "0|0 0|1", "0|1 1|1")
    assert compare(truth, truth) == compare(truth, turned) == SwitchErrors(pairs=4, switches=0)


def test_switches_are_counted_between_neighbouring_heterozygous_genotypes(compare):
    truth = sites("0|1 0|1", "0|1 0|1", "0|1 0|0", "0|1 0|1")
    phased = sites("0|1 0|1", "1|0 0|1", "1|0 0|0", "0|1 1|0")
    found = compare(truth, phased)
    assert found == SwitchErrors(pairs=5, switches=3)
    assert found.rate == 0.6


def test_genotypes_and_sites_that_differ_take_no_part(compare):
    truth = sites("0|1 0|1", "0|1 0|1", "0|1 0|1")
    phased = [
        ((90, "A", "C"), "0|1 1|0"),
        ((100, "A", "C"), "0|1 0|1"),
        ((110, "A", "C"), "0|0 .|."),
        ((120, "A", "G"), "1|0 1|0"),
        ((120, "A", "C"), "0|1 0|1"),
    ]
    assert compare(truth, phased) == SwitchErrors(pairs=2, switches=0)


def test_samples_are_matched_by_name(compare):
    truth = sites("0|1 0|1", "0|1 1|0")
    assert compare(truth, sites("0|1 0|1", "1|0 0|1"), others=("b", "a")).switches == 0
    with pytest.raises(ValueError, match="no sample in common"):
        compare(truth, truth, others=("c", "d"))


def test_there_is_no_rate_without_a_pair(compare):
    assert compare(sites("0|1 0|0"), sites("0|1 0|0")).rate is None
