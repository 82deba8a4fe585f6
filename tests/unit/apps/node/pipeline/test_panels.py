import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyvcf2 import VCF

from apps.genotypes.bgzf import check_end
from apps.genotypes.rules import PanelRules
from apps.node.pipeline.panel_index import open_index, panel_sites
from apps.node.pipeline.panels import (
    PanelError,
    Population,
    offer_again,
    read_panels,
    retire_panel,
    write_panel,
)

KIT = Path("apps/node/kit")


def vcf(path, *records, samples=("a", "b", "c"), length=None):
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
    contig = "##contig=<ID=chr20>" if length is None else f"##contig=<ID=chr20,length={length}>"
    lines = ["##fileformat=VCFv4.2", contig, "\t".join(columns), *records]
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


def site(position, *calls, ref="A", alt="C", chromosome="chr20"):
    return "\t".join([chromosome, str(position), ".", ref, alt, ".", ".", ".", "GT", *calls])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([site(5, "0|1", "0|0", "0|0")] * 2, "line 5 is the same site as a line before"),
        ([site(5, "0|1", "0|0", "0|0", alt="C,G")], "line 4 is multiallelic; run bcftools norm"),
        ([site(5, "0|1", "0|0", "0|0", alt="<DEL>")], "line 4 has alleles that are not"),
        ([site(5, "0|1", "0|0", "0|0", alt="A")], "line 4 has alleles that are not"),
        ([site(5, "0|2", "0|0", "0|0")], "line 4 has an allele other than 0 and 1"),
        ([site(5, "0|1|0", "0|0", "0|0")], "line 4 has a genotype that is none"),
        ([site(5, "1", "0|0", "0|0")], "line 4 has a haploid genotype, which 20 must not have"),
        ([site(64_444_168, "0|1", "0|0", "0|0")], "line 4 is beyond the end of the chromosome"),
        ([site(5, "0|0", "0|0", "0|0")], "has no site where a chosen sample carries an ALT"),
    ],
)
def test_odd_record_is_refused_with_its_line(tmp_path, lines, said):
    source = vcf(tmp_path / "in.vcf.gz", *lines)
    with pytest.raises(PanelError, match=said) as raised:
        write(tmp_path / "panels", source)
    assert raised.value.path == source
    assert list((tmp_path / "panels").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "../p"}, "is not a word of letters"),
        ({"version": "1@0"}, "is not a word of letters"),
        ({"build": "hg17"}, "unknown build"),
        ({"build": "hg19"}, "contig lengths of hg38, the panel's build is hg19"),
        ({"genotypes": {}}, "at least one chromosome"),
        ({"genotypes": {"MT": Path("in.vcf.gz")}}, "only 1 to 22 and X"),
        ({"maps": {"21": Path("map.gz")}}, "a map of chromosome 21, but no genotypes"),
        ({"populations": []}, "need ids"),
        ({"populations": [Population(id="afr", name="A", samples=4)]}, "fewer than the 4"),
    ],
)
def test_impossible_choice_is_refused(tmp_path, change, said):
    source = vcf(tmp_path / "in.vcf.gz", record(5, "0|1", "0|0", "0|0"), length=64_444_167)
    with pytest.raises(PanelError, match=said):
        write(tmp_path / "panels", source, **change)


def test_chromosomes_of_other_samples_are_refused(tmp_path, source):
    other = vcf(
        tmp_path / "other.vcf.gz",
        site(5, "0|1", "0|0", chromosome="chr21"),
        samples=("a", "b"),
    )
    with pytest.raises(
        PanelError, match=r"has other samples \(2\) than in\.vcf\.gz \(3\)"
    ) as raised:
        write(tmp_path / "panels", source, genotypes={"20": source, "21": other})
    assert raised.value.path == other


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["POS\tCHR\tCM"], "does not start with the columns"),
        (["pos\tchr\tcM"], "has no line but its header"),
        (["pos\tchr\tcM", "5\t21\t0.1"], "line 2 is not a position"),
        (["pos\tchr\tcM", "5\t20\tnan"], "line 2 is not a position"),
        (["pos\tchr\tcM", "5\t20\t0.2", "9\t20\t0.1"], "line 3 does not rise"),
    ],
)
def test_bad_map_is_refused_with_its_line(tmp_path, source, lines, said):
    map_file = tmp_path / "map.gz"
    map_file.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    with pytest.raises(PanelError, match=said) as raised:
        write(tmp_path / "panels", source, maps={"20": map_file})
    assert raised.value.path == map_file


