"""Examples for every request and answer, put together from one table of values.

A field has the same example wherever it is shown. The table's keys are names of fields (`email`),
or of a field in one component (`LoginOutput.message`); what follows from the type (an enumeration,
a nested object) needs no entry.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.drainage import warn

__all__ = ["add_examples"]

_JSON = "application/json"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": list,
}
_OF_FORMATS = {
    "date-time": "2026-03-01T12:00:00Z",
    "date": "2026-03-01",
    "uuid": "5f0e8a52-6c0b-4a6e-9d55-0f6f1d1f7a10",
}


def add_examples(result: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Add an example to every parameter, request body and JSON answer that has none.

    A field for which there is nothing to show is reported as drf-spectacular reports a type that
    it had to guess: a warning, which the tests turn into a failure.

    Args:
        values: The table.
    """
    composer = _Composer(result["components"]["schemas"], values)
    for methods in result["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["schema"].get("type") != "boolean":
                    composer.fill(parameter, name=parameter["name"])
            for media, content in operation.get("requestBody", {}).get("content", {}).items():
                composer.fill(content)
                if media in _FORMS and isinstance(content.get("example"), dict):
                    content["example"] = _as_fields(content["example"])
            for answer in operation["responses"].values():
                for media, content in answer.get("content", {}).items():
                    if media == _JSON:
                        composer.fill(content)
    return result


class _Composer:
    def __init__(self, components: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self._components = components
        self._values = values

    def fill(self, place: dict[str, Any], *, name: str = "") -> None:
        if "example" not in place and "examples" not in place:
            place["example"] = self._of(place["schema"], name=name, owner="")

    def _of(self, schema: Mapping[str, Any], *, name: str, owner: str) -> Any:
        if f"{owner}.{name}" in self._values:
            return self._values[f"{owner}.{name}"]
        if "$ref" in schema:
            referred = schema["$ref"].rpartition("/")[2]
            return self._of(self._components[referred], name=name, owner=referred)
        for several in ("allOf", "oneOf", "anyOf"):
            if several in schema:
                return self._of(schema[several][0], name=name, owner=owner)
        if "properties" in schema:
            return {
                field: self._of(properties, name=field, owner=owner)
                for field, properties in schema["properties"].items()
            }
        if schema.get("type") == "array" and name not in self._values:
            return [self._of(schema["items"], name=name, owner=owner)]
        return self._of_type(schema, name=name, owner=owner)

    def _of_type(self, schema: Mapping[str, Any], *, name: str, owner: str) -> Any:
        value = self._values.get(name)
        if name in self._values and _fits(value, schema):
            return value
        if "example" in schema:
            return schema["example"]
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("format") in _OF_FORMATS:
            return _OF_FORMATS[schema["format"]]
        if schema.get("type") == "boolean":
            return True
        warn(f"no example for {owner}.{name}; give it one in the table of examples")
        return None


def _as_fields(example: Mapping[str, Any]) -> dict[str, Any]:
    """What of an example a form can say: fields of text, no objects."""
    return {
        name: value
        for name, value in example.items()
        if not any(
            isinstance(part, dict) for part in (value if isinstance(value, list) else [value])
        )
    }


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether the table's value for a name can be meant: an `id` may be a number or a UUID."""
    if "enum" in schema:
        return value in schema["enum"]
    kinds = _KINDS.get(schema.get("type", ""), object)
    return (value is None and schema.get("nullable", False)) or isinstance(value, kinds)
