"""Templates and stored files for tests, made through the API as people make them."""

import json
from typing import Any

from django.test import Client

from federated_imputation.monolith.registry.models import ReferencePanel
from tests.factories import make_panel, make_service, make_user
from tests.genotype_files import study, vcf

__all__ = [
    "client_of",
    "new_panel",
    "put_file",
    "put_template",
    "send",
    "somebody",
    "template_of",
]


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def new_panel(name: str = "AFR node", **fields: Any) -> ReferencePanel:
    return make_panel(make_service(name, api_key_required=False), **fields)


def put_file(client: Client, name: str = "study.vcf.gz", content: bytes | None = None) -> str:
    """The id of a genotype file that is now stored; a .vcf holds what no service reads."""
    if content is None and name.endswith(".vcf"):
        content = vcf()
    sent = study(name) if content is None else study(name, content)
    answer = client.post("/api/files/", {"file": sent})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def template_of(panel: ReferencePanel, **fields: Any) -> dict[str, Any]:
    settings = {"name": "Settings", "service": panel.service_id, "reference_panel": panel.pk}
    return {**settings, **fields}


def put_template(client: Client, panel: ReferencePanel, **fields: Any) -> str:
    answer = send(client, "/api/templates/", template_of(panel, **fields))
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def send(client: Client, path: str, body: Any = None, *, method: str = "POST") -> Any:
    return client.generic(method, path, json.dumps(body or {}), content_type="application/json")


def somebody(username: str = "bob", **fields: Any) -> Client:
    return client_of(make_user(username, **fields))
