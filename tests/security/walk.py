"""One walk over every endpoint as every kind of caller, against a table of what each may do.

The table is complete by construction: an endpoint, or a method that its view allows, without a row
is a finding, and so is a row without an endpoint. What a row does not grant is refused.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from django.core.signals import got_request_exception
from django.db import connection, transaction
from django.test import RequestFactory
from django.test.client import BOUNDARY, MULTIPART_CONTENT, ClientHandler, encode_multipart

from tests.security.endpoints import METHODS, Endpoint

if TYPE_CHECKING:
    from django.http import HttpResponse

__all__ = [
    "HIDDEN",
    "SHOWN",
    "Actor",
    "Answer",
    "Body",
    "Calls",
    "Case",
    "Finding",
    "Outcome",
    "Row",
    "Scene",
    "absent",
    "cases",
    "form",
    "incomplete",
    "json_body",
    "report",
    "walk",
]

_LISTED: Final = 12
_CLOSED: Final = frozenset({401, 403, 404, 405})
_REFUSED: Final = frozenset({401, 403, 404})
_PARAMETER: Final = re.compile(r"<(?P<type>int|str):(?P<name>\w+)>")
# What no row has, by the type of the route's parameter.
_ABSENT: Final[Mapping[str, Any]] = {
    "absent int": 2_000_000_000,
    "absent str": "00000000-0000-4000-8000-000000000000",
}
_WRITE: Final = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "(?P<table>\w+)"')


class Outcome(NamedTuple):
    """What a call answers.

    Attributes:
        status: The HTTP status.
        shown: Whether the row's marker is in the body; `None` when the row does not say.
    """

    status: int
    shown: bool | None = None

    def __str__(self) -> str:
        word = {None: "", True: " with the row", False: " without the row"}[self.shown]
        return f"{self.status}{word}"


SHOWN: Final = Outcome(200, True)
HIDDEN: Final = Outcome(200, False)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A kind of caller.

    Attributes:
        refusal: The status with which this one is turned away.
    """

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    refusal: int = 403


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The rows that the walk asks for, and who asks.

    Attributes:
        sample: Names of actors, one of each kind, who ask where nothing hinges on who asks.
        values: By name, what the tables put into paths and bodies: ids, mostly.
        notes: Tables that a refused call may write to, since they tell who called.
    """

    actors: Mapping[str, Actor]
    sample: frozenset[str]
    values: Mapping[str, Any]
    notes: frozenset[str] = frozenset()


class Body(NamedTuple):
    content_type: str
    content: bytes


type_of_body = Callable[[Scene], Body]


def json_body(**fields: Any) -> type_of_body:
    """A body in JSON; a callable value is asked for its value in the scene."""

    def made(scene: Scene) -> Body:
        return Body("application/json", json.dumps(_filled(fields, scene)).encode())

    return made


def form(**fields: Any) -> type_of_body:
    """A multipart form; a callable value is asked for its value in the scene."""

    def made(scene: Scene) -> Body:
        return Body(MULTIPART_CONTENT, encode_multipart(BOUNDARY, _filled(fields, scene)))

    return made


def _filled(fields: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    return {name: value(scene) if callable(value) else value for name, value in fields.items()}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one method of one endpoint answers to whom.

    Attributes:
        grants: Sets of actors and what they get; the first that holds the actor counts, and whoever
            is in none is refused.
        marker: Name of the value in the scene that the answer shows, or must not show.
        at: By parameter of the route, the name of the value to take instead of its own.
        path: Of a route that is a regular expression.
        query: Behind the path, with its question mark.
        asked_by: Names of the actors who suffice for this row; `None` for all.
        writes: Tables that this row may write to also when it refuses.
        title: What is special about this row, when an endpoint has several.
    """

    route: str
    method: str
    grants: Mapping[frozenset[str], Outcome | int]
    body: type_of_body | None = None
    marker: str = ""
    at: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    asked_by: frozenset[str] | None = None
    writes: frozenset[str] = frozenset()
    title: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.route}" + (f" ({self.title})" if self.title else "")

    def expected(self, actor: Actor) -> Outcome:
        for names, outcome in self.grants.items():
            if actor.name in names:
                outcome = outcome if isinstance(outcome, Outcome) else Outcome(outcome)
                break
        else:
            outcome = Outcome(actor.refusal)
        if self.marker and outcome.shown is None:
            return Outcome(outcome.status, False)  # what is not granted is not shown either
        return outcome


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call of the walk: a row, or a method that no row grants, as one actor."""

    row: Row
    actor: Actor
    endpoint: Endpoint
    undeclared: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Where the answer is not what the table says."""

    what: str
    who: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what} as {self.who}: expected {self.expected}, got {self.found}"


