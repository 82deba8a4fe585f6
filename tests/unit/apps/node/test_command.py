"""`manage.py node …`."""

import gzip
import io
import json
import shutil
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.node import queries, workspaces
from apps.node.example import ARRAY, MAP, REFERENCE
from apps.node.kit_panels import KIT
from apps.node.models import User
from apps.node.operations.accounts import create_api_token
from apps.node.panel_building import build_real
from apps.node.pipeline.genetic_map import read_map
from apps.node.pipeline.panel_index import panel_sites
from apps.node.specification import CannotRun, specify
from tests.unit.apps.node.conftest import Account
from tests.unit.apps.node.pipeline.conftest import write_vcf

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("node", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "credentials" / "node.json"


def seed(file: Path, url: str = "http://127.0.0.1:8030") -> dict[str, str]:
    run("seed", "--kit", "AFR", "--credentials", str(file), "--url", url)
    credentials: dict[str, str] = json.loads(file.read_text())
    return credentials


def test_seed_makes_panel_user_and_token(panels, file):
    credentials = seed(file)
    assert set(credentials) == {"name", "title", "url", "token", "username"}
    assert (credentials["name"], credentials["username"]) == ("node-afr", "platform")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    user, claims = queries.get_token_owner(credentials["token"], now=timezone.now())
    assert user.username == "platform"
    assert claims.expires_at > timezone.now() + timedelta(days=364)
    [panel] = queries.panels()
    assert (panel.key, panel.simulated) == ("apps@kit-afr@1.0.0", True)
    account = Account(user=user, api_token=credentials["token"], session_token="")
    assert account.submit(refpanel="kit-afr").status_code == 200


def test_seed_again_changes_nothing_while_the_token_is_valid(panels, file):
    first = seed(file)
    content = file.stat().st_mtime_ns
    assert seed(file) == first
    assert file.stat().st_mtime_ns == content
    assert seed(file, "http://127.0.0.1:9030") == {**first, "url": "http://127.0.0.1:9030"}
    assert User.objects.count() == 1


@pytest.mark.parametrize("spoil", ["replace", "garbage", "remove"])
def test_seed_again_makes_a_new_token_when_the_old_one_is_worthless(panels, file, spoil):
    first = seed(file)
    if spoil == "replace":
        user = User.objects.get()
        create_api_token(user=user, life=timedelta(days=1), now=timezone.now())
    elif spoil == "garbage":
        file.write_text("{")
    else:
        file.unlink()
    second = seed(file)
    assert second["token"] != first["token"]
    assert queries.get_token_owner(second["token"], now=timezone.now())


def test_panels_are_added_and_listed():
    said = run(
        *("panel", "add", "--id", "small", "--panel-version", "1.0.0", "--name", "Small"),
        *("--build", "hg38", "--population", "afr:AFR:120", "--simulated"),
        *("--genotypes", f"20={KIT / 'panel_AFR.vcf.gz'}"),
        *("--map", f"20={KIT / 'chr20.40-43Mb.map.gz'}"),
    )
    assert "apps@small@1.0.0" in said
    assert "SIMULATED" in run("panel", "list")
    [panel] = json.loads(run("panel", "list", "--json"))["panels"]
    assert (panel["samples"], panel["populations"]) == (120, ["afr", "off"])


def test_a_panel_is_told_in_json(panels):
    seeded = json.loads(run("panel", "list", "--json"))["panels"]
    assert [panel["key"] for panel in seeded] == ["apps@kit-afr@1.0.0"]
    made = json.loads(
        run(
            *("panel", "add", "--json", "--id", "small", "--panel-version", "1.0.0"),
            *("--name", "Small", "--build", "hg38"),
            *("--genotypes", f"20={KIT / 'panel_AFR.vcf.gz'}"),
        )
    )
    assert made["key"] == "apps@small@1.0.0"
    assert (made["chromosomes"], made["retired_at"], made["jobs"]) == (["20"], None, 0)
    sites = Path(made["folder"]) / "cache" / "chr20.sites-1" / "20.vcf.gz"
    assert sites.is_file()  # made with the panel, not while a client waits
    shutil.rmtree(made["folder"])


@pytest.fixture
def own_panels(kit_panels):
    """The panel of the kit, in a folder of this test."""
    shutil.copytree(kit_panels, workspaces.panels_root())


def test_a_retired_panel_takes_no_new_job_and_those_that_have_it_keep_it(own_panels, amina):
    key = "apps@kit-afr@1.0.0"
    before = amina.submitted(refpanel="kit-afr")
    folder = queries.panels()[0].folder

    said = run("panel", "retire", key)

    assert "is offered no more" in said
    assert "1 job(s) still need it" in said
    assert "retired" in run("panel", "list")
    assert queries.panels() == []
    schema = amina.get("/api/v2/server/apps/imputationserver2").content.decode()
    assert key not in schema
    assert amina.get(f"/api/v2/panels/{key}/sites").status_code == 404
    assert specify(before)["panel_dir"] == str(folder.resolve())
    after = amina.submitted(refpanel=key)
    with pytest.raises(CannotRun, match="not found"):
        specify(after)
    for job in (before, after):
        amina.get(f"/api/v2/jobs/{job.pk}/cancel")
    told = json.loads(run("panel", "retire", key, "--json"))
    assert (told["jobs"], told["retired_at"] is None) == (0, False)


def test_adding_a_retired_panel_again_offers_it(own_panels):
    words = ["panel", "add", "--id", "small", "--panel-version", "1.0.0", "--name", "Small"]
    words += ["--build", "hg38", "--genotypes", f"20={KIT / 'panel_AFR.vcf.gz'}"]
    run(*words)
    run("panel", "retire", "apps@small@1.0.0")
    run(*words)
    assert [panel.id for panel in queries.panels()] == ["kit-afr", "small"]


def test_retiring_nothing_is_refused():
    with pytest.raises(CommandError, match="There is no panel apps@x@1"):
        run("panel", "retire", "apps@x@1")


def test_a_simulated_panel_is_built_and_says_so():
    words = ["panel", "build", "--simulate", "--samples", "20", "--length", "50000"]
    said = run(*words, "--population", "EUR", "--chromosome", "21")
    assert "apps@simulated-eur@1.0.0 is there: 20 samples" in said
    [panel] = queries.panels()
    assert (panel.simulated, panel.names, panel.build) == (True, ("21",), "hg38")
    assert "SIMULATED" in queries.shown_name(panel)
    sites = list(panel_sites(panel, "21"))
    assert len(sites) > 20
    assert all(40_000_000 <= site.position < 40_050_000 for site in sites)
    map_file = panel.chromosomes["21"].map
    assert map_file is not None
    assert read_map(map_file)[0].tolist() == [40_000_000, 40_049_999]
    again = run(*words, "--population", "EUR", "--chromosome", "21")
    assert again == said


def test_simulating_without_msprime_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "msprime", None)
    with pytest.raises(CommandError, match="pip install msprime"):
        run("panel", "build", "--simulate")
    assert queries.panels() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--chromosome", "X"], "is not 1 to 22"),
        (["--samples", "1"], "from 2 to 100,000"),
        (["--start", "64000000"], "within 1 to 64,444,167"),
        (["--seed", "0"], "seed"),
    ],
)
def test_an_impossible_simulation_is_refused(words, said):
    with pytest.raises(CommandError, match=said):
        run("panel", "build", "--simulate", *words)