def test_chromosome_x_becomes_its_regions(tmp_path):
    def on_x(position, *calls):
        return site(position, *calls, chromosome="chrX")

    source = vcf(
        tmp_path / "x.vcf.gz",
        on_x(2_781_478, "0|1", "0|0", "0|0"),
        on_x(2_781_479, "0", "1|0", "1"),
        on_x(155_701_383, "1", "1|0", "1"),
        on_x(155_701_384, "0|0", "0|0", "1|0"),
    )
    panel = write(tmp_path / "panels", source, genotypes={"X": source})
    assert panel.names == ("X",)
    assert {name: (c.sites, c.haplotypes) for name, c in panel.chromosomes.items()} == {
        "X.PAR1": (1, 6),
        "X.nonPAR": (2, 4),
        "X.PAR2": (1, 6),
    }
    index = open_index(panel, "X.nonPAR")
    assert index.alleles(range(2)).tolist() == [[0, 1, 0, 1], [1, 1, 0, 1]]
    assert [site.frequency for site in panel_sites(panel, "X.nonPAR")] == [0.5, 0.75]
    assert list(panel_sites(panel, "21")) == []


def test_changing_ploidy_of_a_panel_is_refused(tmp_path):
    source = vcf(
        tmp_path / "x.vcf.gz",
        *(
            site(p, call, "0|1", "1", chromosome="X")
            for p, call in ((5_000_000, "1"), (5_000_001, "1|0"))
        ),
    )
    with pytest.raises(PanelError, match="line 5 has another ploidy of sample a than"):
        write(tmp_path / "panels", source, genotypes={"X": source}, build="hg19")


KILLED_AT_THE_END = """
import os, sys
from pathlib import Path
from apps.node.pipeline.panels import Population, write_panel, writing
writing.sync_tree = lambda folder: os.kill(os.getpid(), 9)
write_panel(Path(sys.argv[1]), id="p", version="1.0.0", name="P", build="hg38",
    populations=[Population(id="off", name="Skip", samples=-1)],
    genotypes={"20": Path(sys.argv[2])}, maps={}, simulated=True)
"""


def test_killed_writer_leaves_nothing_that_counts_and_the_next_one_sweeps(tmp_path, source):
    root = tmp_path / "panels"
    command = [sys.executable, "-c", KILLED_AT_THE_END, str(root), str(source)]
    assert subprocess.run(command, check=False).returncode == -9
    assert len(list(root.glob(".p@*/manifest.json"))) == 1
    assert read_panels(root) == []
    panel = write(root, source)
    assert read_panels(root) == [panel]
    assert [path.name for path in root.iterdir()] == ["p@1.0.0"]


def test_retired_panel_is_left_out_where_only_offered_ones_are_asked_for(tmp_path, source):
    root = tmp_path / "panels"
    panel = write(root, source)
    first = datetime(2026, 1, 2, tzinfo=UTC)
    retired = retire_panel(panel, now=first)
    assert retire_panel(retired, now=first + timedelta(days=1)).retired_at == first
    assert read_panels(root) == [retired]
    panel.chromosomes["20"].genotypes.unlink()  # nor is it looked at
    assert read_panels(root, retired=False) == []


def test_retired_panel_can_be_offered_again(tmp_path, source):
    panel = write(tmp_path / "panels", source)
    retired = retire_panel(panel, now=datetime(2026, 1, 2, tzinfo=UTC))
    assert offer_again(retired) == panel
    assert read_panels(tmp_path / "panels", retired=False) == [panel]