def incomplete(known: Iterable[Endpoint], rows: Iterable[Row]) -> list[str]:
    """What the table forgets, and what it says about nothing."""
    by_route = {endpoint.route: endpoint for endpoint in known}
    declared: dict[str, set[str]] = {}
    for row in rows:
        declared.setdefault(row.route, set()).add(row.method)
    problems = [f"No endpoint for the row {route}" for route in declared.keys() - by_route.keys()]
    for route, endpoint in by_route.items():
        if route not in declared:
            problems.append(f"No row for the endpoint {route}")
            continue
        problems += [
            f"No row for {method} {route}"
            for method in (endpoint.methods or frozenset()) - declared[route]
        ]
        if endpoint.methods is not None:
            problems += [
                f"The view does not serve {method} {route}"
                for method in declared[route] - endpoint.methods - {"HEAD", "OPTIONS"}
            ]
    return sorted(problems)


def absent(
    rows: Iterable[Row], *, sample: frozenset[str], ignored: frozenset[str] = frozenset()
) -> Iterator[Row]:
    """For every row with ids in its path and each of them: without such a row it is a 404.

    Asked by those of the sample whom the row lets in; who is refused anyway learns nothing more.

    Args:
        ignored: Parameters that the views do not look at.
    """
    seen = set()
    for row in sorted(rows, key=lambda row: bool(row.title)):
        let_in = frozenset(
            name
            for name in sample
            for names, outcome in [next((g for g in row.grants.items() if name in g[0]), (None, 0))]
            if names and _status(outcome) not in _CLOSED
        )
        if row.at or row.path or not let_in or (row.route, row.method) in seen:
            continue
        seen.add((row.route, row.method))
        for parameter in _PARAMETER.finditer(row.route):
            name = parameter["name"]
            if name in ignored:
                continue
            yield replace(
                row,
                grants={let_in: 404},
                marker="",
                at={name: f"absent {parameter['type']}"},
                asked_by=let_in,
                title=f"no such {name}",
            )


def _status(outcome: Outcome | int) -> int:
    return outcome if isinstance(outcome, int) else outcome.status


def cases(scene: Scene, known: Iterable[Endpoint], rows: Iterable[Row]) -> Iterator[Case]:
    """All calls: each row as each actor.

    A sample of the actors suffices for a row that treats all alike, for HEAD, which answers what
    GET does, and for the methods that have no row.
    """
    by_route = {endpoint.route: endpoint for endpoint in known}
    everybody = list(scene.actors.values())
    sample = [actor for actor in everybody if actor.name in scene.sample]
    declared: dict[str, dict[str, Row]] = {}
    for row in rows:
        declared.setdefault(row.route, {})[row.method] = row
        alike = len(row.grants) == 1 and any(scene.actors.keys() <= who for who in row.grants)
        for actor in sample if alike else everybody:
            if row.asked_by is None or actor.name in row.asked_by:
                yield Case(row=row, actor=actor, endpoint=by_route[row.route])
        if row.method == "GET" and row.asked_by is None:
            head = replace(row, method="HEAD", marker="")
            for actor in sample:
                yield Case(row=head, actor=actor, endpoint=by_route[row.route])
    for route, known_rows in declared.items():
        some_row = next(iter(known_rows.values()))
        for method in METHODS:
            if method in known_rows or (method == "HEAD" and "GET" in known_rows):
                continue
            row = replace(some_row, method=method, grants={}, body=None, marker="", title="")
            for actor in sample:
                yield Case(row=row, actor=actor, endpoint=by_route[route], undeclared=True)


