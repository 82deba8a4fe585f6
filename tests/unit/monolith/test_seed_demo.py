"""`manage.py seed demo`, as the platform runs it, against a node that answers over HTTP."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from tests.factories import NOW

pytestmark = pytest.mark.django_db
ANSWERS = {
    "/api/v2/server": {"maintenance": False, "maintenaceMessage": ""},
    "/api/v2/server/apps/imputationserver2": {
        "id": "imputationserver2",
        "version": "2.1.0",
        "params": [
            {
                "id": "refpanel",
                "type": "list",
                "values": [{"key": "apps@kit-afr@1.0.0", "value": "Kit AFR (hg38)"}],
            },
            {
                "id": "population",
                "type": "list",
                "values": [{"key": "afr", "value": "AFR"}, {"key": "off", "value": "Skip"}],
            },
        ],
    },
}


class _Node(ThreadingHTTPServer):
    token = "node-token"


class _Handler(BaseHTTPRequestHandler):
    server: _Node

    def do_GET(self):
        known = self.headers["X-Auth-Token"] == self.server.token
        body = json.dumps(ANSWERS.get(self.path) if known else {}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing to the terminal."""


@pytest.fixture
def node(settings):
    with _Node(("127.0.0.1", 0), _Handler) as server:
        settings.GUARDED_HTTP_ALLOW = [f"127.0.0.1:{server.server_port}"]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def file(tmp_path, node):
    path = tmp_path / "node-afr.json"
    path.write_text(
        json.dumps(
            {
                "name": "node-afr",
                "title": "AFR node",
                "url": f"http://127.0.0.1:{node.server_port}",
                "username": "monolith",
                "token": "node-token",
            }
        )
    )
    return path


@pytest.fixture
def seed(file, tmp_path):
    call_command("seed", "legacy", "--admin-password-file", str(tmp_path / "p"), stdout=StringIO())

    def run():
        said = StringIO()
        call_command("seed", "demo", "--node", str(file), stdout=said)
        return said.getvalue()

    return run


def edit(file, **values):
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_seed_registers_the_node_with_its_token_and_panels(seed, node):
    said = seed()
    service = ImputationService.objects.get(pk=6)
    assert (service.name, service.service_type, service.api_type) == (
        "AFR node",
        "michigan",
        "michigan",
    )
    assert service.api_url == f"http://127.0.0.1:{node.server_port}"
    assert service.supported_formats == ["vcf.gz"]
    assert service.api_config["application"] == "imputationserver2"
    assert (service.continent, service.location, service.api_key) == ("", "", "")
    assert reveal_credential(service_id=6, now=NOW) == "node-token"
    panel = ReferencePanel.objects.get(service=service)
    assert (panel.pk, panel.panel_id, panel.populations) == (
        15,
        "apps@kit-afr@1.0.0",
        ["afr", "off"],
    )
    assert "1 panels added" in said
    assert "node-token" not in said


def test_seed_changes_nothing_when_repeated(seed):
    seed()
    before = list(ImputationService.objects.order_by("id").values())
    seed()
    assert list(ImputationService.objects.order_by("id").values()) == before
    assert ReferencePanel.objects.count() == 15


def test_seed_follows_a_new_address_and_token_and_keeps_an_edited_name(seed, node, file):
    seed()
    ImputationService.objects.filter(pk=6).update(name="Ours", api_url="http://127.0.0.1:1")
    node.token = "second"
    edit(file, token="second", title="Another title")
    seed()
    service = ImputationService.objects.get(pk=6)
    assert (service.name, service.api_url) == ("Ours", f"http://127.0.0.1:{node.server_port}")
    assert reveal_credential(service_id=6, now=NOW) == "second"
    assert ImputationService.objects.count() == 6


def test_seed_fails_in_plain_words_when_the_node_refuses(seed, file):
    edit(file, token="wrong")
    with pytest.raises(CommandError) as error:
        seed()
    assert "wrong" not in str(error.value)


def test_seed_refuses_a_database_that_is_not_ours(file):
    with pytest.raises(CommandError, match="seed legacy"):
        call_command("seed", "demo", "--node", str(file))
    assert not ImputationService.objects.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"name": "node-afr"}', '{"token": 5}'])
def test_seed_refuses_a_file_that_describes_no_node(seed, file, content):
    file.write_text(content)
    with pytest.raises(CommandError, match="does not describe a node"):
        seed()
    file.unlink()
    with pytest.raises(CommandError, match="does not describe a node"):
        seed()