def test_a_real_panel_is_built_of_the_package(tmp_path):
    samples = [f"HG{number:05d}" for number in range(300)]

    def fetch(into: Path) -> None:
        row = ("20", 1_000_000, "A", "G", "PASS", ["0|1"] * 300)
        write_vcf(into / REFERENCE, [row], samples=samples)
        (into / ARRAY).write_bytes(b"")
        (into / MAP).write_bytes(gzip.compress(b"pos\tchr\tcM\n1\t20\t0\n63000000\t20\t108\n"))

    said: list[str] = []
    panel = build_real(
        tmp_path / "panels",
        id="1000g-eur",
        version="1.0.0",
        say=said.append,
        installed=tmp_path / "not-installed",
        fetch=fetch,
    )
    assert (panel.samples, panel.simulated, panel.build) == (300, False, "hg19")
    assert "Debian's shapeit4-example" in said[0]


def test_a_panel_that_cannot_be_written_is_told_with_its_place(tmp_path):
    workspaces.panels_root().parent.mkdir(parents=True, exist_ok=True)
    workspaces.panels_root().write_text("not a folder")
    with pytest.raises(CommandError, match="panels"):
        run("panel", "build", "--simulate", "--samples", "2", "--length", "10000")


@pytest.mark.parametrize(
    "wrong", [["--population", "afr"], ["--genotypes", "20"], ["--genotypes", "20=/no/such.vcf"]]
)
def test_a_panel_from_nothing_is_refused(wrong):
    words = ["panel", "add", "--id", "x", "--panel-version", "1.0.0", "--name", "X"]
    words += ["--build", "hg38", "--genotypes", f"20={KIT / 'panel_AFR.vcf.gz'}", *wrong]
    with pytest.raises(CommandError):
        run(*words)
    assert queries.panels() == []


def test_a_user_is_added_and_gets_a_token(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("A-Password-1\n"))
    run("user", "add", "amina", "--full-name", "Amina Diallo", "--admin")
    assert User.objects.get().is_admin
    token = run("token", "amina", "--days", "2").strip()
    user, claims = queries.get_token_owner(token, now=timezone.now())
    assert user.full_name == "Amina Diallo"
    assert timedelta(days=1) < claims.expires_at - timezone.now() <= timedelta(days=2)
    monkeypatch.setattr("sys.stdin", io.StringIO("A-Password-1\n"))
    with pytest.raises(CommandError, match="already"):
        run("user", "add", "amina")


def test_a_user_needs_a_password_and_a_token_a_user(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(CommandError, match="password"):
        run("user", "add", "amina")
    with pytest.raises(CommandError, match="no user"):
        run("token", "amina")


def test_maintenance_is_switched():
    assert "refused" in run("maintenance", "on")
    assert queries.in_maintenance()
    assert "accepted" in run("maintenance", "off")
    assert not queries.in_maintenance()
