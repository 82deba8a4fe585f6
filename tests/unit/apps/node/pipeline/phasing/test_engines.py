"""Beagle and Eagle themselves, on a part of the kit; each is skipped where it is not installed."""

import gzip

import numpy as np
import pytest
from cyvcf2 import VCF

from apps.genotypes.job_rules import Chunk
from apps.node.pipeline.phasing import Beagle, Eagle, phase_chunk
from apps.node.pipeline.phasing.inputs import read_records
from tests.unit.apps.node.pipeline.conftest import KIT, PASSWORD, names, write_vcf
from tests.unit.apps.node.pipeline.test_run import extract

SITES, SAMPLES = 120, 12


@pytest.fixture(params=[Beagle, Eagle], ids=["beagle", "eagle"])
def engine(request):
    found = request.param.find()
    if found is None:
        pytest.skip(f"{request.param.name} is not installed")
    return found


def kit_records(name):
    """Columns of the first records of a file of the kit, with some of its samples."""
    with gzip.open(KIT / name, "rt") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line[0] != "#"]
    return [[*row[:5], *row[9 : 9 + SAMPLES]] for row in rows[:SITES]]


TRUTH = kit_records("target.phased.vcf.gz")


@pytest.fixture
def study(tmp_path):
    """The kit's study without phase, with gaps, under sample names that the panel has too."""
    generator = np.random.default_rng(3)
    rows = [
        (
            *(row[0], int(row[1]), row[3], row[4], "PASS"),
            ["./." if generator.random() < 0.03 else call for call in row[5:]],
        )
        for row in kit_records("target.unphased.vcf.gz")
    ]
    shared = VCF(str(KIT / "panel_AFR.vcf.gz")).samples[:SAMPLES]
    return write_vcf(tmp_path / "study.vcf.gz", rows, samples=shared)


@pytest.fixture
def phase(kit_panel, study, tmp_path):
    def phase(engine, name, *, threads=1):
        shares: list[float] = []
        phased = phase_chunk(
            Chunk(chromosome="20", number=2, samples=SAMPLES),
            study,
            kit_panel,
            engine,
            before=None,
            margin=500_000,
            threads=threads,
            memory_mb=1024,
            folder=tmp_path / name,
            progress=shares.append,
            log=pytest.fail,
        )
        assert shares == sorted(shares)
        return phased, [(r.position, r.fixed, r.calls) for r in read_records(phased.path)]

    return phase


def switch_errors(found):
    """Share of neighbouring heterozygous pairs whose order differs from the truth's."""
    wrong = total = 0
    truth = np.array([[[int(a) for a in call.split("|")] for call in row[5:]] for row in TRUTH])
    for sample in range(SAMPLES):
        apart = truth[:, sample, 0] != truth[:, sample, 1]
        turned = found[apart, sample, 0] != truth[apart, sample, 0]
        wrong += int((turned[1:] != turned[:-1]).sum())
        total += len(turned) - 1
    return wrong / total


def test_it_phases_the_same_genotypes_at_the_same_sites(engine, phase, study, kit_panel):
    phased, found = phase(engine, "one")
    sent = [(r.position, r.fixed, r.calls) for r in read_records(study)]
    assert [pair[:2] for pair in found] == [pair[:2] for pair in sent]
    panel = {(v.POS, v.REF, v.ALT[0]) for v in VCF(str(KIT / "panel_AFR.vcf.gz"))}
    left = 0
    for (position, fixed, before), (_, _, after) in zip(sent, found, strict=True):
        known = (before >= 0).all(axis=1)
        assert (np.sort(before[known]) == np.sort(after[known])).all()
        ref, alt = fixed.decode().split("\t")[3:5]
        if (position, ref, alt) in panel:
            assert (after >= 0).all()
        else:
            left += 1
    assert 0 < phased.left == left < SITES / 4
    errors = switch_errors(np.array([calls for *_, calls in found]))
    assert errors < 0.12, errors

    again = phase(engine, "two", threads=2)[1]
    assert all((one == other).all() for (*_, one), (*_, other) in zip(found, again, strict=True))


def test_a_map_without_recombination_is_no_trouble(engine, make_panel, tmp_path):
    rows = [
        (row[0], int(row[1]), row[3], row[4], "PASS", row[5:])
        for row in TRUTH[:40]
        if "1" in "".join(row[5:])
    ]
    panel = make_panel({"20": rows}, samples=SAMPLES)
    flat = panel.folder / "flat.map.gz"
    flat.write_bytes(gzip.compress(b"pos chr cM\n1 20 5\n64000000 20 5\n"))
    (entry,) = panel.chromosomes.values()
    object.__setattr__(entry, "map", flat)
    study = write_vcf(tmp_path / "study.vcf.gz", rows, samples=names(SAMPLES))
    phased = phase_chunk(
        Chunk(chromosome="20", number=2, samples=SAMPLES),
        study,
        panel,
        engine,
        before=None,
        margin=500_000,
        threads=1,
        memory_mb=512,
        folder=tmp_path / "flat",
        progress=lambda _: None,
        log=pytest.fail,
    )
    assert phased.left == 0


def test_an_unphased_study_is_imputed(engine, kit_panel, study, run, workspace):
    study.rename(workspace / "input" / "study.vcf.gz")
    outcome = run(kit_panel, phasing=engine.name.lower())
    assert outcome.success, outcome.messages(1)
    assert "<b>Datatype:</b> unphased\n" in outcome.messages(0)[0]
    said = outcome.messages(0)
    assert f"Phasing engine: {engine.name} {engine.version}" in said
    assert any(m.startswith(f"<b>Phasing with {engine.name} (1/1)</b>") for m in said)
    dose = VCF(str(extract(outcome) / "chr20.dose.vcf.gz"))
    assert f"##mis_phasing={engine.name.lower()} {engine.version}\n" in dose.raw_header
    truth = {int(row[1]): [sum(map(int, call.split("|"))) for call in row[5:]] for row in TRUTH}
    typed = [v for v in dose if v.POS in truth and v.INFO.get("TYPED")]
    assert len(typed) > SITES * 0.6
    r = np.corrcoef(
        np.concatenate([v.format("DS")[:, 0] for v in typed]),
        np.concatenate([truth[v.POS] for v in typed]),
    )[0, 1]
    assert r**2 > 0.98
    assert PASSWORD not in dose.raw_header
