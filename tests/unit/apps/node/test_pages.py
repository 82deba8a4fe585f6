"""The node's page for people."""

import shutil

import pytest
from django.test import Client
from django.utils import timezone

from apps.node import queries, workspaces
from apps.node.operations.jobs import set_maintenance
from apps.node.pages import engines
from apps.node.pipeline.panels import retire_panel

pytestmark = pytest.mark.django_db


def page() -> str:
    answer = Client().get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_page_shows_panels_queue_and_maintenance(amina, panels):
    amina.submitted()
    text = page()
    assert "Kit AFR (SIMULATED)" in text
    assert '<span class="label">SIMULATED</span>' in text
    assert "apps@kit-afr@1.0.0" in text
    assert "Jobs waiting: <strong>1</strong> · running: <strong>0</strong> of 1" in text
    assert "maintenance" not in text
    assert "<script" not in text
    assert "amina" not in text
    set_maintenance(on=True)
    assert "Under maintenance" in page()


def test_page_of_an_empty_node_says_what_to_do():
    assert "node panel add" in page()


def test_page_leaves_out_retired_panels(kit_panels):
    shutil.copytree(kit_panels, workspaces.panels_root())
    retire_panel(queries.panels()[0], now=timezone.now())
    assert "kit-afr" not in page()


def test_page_shows_the_limits_in_force(settings):
    settings.NODE_MIN_SAMPLES = 7
    settings.NODE_MAX_SAMPLES = 12_345
    settings.NODE_UPLOAD_LIMIT_MB = 6000
    text = page()
    for shown in ("7 to 12,345", "6,000 MB", "Days until results are deleted"):
        assert shown in text


@pytest.mark.parametrize(
    ("engine", "installed", "expected"),
    [
        ("auto", {"minimac4", "eagle", "beagle"}, ("minimac4", ["Eagle", "Beagle"])),
        ("auto", {"beagle"}, ("numpy Li-Stephens", ["Beagle"])),
        ("numpy", {"minimac4"}, ("numpy Li-Stephens", [])),
    ],
)
def test_page_names_the_engines_that_are_installed(settings, engine, installed, expected):
    settings.NODE_ENGINE = engine

    def find(program: str) -> str | None:
        return f"/usr/bin/{program}" if program in installed else None

    assert engines(find, find) == expected


def test_page_escapes_what_the_operator_typed(db, settings):
    settings.NODE_TITLE = "<script>alert(1)</script>"
    text = page()
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_broken_panel_is_told_without_its_path(amina):
    folder = workspaces.panels_root() / "broken@1.0.0"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    text = page()
    assert "cannot be read" in text
    assert str(folder) not in text
    answer = amina.get("/api/v2/server/apps/imputationserver2")
    assert answer.status_code == 500
    assert answer.json() == {
        "message": "A reference panel of this server cannot be read.",
        "success": False,
    }


def test_health_is_answered(db):
    assert Client().get("/healthz").status_code == 200
