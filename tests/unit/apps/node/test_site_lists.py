"""The site lists of panels: an extension that says what a panel knows, and nothing about people."""

import gzip
import hashlib
from pathlib import Path
from urllib.parse import quote

import pytest
from django.test import Client

from apps.genotypes.bgzf import check_end
from apps.node import workspaces
from apps.node.kit_panels import KIT
from apps.node.pipeline.panels import Population, write_panel

pytestmark = pytest.mark.django_db
KEY = "apps@kit-afr@1.0.0"
LIST = f"/api/v2/panels/{quote(KEY)}/sites"


def fetched(amina, download, path: str, **headers: str):
    return download(path, headers={"X-Auth-Token": amina.api_token, **headers})


def lines_of(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def test_the_list_names_each_chromosome_with_what_its_file_is(amina, panels, download):
    listed = amina.get(LIST).json()
    assert (listed["panel"], listed["build"]) == (KEY, "hg38")
    (entry,) = listed["chromosomes"]
    file = fetched(amina, download, f"{LIST}/{entry['name']}.vcf.gz")
    assert file.status == 200
    assert entry == {
        "name": "20",
        "size": len(file.content),
        "sha256": hashlib.sha256(file.content).hexdigest(),
    }
    assert file.headers["ETag"] == f'"{entry["sha256"]}"'


def test_a_site_list_has_the_panels_sites_and_counts_and_no_sample(
    amina, panels, download, tmp_path
):
    content = fetched(amina, download, f"{LIST}/20.vcf.gz").content
    (tmp_path / "sites.vcf.gz").write_bytes(content)
    check_end(tmp_path / "sites.vcf.gz")
    lines = gzip.decompress(content).decode().splitlines()
    assert "##simulated=yes" in lines
    header, *records = [line for line in lines if not line.startswith("##")]
    assert header == "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    genotypes = lines_of(panels / "kit-afr@1.0.0" / "chr20.vcf.gz")
    expected = [line.split("\t") for line in genotypes if not line.startswith("#")]
    assert len(records) == len(expected)
    for record, known in zip(records, expected, strict=True):
        fields = record.split("\t")
        assert fields[:5] == known[:5]
        count = "".join(known[9:]).count("1")
        info = dict(part.split("=") for part in fields[7].split(";"))
        assert (int(info["AC"]), int(info["AN"])) == (count, 240)
        assert float(info["AF"]) == pytest.approx(count / 240, rel=1e-5)


def test_a_site_list_that_the_client_has_is_not_sent_again(amina, panels, download):
    etag = fetched(amina, download, f"{LIST}/20.vcf.gz").headers["ETag"]
    again = fetched(amina, download, f"{LIST}/20.vcf.gz", **{"If-None-Match": etag})
    assert (again.status, again.content) == (304, b"")


def test_a_bare_id_means_the_newest_version(amina, panels):
    assert amina.get("/api/v2/panels/kit-afr/sites").json()["panel"] == KEY


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/v2/panels/apps@none@1.0.0/sites", "Reference panel 'apps@none@1.0.0' not found."),
        (f"{LIST}/21.vcf.gz", f"Reference panel '{KEY}' has no chromosome '21'."),
        (f"{LIST}/...vcf.gz", f"Reference panel '{KEY}' has no chromosome '..'."),
    ],
)
def test_an_unknown_panel_or_chromosome_is_404(amina, panels, path, message):
    answer = amina.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"message": message, "success": False}


def test_a_site_list_needs_a_token(panels):
    assert Client().get(LIST).status_code == 401
    assert Client().get(f"{LIST}/20.vcf.gz").status_code == 401


def test_chromosomes_come_in_the_order_of_the_genome(amina):
    source = "\n".join(lines_of(KIT / "panel_AFR.vcf.gz")[:60]) + "\n"
    genotypes = {}
    for name in ("20", "3", "11"):
        path = workspaces.panels_root().parent / f"{name}.vcf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.replace("chr20", f"chr{name}"))
        genotypes[name] = path
    write_panel(
        workspaces.panels_root(),
        id="three",
        version="1.0.0",
        name="Three",
        build="hg38",
        populations=[Population(id="off", name="Skip", samples=-1)],
        genotypes=genotypes,
        maps={},
        simulated=True,
    )
    listed = amina.get("/api/v2/panels/three/sites").json()
    assert [each["name"] for each in listed["chromosomes"]] == ["3", "11", "20"]
