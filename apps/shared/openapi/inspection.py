"""How a view's fields become the description: what drf-spectacular says, and what it leaves out."""

import re
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc
from rest_framework import serializers
from rest_framework.views import APIView

from apps.shared.api.bounds import BIGINT
from apps.shared.api.filters import Filters

__all__ = ["Inspector"]

# A character that Python does not strip; its white space is more than that of ECMA 262.
_VISIBLE = r"[^\s\x1c-\x1f\x85]"


class Inspector(AutoSchema):
    """drf-spectacular's inspector, which also says what blank text and row ids are.

    Reference: set as `DEFAULT_SCHEMA_CLASS`, so that every view has it.
    """

    def get_summary(self) -> str | None:
        """The first sentence about the method, or about a view that has but one."""
        about = get_doc(getattr(self.view, self.method.lower()))
        if not about and len(_methods(self.view)) == 1:
            about = get_doc(self.view.__class__)
        sentence = re.split(r"[.;:](?:\s|$)", about, maxsplit=1)[0]
        return " ".join(sentence.split()) or None

    def _map_serializer_field(
        self, field: Any, direction: Any, bypass_extensions: bool = False
    ) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_serializer_field(  # type: ignore[no-untyped-call]
            field, direction, bypass_extensions
        )
        if isinstance(field.parent, Filters):
            # An empty parameter counts as absent: `allowEmptyValue`, as the errors hook adds.
            return {key: value for key, value in schema.items() if key != "minLength"}
        if direction == "request" and isinstance(field, serializers.DecimalField):
            return {**_decimal(field), **{k: schema[k] for k in ("nullable",) if k in schema}}
        if direction == "request" and _refuses_white_space(field):
            return {"pattern": _VISIBLE, **schema}
        if direction == "response" and _is_id(field):
            return {**schema, **BIGINT}
        return schema


def _methods(view: APIView) -> list[str]:
    return [
        method
        for method in view.http_method_names
        if method not in {"head", "options"} and hasattr(view, method)
    ]


def _decimal(field: serializers.DecimalField) -> dict[str, Any]:
    """A number, or its text: what answers show may be sent back."""
    digits, places = field.max_digits or 15, field.decimal_places or 0
    whole = digits - places
    bounds = {
        "minimum": 0 if field.min_value is None else field.min_value,
        "maximum": 10**whole - 1 if field.max_value is None else field.max_value,
    }
    sign = "" if bounds["minimum"] >= 0 else "-?"
    return {
        "anyOf": [
            {
                "type": "string",
                "format": "decimal",
                "pattern": rf"^{sign}\d{{1,{whole}}}(\.\d{{1,{places}}})?$",
            },
            {"type": "number", "multipleOf": 10**-places, **bounds},
        ]
    }


def _refuses_white_space(field: Any) -> bool:
    """Whether text of nothing but white space counts as blank, which `minLength` does not say."""
    return (
        isinstance(field, serializers.CharField)
        and not isinstance(field, serializers.EmailField)
        and not any(isinstance(known, RegexValidator) for known in field.validators)
        and field.trim_whitespace
        and not field.allow_blank
    )


def _is_id(field: Any) -> bool:
    return type(field) is serializers.IntegerField and (
        field.field_name == "id" or str(field.source).endswith("_id")
    )
