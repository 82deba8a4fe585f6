import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from cyvcf2 import VCF

from apps.genotypes.bgzf import check_end
from apps.genotypes.rules import PanelRules
from apps.node.pipeline.panels import PanelError, Population, read_panels, write_panel

KIT = Path("apps/node/kit")


def vcf(path, *records, samples=("a", "b", "c")):
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr20>", "\t".join(columns), *records]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


def record(position, *calls, form="GT"):
    return "\t".join(["chr20", str(position), ".", "A", "C", ".", ".", "X=1", form, *calls])


def write(root, source, **changed):
    arguments: dict[str, Any] = {
        "id": "p",
        "version": "1.0.0",
        "name": "P",
        "build": "hg38",
        "populations": [Population(id="off", name="Skip", samples=-1)],
        "genotypes": {"20": source},
        "maps": {},
        "simulated": True,
    }
    return write_panel(root, **arguments | changed)


@pytest.fixture
def source(tmp_path):
    return vcf(
        tmp_path / "in.vcf.gz",
        record(5, "0|1", "0|0", "1|1"),
        record(9, "0|1:7", "0|0:8", "0|0:9", form="GT:DP"),
        record(10, "0|0", "0|0", "0|1"),
    )


def test_kit_panel_is_written_and_read_back(tmp_path):
    panel = write(
        tmp_path / "panels",
        KIT / "panel_AFR.vcf.gz",
        id="kit-afr",
        maps={"20": KIT / "chr20.40-43Mb.map.gz"},
        rules=PanelRules(strand_flips=7),
    )
    assert read_panels(tmp_path / "panels") == [panel]
    assert (panel.key, panel.samples, panel.sites) == ("apps@kit-afr@1.0.0", 120, 8056)
    assert panel.rules.strand_flips == 7
    chromosome = panel.chromosomes["20"]
    assert gzip.decompress(chromosome.map.read_bytes()).startswith(b"pos\tchr\tcM\n")
    check_end(chromosome.genotypes)
    assert sum(1 for _ in VCF(str(chromosome.genotypes))) == 8056


def test_panel_of_some_samples_keeps_their_order_and_the_sites_they_carry(tmp_path, source):
    panel = write(tmp_path / "panels", source, samples=["b", "a"])
    reader = VCF(str(panel.chromosomes["20"].genotypes))
    assert reader.samples == ["b", "a"]
    assert [(v.POS, v.genotypes) for v in reader] == [
        (5, [[0, 0, True], [0, 1, True]]),
        (9, [[0, 0, True], [0, 1, True]]),
    ]
    assert (panel.samples, panel.sites) == (2, 2)


def test_writing_the_same_panel_again_changes_nothing(tmp_path, source):
    panel = write(tmp_path / "panels", source)
    before = panel.chromosomes["20"].genotypes.stat().st_ino
    assert write(tmp_path / "panels", source) == panel
    assert panel.chromosomes["20"].genotypes.stat().st_ino == before
    assert [path.name for path in (tmp_path / "panels").iterdir()] == ["p@1.0.0"]


def test_other_content_under_the_same_version_is_refused(tmp_path, source):
    write(tmp_path / "panels", source)
    with pytest.raises(PanelError, match="other content"):
        write(tmp_path / "panels", source, samples=["a"])


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (record(9, "0/1", "0|0", "0|0"), "line 5 has unphased"),
        (record(9, ".|1", "0|0", "0|0"), "line 5 has unphased or missing"),
        (record(4, "0|1", "0|0", "0|0"), "line 5 is not in the order"),
        (record("x", "0|1", "0|0", "0|0"), "line 5 is not in the order"),
        (record(9, "0|1", "0|0"), "line 5 has 11 columns, not 12"),
        (record(9, "0|1", "0|0", "0|0", form="DS"), "FORMAT"),
        (record(9, "0|1", "0|0", "0|0").replace("chr20", "chr21"), "not of chromosome 20"),
    ],
)
def test_bad_record_is_refused_and_nothing_is_left(tmp_path, bad, said):
    source = vcf(tmp_path / "in.vcf.gz", record(5, "0|1", "0|0", "0|0"), bad)
    with pytest.raises(PanelError, match=said) as raised:
        write(tmp_path / "panels", source)
    assert raised.value.path == source
    assert list((tmp_path / "panels").iterdir()) == []


def test_cut_input_is_refused(tmp_path, source):
    source.write_bytes(source.read_bytes()[:-12])
    with pytest.raises(PanelError, match="cut or damaged"):
        write(tmp_path / "panels", source)


def test_unknown_sample_is_refused(tmp_path, source):
    with pytest.raises(PanelError, match="no sample z"):
        write(tmp_path / "panels", source, samples=["a", "z"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"build": "hg17"}, "unknown build"),
        ({"samples": "many"}, "broken"),
        ({"populations": None}, "broken"),
        ({"qc": {"overlaps": 1}}, "broken"),
        ({"id": "other"}, "folder is not named so"),
    ],
)
def test_broken_manifest_is_named(tmp_path, source, change, said):
    panel = write(tmp_path / "panels", source)
    path = panel.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PanelError, match=said) as raised:
        read_panels(tmp_path / "panels")
    assert raised.value.path == path


def test_missing_key_and_missing_file_are_named(tmp_path, source):
    panel = write(tmp_path / "panels", source)
    panel.chromosomes["20"].genotypes.unlink()
    with pytest.raises(PanelError, match=r"chr20\.vcf\.gz, which is missing"):
        read_panels(tmp_path / "panels")
    (panel.folder / "manifest.json").write_text("{}")
    with pytest.raises(PanelError, match="has no 'id'"):
        read_panels(tmp_path / "panels")
    (panel.folder / "manifest.json").write_text("{")
    with pytest.raises(PanelError, match="is broken"):
        read_panels(tmp_path / "panels")


def test_missing_root_has_no_panels(tmp_path):
    assert read_panels(tmp_path / "none") == []
