"""The OpenAPI document of this process: built at the first request, then only handed out."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache

import yaml
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

__all__ = ["Document", "document"]


@dataclass(frozen=True, kw_only=True)
class Document:
    """The description in one of its two forms.

    Attributes:
        etag: Strong, with its quotes (RFC 9110 8.8.3).
    """

    body: bytes
    etag: str


@cache
def document(form: str) -> Document:
    """The public description of the deployment's API.

    Args:
        form: `json` or `yaml`.

    Raises:
        KeyError: It is neither.
    """
    write = {"json": _as_json, "yaml": _as_yaml}[form]
    with translation.override("en"):
        description = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    body = write(description)
    return Document(body=body, etag=f'"{hashlib.sha256(body).hexdigest()}"')


def _as_json(description: object) -> bytes:
    return json.dumps(description, indent=2, ensure_ascii=False).encode()


def _as_yaml(description: object) -> bytes:
    # Anchors would be shorter, and many readers of YAML refuse them.
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    return yaml.dump(
        description, Dumper=Plain, sort_keys=False, allow_unicode=True, default_flow_style=False
    ).encode()