def walk(scene: Scene, planned: Iterable[Case]) -> Iterator[Finding]:
    """Make the calls, each rolled back, and tell where the answer is not the expected one."""
    calls = Calls(scene)
    for case in planned:
        found = _judged(scene, case, calls.make(case))
        if found is not None:
            yield found


class Answer(NamedTuple):
    """What a call brought.

    Attributes:
        location: Where a redirect leads, else ''.
        error: The exception behind a 500, else ''.
        written: The tables that it wrote to.
    """

    status: int
    body: bytes
    location: str
    error: str
    written: frozenset[str]


class Calls:
    """Requests through the whole stack of middleware, whose writes are undone.

    Django's own test client would keep a copy of every template's context, which on admin pages
    takes longer than the page.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._handler = ClientHandler(enforce_csrf_checks=False)
        self._error = ""
        got_request_exception.connect(self._note_error)

    def make(self, case: Case) -> Answer:
        """Send the request of one case."""
        row, values = case.row, {**_ABSENT, **self._scene.values}
        own = {parameter: values[name] for parameter, name in row.at.items()}
        path = row.path or case.endpoint.path({**values, **own})
        sent = row.body(self._scene) if row.body else Body("application/json", b"")
        factory = RequestFactory()
        factory.cookies = SimpleCookie(dict(case.actor.cookies))
        request = factory.generic(
            row.method,
            path + row.query,
            data=sent.content,
            content_type=sent.content_type,
            headers={**case.actor.headers, **row.headers},
        )
        self._error = ""
        written: set[str] = set()

        def note_write(
            execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
        ) -> Any:
            result = execute(sql, params, many, context)
            if (write := _WRITE.match(sql)) and context["cursor"].rowcount:
                written.add(write["table"])
            return result

        with transaction.atomic(), connection.execute_wrapper(note_write):
            response = self._handler(request.environ)
            body = b"" if response.streaming else cast("HttpResponse", response).content
            transaction.set_rollback(True)
        location = response.headers.get("Location", "")
        return Answer(response.status_code, body, location, self._error, frozenset(written))

    def _note_error(self, **signal: Any) -> None:
        self._error = repr(sys.exc_info()[1])


def report(findings: Iterable[Finding]) -> str:
    """One line for each row and pair of answers, with all whom it concerns."""
    who: dict[Finding, list[str]] = {}
    for finding in findings:
        who.setdefault(replace(finding, who="…"), []).append(finding.who)
    return "\n".join(str(replace(f, who=_listed(names))) for f, names in who.items())


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def _judged(scene: Scene, case: Case, answer: Answer) -> Finding | None:
    row, actor, status = case.row, case.actor, answer.status
    shown = bool(row.marker) and str(scene.values[row.marker]).encode() in answer.body
    if case.undeclared:
        allowed = _CLOSED | {200} if row.method == "OPTIONS" else _CLOSED
        if status in allowed or (status == 302 and "/login/" in answer.location):
            return None
        expected = "a refusal"
    else:
        wanted = row.expected(actor)
        if status == wanted.status and (not row.marker or wanted.shown in {None, shown}):
            written = answer.written - scene.notes - row.writes
            if status not in _REFUSED or not written:
                return None
            found = f"{status} after writing to {', '.join(sorted(written))}"
            return Finding(what=str(row), who=actor.name, expected=str(wanted), found=found)
        expected = str(wanted)
    found = str(Outcome(status, shown if row.marker else None))
    if answer.error:
        found += f" for {answer.error}"
    return Finding(what=str(row), who=actor.name, expected=expected, found=found)
