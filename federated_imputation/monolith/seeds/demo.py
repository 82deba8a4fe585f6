"""Registers local imputation nodes as services of the monolith, for the demonstration."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.registry.models import ImputationService
from federated_imputation.monolith.registry.operations import (
    PanelSync,
    SyncUnderWay,
    change_address,
    sync_panels,
)

__all__ = ["BadNodeFile", "Node", "read_node", "register_node"]


class BadNodeFile(ValueError):
    """The file does not describe a node."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} does not describe a node: {why}.")


@dataclass(frozen=True, kw_only=True)
class Node:
    """What a node wrote about itself.

    Attributes:
        name: Of its deployment, `node-afr`: the key by which its service row is found again.
        title: What people read.
        url: Its base address.
        username: Whose token it is, at the node.
        token: That user's API token.
    """

    name: str
    title: str
    url: str
    username: str
    token: str = field(repr=False)


def read_node(path: Path) -> Node:
    """The node that the JSON file describes.

    Raises:
        BadNodeFile: It cannot be read or lacks something.
    """
    names = ("name", "title", "url", "username", "token")
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise BadNodeFile(path, error.strerror or "it cannot be read") from None
    except ValueError:
        raise BadNodeFile(path, "it is not JSON") from None
    if not isinstance(content, dict):
        raise BadNodeFile(path, "it is not an object")
    if missing := [name for name in names if not isinstance(content.get(name), str)]:
        raise BadNodeFile(path, f"{', '.join(missing)} missing")
    return Node(**{name: content[name] for name in names})


def register_node(*, node: Node, now: datetime) -> tuple[ImputationService, PanelSync]:
    """Make the node's service row, keep its token, and synchronise its panels.

    A second run finds the row again by the node's name and follows a changed address or token.

    Raises:
        FederationError: The node could not be asked for its panels; row and token are kept.
    """
    service = _register(node=node, now=now)
    try:
        return service, sync_panels(service_id=service.pk)
    except SyncUnderWay:  # the platform runs already, and was faster
        return service, PanelSync()


@transaction.atomic
def _register(*, node: Node, now: datetime) -> ImputationService:
    service = ImputationService.objects.filter(api_config__node=node.name).order_by("id").first()
    if service is None:
        values: dict[str, Any] = {
            "service_type": ImputationService.ServiceType.MICHIGAN,
            "api_type": ImputationService.ApiType.MICHIGAN,
            "description": "Imputation node of the demonstration, on this machine",
            "supported_formats": ["vcf.gz"],
            "api_config": {"application": "imputationserver2", "node": node.name},
        }
        service = ImputationService.objects.create(name=node.title, api_url=node.url, **values)
    elif service.api_url != node.url:
        change_address(service_id=service.pk, api_url=node.url, user_id=None, origin=None, now=now)
        service.refresh_from_db()
    if reveal_credential(service_id=service.pk, now=now) != node.token:
        store_credential(
            service_id=service.pk,
            kind=ServiceCredential.Kind.API_TOKEN,
            secret=node.token,
            label=f"{node.username} at {node.name}"[:100],
            now=now,
        )
    return service
