"""Reads the answers of a Michigan Imputation Server (Cloudgene 3) into the platform's values.

Pure functions over decoded JSON, strict about what a decision hangs on (ids, states, panel keys,
file names) and lenient about the rest, since older servers leave members out.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final

from apps.federation.protocol import (
    Discovery,
    ExternalFile,
    ExternalJob,
    ExternalState,
    Malformed,
    Message,
    MessageKind,
    OfferedPanel,
    Step,
)
from apps.federation.text import plain_text

__all__ = [
    "JOB_ID",
    "SiteFile",
    "discovery",
    "job",
    "job_list",
    "maintenance",
    "progress",
    "site_files",
]

JOB_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_HASH: Final = re.compile(r"[A-Za-z0-9_-]{8,256}")
_BUILDS: Final = {"hg19": "hg19", "grch37": "hg19", "hg38": "hg38", "grch38": "hg38"}

# 8 and 9 are 4 and 5 or 6 after the owner was told that the files will go.
_STATES: Final = {
    -1: ExternalState.DEAD,
    1: ExternalState.WAITING,
    2: ExternalState.RUNNING,
    3: ExternalState.EXPORTING,
    4: ExternalState.SUCCEEDED,
    5: ExternalState.FAILED,
    6: ExternalState.CANCELLED,
    7: ExternalState.RETIRED,
    8: ExternalState.SUCCEEDED,
    9: ExternalState.FAILED,
    10: ExternalState.DELETED,
}
_KINDS: Final = {
    0: MessageKind.OK,
    1: MessageKind.ERROR,
    2: MessageKind.WARNING,
    3: MessageKind.RUNNING,
}

# Percent at which a step begins, and the stretch of each progress line within the third step.
_STEPS: Final = {
    "input validation": 2,
    "quality control": 8,
    "phasing and imputation": 15,
    "pre-phasing and imputation": 15,
    "data compression and encryption": 85,
    "summary": 95,
}
_LINES: Final = (("compression", 85, 95), ("imputation", 45, 85), ("phasing", 15, 45))
_COUNT: Final = re.compile(r"\(\s*(\d{1,9})\s*/\s*(\d{1,9})\s*\)")
_CANCELLED: Final = re.compile(r"\bcancel", re.IGNORECASE)
# JSON can hold NUL and halves of characters, a PostgreSQL text cannot.
_UNSTORABLE: Final = re.compile(r"[\0\ud800-\udfff]")


_CHROMOSOME: Final = re.compile(r"[A-Za-z0-9_]{1,30}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOST_CHROMOSOMES: Final = 100
_LARGEST_SITE_FILE: Final = 8 * 2**30


@dataclass(frozen=True, kw_only=True)
class SiteFile:
    """The sites of one chromosome of a panel, as a node announces them.

    Attributes:
        chromosome: Its name there, `20` or `X`.
        size: Bytes.
        sha256: Lower-case hex.
    """

    chromosome: str
    size: int
    sha256: str


def site_files(answer: Any) -> tuple[SiteFile, ...]:
    """What a node of the federation publishes of a panel's sites.

    Raises:
        Malformed: A name that is no chromosome's, twice the same one, no digest, or a size that
            no such file has.
    """
    listed = _list(_object(answer, "list of site files"), "chromosomes", required=True)
    files = tuple(_site_file(_object(entry, "site file")) for entry in listed)
    if len(files) > _MOST_CHROMOSOMES or len({file.chromosome for file in files}) < len(files):
        raise Malformed("The service names more site files than a panel has chromosomes.")
    return files


def _site_file(entry: dict[str, Any]) -> SiteFile:
    name, size, digest = _text(entry, "name"), entry.get("size"), _text(entry, "sha256")
    if (
        not _CHROMOSOME.fullmatch(name)
        or not _SHA256.fullmatch(digest)
        or isinstance(size, bool)
        or not isinstance(size, int)
        or not 0 < size <= _LARGEST_SITE_FILE
    ):
        raise Malformed("The service announces a site file in a way that cannot be used.")
    return SiteFile(chromosome=name, size=size, sha256=digest)


def maintenance(answer: Any) -> tuple[bool, str]:
    """Whether a `server` answer tells of maintenance, and its words. The key is spelt so there."""
    server = _object(answer, "server information")
    return server.get("maintenace") is True, plain_text(_text(server, "maintenaceMessage"))


def discovery(answer: Any, *, application: str) -> Discovery:
    """What the schema of the application offers.

    Raises:
        Malformed: It is not a schema, or names no reference panel parameter.
    """
    schema = _object(answer, "application")
    parameters = {
        _text(parameter, "id"): parameter
        for parameter in (_object(p, "parameter") for p in _list(schema, "params"))
    }
    if "refpanel" not in parameters:
        raise Malformed("The application tells of no reference panels.")
    population = parameters.get("population", {})
    panels = [_object(value, "panel") for value in _list(parameters["refpanel"], "values")]
    return Discovery(
        application=_text(schema, "id") or application,
        version=_text(schema, "version"),
        panels=tuple(
            OfferedPanel(
                key=_key(panel),
                name=plain_text(_text(panel, "value"), longest=200) or _key(panel),
                populations=_populations(population, _key(panel)),
                build=_build(f"{_key(panel)} {_text(panel, 'value')}"),
            )
            for panel in panels
        ),
        phasings=_keys(parameters.get("phasing", {})),
        builds=_keys(parameters.get("build", {})),
        modes=_keys(parameters.get("mode", {})),
        r2_filters=tuple(
            float(key)
            for key in _keys(parameters.get("r2Filter", {}))
            if re.fullmatch(r"\d+(\.\d+)?", key)
        ),
    )


def job_list(answer: Any) -> tuple[list[dict[str, Any]], int]:
    """The jobs of one page of a list, and how many the whole list has."""
    page = _object(answer, "job list")
    jobs = [_object(entry, "job") for entry in _list(page, "data", required=True)]
    count = page.get("count")
    return jobs, count if isinstance(count, int) else len(jobs)


def job(answer: Any) -> ExternalJob:
    """A job, its words cleaned.

    Raises:
        Malformed: No id, an unknown state, or a file that would lie outside its folder.
    """
    told = _object(answer, "job")
    external_id = _text(told, "id")
    if not JOB_ID.fullmatch(external_id):
        raise Malformed("The service names a job without a usable id.")
    number = told.get("state")
    if isinstance(number, bool) or not isinstance(number, int) or number not in _STATES:
        raise Malformed("The service tells a state of the job that is not known.")
    state = _STATES[number]
    steps = tuple(_step(_object(step, "step")) for step in _list(told, "steps"))
    if number == 9 and any(
        message.kind is MessageKind.ERROR and _CANCELLED.search(message.text)
        for step in steps
        for message in step.messages
    ):
        state = ExternalState.CANCELLED
    position = told.get("positionInQueue")
    queued = state is ExternalState.WAITING and isinstance(position, int) and position >= 0
    return ExternalJob(
        id=external_id,
        name=_text(told, "name"),
        state=state,
        queue_position=position if queued else None,
        steps=steps,
        files=tuple(
            _file(_object(file, "file"), output=_text(output, "name"))
            for output in (_object(o, "output") for o in _list(told, "outputParams"))
            for file in _list(output, "files")
        ),
        progress=progress(state=state, steps=steps),
    )


def progress(*, state: ExternalState, steps: tuple[Step, ...]) -> int:
    """0 to 100 from the steps that began and the `(k/n)` of the progress lines.

    It is the furthest point that any line shows, so it never falls while lines only grow; a
    service that takes a line back, or finds more chunks, makes it fall.
    """
    if state in {ExternalState.SUCCEEDED, ExternalState.RETIRED}:
        return 100
    if state is ExternalState.WAITING:
        return 0
    reached = 97 if state is ExternalState.EXPORTING else 1
    for step in steps:
        if step.messages:
            reached = max(reached, _STEPS.get(step.name.lower(), 0))
        for message in step.messages:
            reached = max(reached, *(_line_progress(line) for line in message.text.split("\n")))
    return reached


def _line_progress(line: str) -> int:
    count = _COUNT.search(line)
    if not count or not 0 < int(count[2]) >= int(count[1]):
        return 0
    for word, begin, end in _LINES:
        if word in line.lower():
            return begin + (end - begin) * int(count[1]) // int(count[2])
    return 0


def _step(step: dict[str, Any]) -> Step:
    messages = (_object(message, "message") for message in _list(step, "logMessages"))
    return Step(
        name=plain_text(_text(step, "name"), longest=200),
        messages=tuple(
            Message(
                kind=_KINDS.get(message.get("type", 0), MessageKind.OK),
                text=plain_text(_text(message, "message")),
                at=_time(message.get("time")),
            )
            for message in messages
        ),
    )


def _file(file: dict[str, Any], *, output: str) -> ExternalFile:
    name, key, count = _text(file, "name"), _text(file, "hash"), file.get("count")
    path = PurePosixPath(name)
    if (
        not name
        or name != file["name"]
        or path.is_absolute()
        or ".." in path.parts
        or str(path) != name
        or re.search(r"[\\\x00-\x1f\x7f]", name)
        or not _HASH.fullmatch(key)
    ):
        raise Malformed("The service names a result file in a way that cannot be used.")
    return ExternalFile(
        name=name,
        locator=key,
        downloads_left=count if isinstance(count, int) and count >= 0 else None,
        size_text=plain_text(_text(file, "size"), longest=50),
        output=output or "output",
    )


def _populations(parameter: dict[str, Any], panel: str) -> tuple[str, ...]:
    """Those of `panel`; a parameter that is not bound to panels holds for all of them."""
    if parameter.get("type") != "binded_list":
        return _keys(parameter)
    groups = {_key(group): group for group in map(_value, _list(parameter, "values"))}
    group = groups.get(panel)
    if group is None:
        unversioned = {_without_version(key): value for key, value in groups.items()}
        group = unversioned.get(_without_version(panel), {})
    return _keys(group)


def _without_version(key: str) -> str:
    return re.sub(r"@v?\d[\w.-]*$", "", key)


def _keys(parameter: dict[str, Any]) -> tuple[str, ...]:
    return tuple(_key(_value(value)) for value in _list(parameter, "values"))


def _value(value: Any) -> dict[str, Any]:
    return _object(value, "value")


def _key(value: dict[str, Any]) -> str:
    key = value.get("key")
    if not isinstance(key, str) or not key or _UNSTORABLE.search(key):
        raise Malformed("The application offers a value without a usable key.")
    return key


def _build(words: str) -> str:
    named = {
        _BUILDS[word.lower()]
        for word in re.findall(r"hg\d\d|GRCh\d\d", words, re.IGNORECASE)
        if word.lower() in _BUILDS
    }
    return named.pop() if len(named) == 1 else ""


def _time(milliseconds: Any) -> datetime | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int):
        return None
    if not 0 < milliseconds < 253_402_300_800_000:  # the year 10000
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"The service's {what} is not an object.")
    return value


def _list(value: dict[str, Any], key: str, *, required: bool = False) -> list[Any]:
    found = value.get(key)
    if found is None and not required:
        return []
    if not isinstance(found, list):
        raise Malformed(f"The service's answer has no list of {key}.")
    return found


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return _UNSTORABLE.sub("", found) if isinstance(found, str) else ""
