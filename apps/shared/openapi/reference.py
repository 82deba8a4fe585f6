"""An OpenAPI description as pages for people: each operation, and each shape that it names once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

__all__ = ["operation_lines", "shape_lines", "summary_lines"]

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_ELSEWHERE: Final = frozenset({"Error", "ErrorMessages"})
_BOUNDS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
}
# So large that it only says how the database stores it.
_LARGEST: Final = 10**12
Description = Mapping[str, Any]


def summary_lines(description: Description) -> Iterator[str]:
    """A table of all operations, each with a link to its own part."""
    yield "| operation | what |"
    yield "| --- | --- |"
    for method, path, operation in _operations(description):
        title = f"{method.upper()} {path}"
        yield f"| [`{title}`](#{_anchor(title)}) | {operation['summary']} |"


def operation_lines(
    description: Description, *, who: Callable[[str, str], str], level: int = 3
) -> Iterator[str]:
    """Each operation: who may, what it takes, what it answers.

    Errors that many operations answer stand as their statuses alone.

    Args:
        who: Whom the operation lets in, from its method in capitals and its path.
        level: Of the headings.
    """
    for method, path, operation in _operations(description):
        yield f"{'#' * level} `{method.upper()} {path}`"
        yield ""
        yield _about(operation, description["paths"][path].values())
        yield ""
        yield f"- **Who**: {who(method.upper(), path)}"
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "path" and parameter["name"] != "page":
                yield _parameter_line(parameter, description)
        if "requestBody" in operation:
            yield _body_line(operation["requestBody"], description)
        yield f"- **Answers**: {_answers(operation['responses'], description)}"
        yield ""


def shape_lines(description: Description, *, level: int = 3) -> Iterator[str]:
    """Each shape that operations name, with its fields."""
    for name, schema in sorted(description["components"]["schemas"].items()):
        if name in _ELSEWHERE or "properties" not in schema:
            continue
        is_request = name.endswith("Request")
        needed = set(schema.get("required", ()))
        yield f"{'#' * level} {name}"
        yield ""
        yield f"| field | type |{' needed |' if is_request else ''} what |"
        yield f"| --- | --- |{' --- |' if is_request else ''} --- |"
        for field, told in schema["properties"].items():
            cells = [f"`{field}`", _type(told, description)]
            if is_request:
                cells.append("yes" if field in needed else "")
            about = told.get("description", "")
            if told.get("default"):
                about = f"{about} `{told['default']}` when it is left out.".lstrip()
            cells.append(_cell(about))
            yield f"| {' | '.join(cells)} |"
        yield ""


def _operations(description: Description) -> Iterator[tuple[str, str, Any]]:
    for path, methods in sorted(description["paths"].items()):
        for method in _METHODS:
            if method in methods:
                yield method, path, methods[method]


def _about(operation: Mapping[str, Any], of_path: Iterable[Mapping[str, Any]]) -> str:
    """The summary, and what is said of this operation and of no other one of its path."""
    summary = operation["summary"]
    about = " ".join(operation.get("description", "").split())
    if (
        len([each for each in of_path if each.get("description") == operation.get("description")])
        > 1
    ):
        about = ""
    return about if about.startswith(summary) else f"{summary}. {about}".rstrip()


def _parameter_line(parameter: Mapping[str, Any], description: Description) -> str:
    where = {"query": "Query", "header": "Header"}[parameter["in"]]
    about = _cell(parameter.get("description", ""))
    kind = _type(parameter["schema"], description)
    return f"- **{where}** `{parameter['name']}`: {kind}{f'. {about}' if about else ''}"


def _body_line(body: Mapping[str, Any], description: Description) -> str:
    """Media types of one shape stand together."""
    by_shape: dict[str, list[str]] = defaultdict(list)
    for media, content in body["content"].items():
        by_shape[_type(content["schema"], description)].append(f"`{media}`")
    return "- **Body**: " + "; ".join(
        f"{shape} as {', '.join(media)}" for shape, media in by_shape.items()
    )


def _answers(responses: Mapping[str, Any], description: Description) -> str:
    """Successes with their shapes, then errors with a sentence of their own, then all others."""
    told, plain = [], []
    for status, answer in sorted(responses.items()):
        if "$ref" in answer:
            plain.append(status)
        elif int(status) >= 400:
            told.append(f"**{status}** {_cell(answer['description']).rstrip('.')}")
        else:
            told.append(_success(status, answer, description))
    return "; ".join(told) + (f"; {', '.join(plain)}" if plain else "")


def _success(status: str, answer: Mapping[str, Any], description: Description) -> str:
    shapes = {
        f"`{media}`"
        if content["schema"].get("format") == "binary"
        else _type(content["schema"], description)
        for media, content in answer.get("content", {}).items()
    }
    shown = " or ".join(sorted(shapes))
    about = _cell(answer.get("description", "")).rstrip(".")
    return f"**{status}**{f' {shown}' if shown else ''}{f' {about}' if about else ''}"


def _type(schema: Mapping[str, Any], description: Description) -> str:
    """What may stand there, in words; a shape is a link to it."""
    if "$ref" in schema:
        return _reference(schema["$ref"].rpartition("/")[2], description)
    for several in ("allOf", "oneOf", "anyOf"):
        if several in schema:
            kinds = dict.fromkeys(_type(each, description) for each in schema[several])
            kinds.pop("", None)
            return _or_null(" or ".join(kinds), schema)
    if "enum" in schema:
        return _or_null(
            " ".join(f"`{each}`" for each in schema["enum"] if each is not None), schema
        )
    kind = str(schema.get("type", "any"))
    if kind == "array":
        kind = f"list of {_type(schema['items'], description)}"
    elif kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        kind = f"object of {_type(schema['additionalProperties'], description)}"
    elif "format" in schema and schema["format"] not in {"int64", "double"}:
        kind = str(schema["format"])
    bounds = [
        words.format(schema[bound])
        for bound, words in _BOUNDS.items()
        if bound in schema and abs(schema[bound]) < _LARGEST
    ]
    return _or_null(", ".join([kind, *bounds]), schema)


def _reference(name: str, description: Description) -> str:
    found = description["components"]["schemas"][name]
    if "enum" in found:
        return " ".join(f"`{each}`" for each in found["enum"] if each not in {None, ""})
    if "properties" not in found and name not in _ELSEWHERE:
        return _type(found, description)
    return f"[{name}](#{name.lower()})"


def _or_null(kind: str, schema: Mapping[str, Any]) -> str:
    return f"{kind}, or null" if schema.get("nullable") else kind


def _anchor(title: str) -> str:
    """As GitHub makes it of a heading: letters, digits, `-` and `_`, with `-` for a blank."""
    return "".join(
        each for each in title.lower().replace(" ", "-") if each.isalnum() or each in "-_"
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
