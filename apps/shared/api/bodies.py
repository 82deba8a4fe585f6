"""Bodies of requests, held to the types that the API's description names.

Django REST framework reads `"5"` as a number, `5` as text and `"yes"` as true. In a form everything
is text, and that is right; in JSON it hides mistakes of the client. And where a form leaves a
switch out it reads false, as browsers mean it; a client that means to change one other field
would change the switch too.
"""

import math
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.utils import html

from apps.shared.api.parsers import json_of

__all__ = ["Body"]

# Several names of a form make one of these.
_COMPOSED = (
    serializers.BaseSerializer,
    serializers.DictField,
    serializers.JSONField,
    serializers.ListField,
    serializers.MultipleChoiceField,
)


class Body(serializers.Serializer[Any]):
    """The base of every serializer that reads a request's body.

    A JSON value of another type than the field's is refused with the field's own message. Numbers
    and text that no row can hold (infinity, NUL, half a surrogate pair) are refused at any depth
    of a JSON column. A field that a form does not name is absent, and one that it leaves empty is
    empty; an object is JSON in one field, or a field for each part (`profile.role_id`).
    """

    def to_internal_value(self, data: Any) -> Any:
        if html.is_html_input(data):
            return super().to_internal_value(_fields_of_form(self, data))
        if isinstance(data, Mapping) and (wrong := _wrong_fields(self, data)):
            raise ValidationError(wrong)
        return super().to_internal_value(data)


def _fields_of_form(serializer: Body, form: Any) -> dict[str, Any]:
    """The form as Django REST framework would read JSON."""
    given = {}
    for name, field in serializer.fields.items():
        if isinstance(field, _COMPOSED):
            value = field.get_value(form)
            if value is not empty and (len(value) or name in form):
                given[name] = value
            elif name in form:
                given[name] = _object_of(form[name])
        elif name in form:
            given[name] = form[name]
    return given


def _object_of(value: Any) -> Any:
    """What a form says of an object in one field: JSON (OpenAPI 3.0.3, Request Body Object)."""
    try:
        return json_of(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _wrong_fields(
    serializer: serializers.BaseSerializer[Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    fields = getattr(serializer, "fields", {})
    found = {
        name: _mismatch(field, data[name])
        for name, field in fields.items()
        if not field.read_only and data.get(name) is not None
    }
    return {name: errors for name, errors in found.items() if errors}


def _mismatch(field: Any, value: Any) -> Any:
    """What is wrong with the type of `value`, as DRF would say it; empty when nothing is."""
    match field:
        case serializers.ListSerializer() | serializers.ListField():
            each = [_mismatch(field.child, item) for item in _items(value)]
            return {number: errors for number, errors in enumerate(each) if errors}
        case serializers.BaseSerializer():
            return _wrong_fields(field, value) if isinstance(value, Mapping) else []
        case serializers.JSONField():
            fits = _is_storable(value)
        case serializers.BooleanField():
            fits = isinstance(value, bool)
        case serializers.IntegerField() | serializers.FloatField():
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        case serializers.CharField() | serializers.UUIDField():
            fits = isinstance(value, str)
        case _:
            fits = True
    return [] if fits else [field.error_messages["invalid"]]


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_storable(value: Any) -> bool:
    """Whether a JSON column can hold `value`; walks it without a call for each level."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str(text):
                if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
                    return False
            case float(number):
                if not math.isfinite(number):
                    return False
            case dict(entries):
                waiting += [*entries, *entries.values()]
            case list(entries):
                waiting += entries
    return True
