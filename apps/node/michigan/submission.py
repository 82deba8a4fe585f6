"""Reads the form of a submission by the rules of Cloudgene's `JobParameterParser`.

They surprise: a checkbox that is present is true, also with the value `false`; texts are stored as
HTML; list membership is not looked at, since the job's first step does that.
"""

from collections.abc import Iterable, Mapping
from html.entities import codepoint2name
from typing import Any, Final

from apps.node.michigan.application import DEFAULTS, NAME, VERSION
from apps.node.michigan.texts import is_storable
from apps.node.operations.jobs import Submission
from apps.node.pipeline.panels import Panel
from apps.node.queries import find_panel
from apps.node.refusals import Refusal

__all__ = ["ParameterRefused", "escape_html4", "is_file_field", "read_submission"]

_FILES: Final = "files"
_PREFIX: Final = "input-"
_PATTERN: Final = "-pattern"
_TEXTS: Final = {"password", "job-name"}


class ParameterRefused(Refusal):
    """A field that the application does not have, one of another kind, or one not to be kept."""


def is_file_field(name: str) -> bool:
    """Whether uploads may come under this name."""
    return name.removeprefix(_PREFIX) == _FILES


def read_submission(
    *,
    application_id: str,
    fields: Mapping[str, str],
    file_fields: Iterable[str],
    panels: Iterable[Panel],
) -> Submission:
    """What a submission asks for.

    Args:
        application_id: As the client spelt it, with or without a version.
        fields: Text fields of the form; of a repeated one the first.
        file_fields: Names under which uploads came.
        panels: Those of the node, to make a full key of a bare panel id.

    Raises:
        ParameterRefused: An unknown field, a text where files belong, or a text with NUL.
    """
    for name in file_fields:
        if not is_file_field(name):
            raise ParameterRefused(_not_found(name))
    parameters: dict[str, Any] = dict(DEFAULTS)
    texts: dict[str, str] = {}
    for field, value in fields.items():
        name = field.removeprefix(_PREFIX)
        if not is_storable(field + value):
            raise ParameterRefused("A parameter has characters that cannot be stored.")
        if name == _FILES:
            raise ParameterRefused(
                f"Parameter '{name}': URL-based uploads are no longer supported."
            )
        if name in _TEXTS:
            texts[name] = escape_html4(value)
        elif isinstance(DEFAULTS.get(name), bool):
            parameters[name] = True
        elif name in DEFAULTS:
            parameters[name] = escape_html4(value)
        elif not name.endswith(_PATTERN):
            raise ParameterRefused(_not_found(name))
    panel = find_panel(parameters["refpanel"], list(panels))
    if panel is not None:
        parameters["refpanel"] = panel.key
    return Submission(
        name=texts.get("job-name", "")[:255] if texts.get("job-name", "").strip() else "",
        application=f"{NAME} {VERSION}",
        application_id=application_id,
        parameters=parameters,
        password=texts.get("password", ""),
    )


def escape_html4(text: str) -> str:
    """`text` as HTML 4, where every character that has an entity name is written by it."""
    return "".join(
        f"&{codepoint2name[ord(character)]};" if ord(character) in codepoint2name else character
        for character in text
    )


def _not_found(name: str) -> str:
    return f"Parameter '{escape_html4(name.removeprefix(_PREFIX))}' not found."
