"""Runs rows against a scene, and tells where the answers differ from the contract."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier
from typing import Any, Final
from urllib.parse import quote

import requests

from tests.contract.client import Answer, Client
from tests.contract.matching import Each, Has, Maybe, Not, differences
from tests.contract.row import Call, Given, Row, Upload
from tests.contract.scene import NotHere, Scene, SceneError

__all__ = ["Outcome", "run", "run_all"]

_ERROR: Final = {"code": str, "message": str, "details": dict, "request_id": str}
_WITHOUT_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one row.

    Attributes:
        differences: Expected and got, one sentence each.
        untried: Why it was not run, '' when it was.
        answer: What the row is about, when it is one call that was answered.
        sent: The body that was sent, in JSON.
    """

    row: Row
    differences: tuple[str, ...] = ()
    untried: str = ""
    answer: Answer | None = None
    sent: Any = None

    @property
    def agrees(self) -> bool:
        return not self.differences and not self.untried


def run_all(rows: Iterable[Row], scene: Scene, *, alone: bool) -> Iterator[Outcome]:
    """The outcome of each row, in order.

    Args:
        alone: Nobody else uses the server, so that rows which change what others use may run.
    """
    for row in rows:
        if row.alone and not alone:
            yield Outcome(row=row, untried="It changes what others use.")
        else:
            yield run(row, scene)


def run(row: Row, scene: Scene) -> Outcome:
    """Ask what the row asks and compare; a server that cannot be asked is a difference."""
    scene.begin()
    found: list[str] = []
    answer, sent = None, None
    try:
        for step in row.first:
            found += _asked(step, scene)[0]
        if row.of_several:
            found += _at_once(row, scene)
        else:
            found_here, answer, sent = _asked(row.asked[0], scene)
            found += found_here
        for step in row.then:
            found += _asked(step, scene)[0]
    except NotHere as reason:
        return Outcome(row=row, untried=str(reason))
    except SceneError as error:
        found.append(f"could not be tried: {error}")
    except requests.RequestException as error:
        found.append(f"no answer: {type(error).__name__}")
    return Outcome(row=row, differences=tuple(found), answer=answer, sent=sent)


def _asked(step: Call, scene: Scene) -> tuple[list[str], Answer, Any]:
    client, path, more = _prepared(step, scene)
    answer = client.send(step.method, path, **more)
    scene.noticed(step.by, path, answer)
    if step.keep and isinstance(answer.body, dict):
        kept = answer.body.get("service", answer.body) if path == "services/" else answer.body
        scene.keep(step.keep, kept.get("id"))
    told = f"{step.method} {path} as {step.by}"
    problems = [f"{told}: {problem}" for problem in _problems(step, answer, scene, path)]
    return problems, answer, more.get("json", more.get("data"))


def _at_once(row: Row, scene: Scene) -> Iterator[str]:
    prepared = [_prepared(step, scene) for step in row.asked]
    barrier = Barrier(len(prepared))

    def ask(number: int) -> Answer:
        client, path, more = prepared[number]
        own = client.beside()
        try:
            barrier.wait(timeout=30)
            return own.send(row.asked[number].method, path, **more)
        finally:
            own.close()

    with ThreadPoolExecutor(max_workers=len(prepared)) as pool:
        answers = list(pool.map(ask, range(len(prepared))))
    for step, (_, path, _more), answer in zip(row.asked, prepared, answers, strict=True):
        scene.noticed(step.by, path, answer)
    got = Counter(answer.status for answer in answers)
    if all(got != Counter(dict(right)) for right in row.of_several):
        right = " or ".join(_counted(each) for each in row.of_several)
        yield f"{len(answers)} at once answer {_counted(got)}, not {right}"


def _counted(statuses: Any) -> str:
    return ", ".join(f"{number} x {status}" for status, number in sorted(statuses.items()))


def _prepared(step: Call, scene: Scene) -> tuple[Client, str, dict[str, Any]]:
    more: dict[str, Any] = {}
    if step.query:
        more["params"] = _filled(step.query, scene)
    if step.headers:
        more["headers"] = _filled(step.headers, scene)
    if step.sends_json:
        more["json"] = _filled(step.json, scene)
    elif step.form is not None:
        form = _filled(step.form, scene)
        more |= _form(form, multipart=step.multipart)
    elif step.body is not None:
        more["data"] = step.body
    return scene.client(step.by), _path(step.path, scene), more


def _form(form: dict[str, Any], *, multipart: bool) -> dict[str, Any]:
    """A form as `requests` sends it; what is in `files` makes it multipart."""
    files = {k: (v.name, v.content) for k, v in form.items() if isinstance(v, Upload)}
    texts = {k: v for k, v in form.items() if not isinstance(v, Upload)}
    if multipart and not files:
        return {"files": {k: (None, str(v)) for k, v in texts.items()}}
    return {"data": texts, "files": files or None}


def _path(template: str, scene: Scene) -> str:
    parts = template.split("{")
    filled = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        filled.append(quote(str(scene[name]), safe="") + rest)
    return "".join(filled)


def _filled(value: Any, scene: Scene) -> Any:
    match value:
        case Given(name):
            return scene[name]
        case dict():
            filled: dict[str, Any] = {}
            for key, inner in value.items():
                if key == "**":
                    filled |= _filled(inner, scene)
                else:
                    filled[key] = _filled(inner, scene)
            return filled
        case list() | tuple():
            return [_filled(inner, scene) for inner in value]
        case _:
            return value


def _problems(step: Call, answer: Answer, scene: Scene, path: str) -> Iterator[str]:
    if answer.status not in step.statuses:
        wanted = " or ".join(map(str, step.statuses))
        yield f"{answer.status}, not {wanted}: {answer.content[:200]!r}"
        return
    for name, wanted in step.carries.items():
        yield from differences(wanted, answer.headers.get(name), f"header {name}")
    if answer.status in _WITHOUT_BODY:
        if answer.content:
            yield f"{answer.status} has a body"
        return
    if answer.status >= 400 and not path.startswith("/") and step.method != "HEAD":
        yield from differences(_ERROR, answer.body)
        told = answer.body.get("request_id") if isinstance(answer.body, dict) else None
        if told != answer.headers.get("X-Request-ID"):
            yield "the request id of the body is not that of the header"
    yield from differences(_filled_answer(step.answer, scene), answer.body)


def _filled_answer(expected: Any, scene: Scene) -> Any:
    match expected:
        case Given(name):
            return scene[name]
        case dict():
            return {key: _filled_answer(inner, scene) for key, inner in expected.items()}
        case list():
            return [_filled_answer(inner, scene) for inner in expected]
        case Each() | Has() | Maybe() | Not():
            return replace(expected, inner=_filled_answer(expected.inner, scene))
        case _:
            return expected
