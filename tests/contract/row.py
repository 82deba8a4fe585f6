"""A row of the contract: what is asked, by whom, and what must be answered."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from tests.contract.matching import ANY

__all__ = [
    "ANONYMOUS",
    "CALLERS",
    "FORBIDDEN",
    "HIDDEN",
    "Call",
    "Given",
    "Kind",
    "Row",
    "Upload",
    "call",
    "edge",
    "invalid",
    "permissions",
    "race",
    "refusal",
    "success",
    "the",
]

Kind = Literal["success", "refusal", "permission", "edge"]
# Who asks. `other` is a second researcher, `owner` whoever has result files, where somebody has.
CALLERS: Final = (
    "anonymous",
    "viewer",
    "service_user",
    "researcher",
    "service_admin",
    "admin",
    "other",
)
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Given:
    """A value of the scene, put into a path or a body when the row is run."""

    name: str


@dataclass(frozen=True)
class Upload:
    """A file of a form; the content may be a value of the scene."""

    name: str
    content: bytes


_UNSENT: Final = object()


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request and its answer.

    Attributes:
        by: A caller, or `fresh <caller>` for a login of this call's row alone.
        path: Below `/api/`, or from the root when it begins with a slash; `{name}` is a value of
            the scene.
        json, form, body: What is sent; at most one of them. A key `**` holds more fields.
        multipart: The form is one even without a file.
        statuses: One of these is answered.
        answer: What the body is; for what it may hold see `matching`.
        carries: By name of a header of the answer, what its value is.
        keep: Name under which later calls of the row find the answer's `id`.
    """

    method: str
    path: str
    by: str
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Any = _UNSENT
    form: Mapping[str, Any] | None = None
    multipart: bool = False
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...]
    answer: Any = ANY
    carries: Mapping[str, Any] = field(default_factory=dict)
    keep: str = ""

    @property
    def sends_json(self) -> bool:
        return self.json is not _UNSENT


@dataclass(frozen=True, kw_only=True)
class Row:
    """What must hold of an endpoint.

    Attributes:
        endpoint: As the list of endpoints names it, `PATCH services/{id}/`.
        first, then: Asked before and after what the row is about, and judged as well.
        asked: What the row is about; several calls are made at once.
        of_several: How often each status is answered to calls that are made at once, in each way
            that is right.
        alone: Changes what others use, so that nobody else may be there.
        example: `domain/name` of the recorded example, if the answer is one.
    """

    endpoint: str
    kind: Kind
    title: str
    asked: tuple[Call, ...]
    first: tuple[Call, ...] = ()
    then: tuple[Call, ...] = ()
    of_several: tuple[Mapping[int, int], ...] = ()
    alone: bool = False
    example: str = ""

    @property
    def caller(self) -> str:
        return self.asked[0].by

    @property
    def name(self) -> str:
        return f"{self.endpoint} · {self.title} · {self.caller}"


def the(name: str) -> Given:
    """The value of this name in the scene."""
    return Given(name)


def call(
    endpoint: str,
    *,
    by: str,
    status: int | tuple[int, ...],
    at: str | Mapping[str, str] = "",
    **more: Any,
) -> Call:
    """A call of `endpoint`.

    Args:
        at: The value of the scene that stands for the parameter `id`, or one for each parameter.
    """
    method, path = endpoint.split(" ", 1)
    values = {"id": at} if isinstance(at, str) else at
    filled = _PARAMETER.sub(lambda found: "{" + values[found[1]] + "}", path)
    statuses = status if isinstance(status, tuple) else (status,)
    return Call(method=method, path=filled, by=by, statuses=statuses, **more)


def success(
    endpoint: str,
    title: str,
    *,
    by: str,
    status: int | tuple[int, ...] = 200,
    first: Sequence[Call] = (),
    then: Sequence[Call] = (),
    alone: bool = False,
    example: str = "",
    **more: Any,
) -> Row:
    """What the endpoint is for."""
    return Row(
        endpoint=endpoint,
        kind="success",
        title=title,
        asked=(call(endpoint, by=by, status=status, **more),),
        first=tuple(first),
        then=tuple(then),
        alone=alone,
        example=example,
    )


def refusal(endpoint: str, title: str, *, status: int | tuple[int, ...], **more: Any) -> Row:
    """A request that is refused whoever sends it."""
    return replace(success(endpoint, title, status=status, **more), kind="refusal")


def invalid(endpoint: str, title: str, field_name: str, **more: Any) -> Row:
    """A request that is refused with 400 and a message at this field."""
    answer = {field_name: ANY, "details": dict}
    return refusal(endpoint, title, status=400, **{"answer": answer, **more})


def edge(endpoint: str, title: str, **more: Any) -> Row:
    """A case that is often forgotten."""
    return replace(success(endpoint, title, **more), kind="edge")


ANONYMOUS: Final = {"detail": "Authentication credentials were not provided."}
FORBIDDEN: Final = {"detail": str}
HIDDEN: Final = {"detail": str}


def permissions(
    endpoint: str,
    *,
    granted: Mapping[str, int | tuple[int, ...]] | Sequence[str],
    status: int | tuple[int, ...] = 200,
    others: int = 403,
    callers: Sequence[str] = CALLERS,
    title: str = "who may",
    first: Sequence[Call] = (),
    **more: Any,
) -> list[Row]:
    """One row for each caller.

    Args:
        granted: Callers who may, and what they are answered (by default `status`).
        others: What everybody else is answered; nobody is asked who he is with 403.
    """
    answers = dict(granted) if isinstance(granted, Mapping) else dict.fromkeys(granted, status)
    rows = []
    for caller in callers:
        got = answers.get(caller, 403 if caller == "anonymous" else others)
        answer: Any = ANY
        if got in {403, 404}:
            answer = ANONYMOUS if caller == "anonymous" else {"detail": str}
        made = success(
            endpoint, title, by=caller, status=got, first=first, **{"answer": answer, **more}
        )
        rows.append(replace(made, kind="permission"))
    return rows


def race(
    endpoint: str,
    title: str,
    *calls: Call,
    answers: Sequence[Mapping[int, int]],
    first: Sequence[Call] = (),
    then: Sequence[Call] = (),
) -> Row:
    """Calls at once, and how often each status is answered, in each way that is right."""
    return Row(
        endpoint=endpoint,
        kind="edge",
        title=title,
        asked=calls,
        first=tuple(first),
        then=tuple(then),
        of_several=tuple(answers),
    )
