"""The node's page for people."""

import pytest
from django.test import Client

from apps.node import workspaces
from apps.node.operations.jobs import set_maintenance

pytestmark = pytest.mark.django_db


def test_page_shows_panels_queue_and_maintenance(amina, panels):
    amina.submitted()
    answer = Client().get("/")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "Kit AFR (SIMULATED)" in text
    assert '<span class="label">SIMULATED</span>' in text
    assert "Jobs waiting: <strong>1</strong>" in text
    assert "maintenance" not in text
    assert "<script" not in text
    assert "amina" not in text
    set_maintenance(on=True)
    assert "Under maintenance" in Client().get("/").content.decode()


def test_page_escapes_what_the_operator_typed(db, settings):
    settings.NODE_TITLE = "<script>alert(1)</script>"
    text = Client().get("/").content.decode()
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_broken_panel_is_told_without_its_path(amina):
    folder = workspaces.panels_root() / "broken@1.0.0"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    text = Client().get("/").content.decode()
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
