"""`manage.py node …`."""

import io
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.node import queries
from apps.node.kit_panels import KIT
from apps.node.models import User
from apps.node.operations.accounts import create_api_token
from tests.unit.apps.node.conftest import Account

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
