"""`python -m tests.security.mutate`: take each check out of the code; the walk must notice.

Each deployment is a process of its own, warmed once: its database, the scene of its walk, and for
each row of the table the functions that it runs through. Then every mutant gets a fork, which puts
it to work and walks those rows until one answers differently. What the walk cannot see (whose
secret is used in a call to a service, what happens while a database is down) the other tests have
to notice: a mutant that is left is put to work in a run of those of its part of the code. Prints
what was taken out and what noticed it, then the survivors; ends non-zero when there is one.
"""

import argparse
import importlib
import logging
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, pairwise
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import time_machine

from federated_imputation import deployments
from tests.servers import Servers

if TYPE_CHECKING:
    from tests.security.mutants import Mutant
    from tests.security.walk import Case, Row, Scene

__all__ = ["DEPLOYMENTS", "main"]

DEPLOYMENTS: Final = ("monolith", "node-afr")
# Of CPU: the whole walk, should all of it run through a mutant, takes half of it. Seconds of the
# clock would call a mutant noticed because the machine is busy.
_CHILD_CPU_SECONDS: Final = 900
# Of the walk, for a mutant that runs in nearly all of them; one that these leave is for the tests.
_MOST_ROWS: Final = 60
# HEAD is like GET, and PUT like PATCH.
_METHODS: Final = ("GET", "POST", "PATCH", "DELETE")
_Function = tuple[str, str, int]  # file, qualified name, first line


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a mutant.

    Attributes:
        noticed: The finding that gave it away; '' for a survivor.
        reached: Whether any row of the walk runs through it.
    """

    mutant: "Mutant"
    noticed: str
    reached: bool


def main(arguments: Iterable[str]) -> int:
    """Mutate the deployments that are named, by default all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.mutate", description=__doc__)
    parser.add_argument("deployments", nargs="*", default=DEPLOYMENTS)
    parser.add_argument("--part", type=int, default=1, help="only every n-th mutant, at random")
    parser.add_argument("--seed", default="", help="which of them; printed when it is not given")
    parser.add_argument("--only", default="", help="only mutants whose line holds this")
    parser.add_argument(
        "--after", default="", metavar="FILE", help="what an earlier run printed: go on behind it"
    )
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(list(arguments))
    seed = given.seed or secrets.token_hex(4)
    if given.here:
        return _mutate(
            given.deployments[0],
            part=given.part,
            seed=seed,
            only=given.only,
            known=_noticed_before(Path(given.after)) if given.after else frozenset(),
        )
    servers = None if "TEST_SERVERS_FOLDER" in os.environ else Servers()
    try:
        environment = {**os.environ, **(servers.start() if servers else {})}
        options = ["--here", f"--part={given.part}", f"--seed={seed}", f"--only={given.only}"]
        options.append(f"--after={given.after}")
        statuses = [_run(name, options, environment) for name in given.deployments]
    finally:
        if servers:
            servers.stop()
    return 1 if any(statuses) else 0  # a signal's number is negative


def _run(deployment: str, options: list[str], environment: Mapping[str, str]) -> int:
    """One deployment in a process of its own, under its own settings."""
    own = {
        "DEPLOYMENT": deployment,
        "DJANGO_SETTINGS_MODULE": deployments.by_name(deployment).settings_module,
    }
    command = [sys.executable, "-m", "tests.security.mutate", deployment, *options]
    return subprocess.run(command, env={**environment, **own}, check=False).returncode


def _noticed_before(output: Path) -> frozenset[str]:
    """The mutants that an earlier run called noticed; one whose line has moved is not the same."""
    lines = output.read_text(errors="replace").splitlines()
    return frozenset(
        mutant
        for mutant, outcome in pairwise(lines)
        if not mutant.startswith(" ")
        and outcome.startswith("    ")
        and not outcome.startswith("    not noticed")
    )


def _mutate(deployment: str, *, part: int, seed: str, only: str, known: frozenset[str]) -> int:
    import django

    django.setup()
    from django.db import connection
    from django.test.utils import override_settings, setup_test_environment

    from tests.security.mutants import mutants_of

    logging.disable(logging.CRITICAL)
    setup_test_environment()
    connection.settings_dict["TEST"]["NAME"] = f"test_mutants_{deployment}"
    connection.creation.create_test_db(verbosity=0)
    package = importlib.import_module(f"tests.security.{deployment.split('-')[0]}.stage")
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            override_settings(**package.settings(Path(folder))),
        ):
            scene = package.build_scene()
            built = datetime.now(tz=UTC)
            mutants = [
                mutant
                for module in _modules(package.MUTATED)
                for mutant in mutants_of(module)
                if only in str(mutant) and str(mutant) not in known
            ]
            if part > 1:
                mutants = random.Random(seed).sample(mutants, -(-len(mutants) // part))
            planned = _plan(scene, package.ROWS, mutants)
            connection.close()
            verdicts = []
            for verdict in _verdicts(scene, planned, built=built):
                verdicts.append(verdict)
                _show(verdict)
    finally:
        connection.close()
        connection.creation.destroy_test_db(
            deployments.by_name(deployment).database or "", verbosity=0
        )
    return _sum_up(deployment, _tested(verdicts, package.TESTS), part=part, seed=seed)


def _modules(pattern: str) -> list[Any]:
    found = {name: module for name, module in sys.modules.items() if re.fullmatch(pattern, name)}
    return [found[name] for name in sorted(found)]


def _plan(
    scene: "Scene", rows: "Iterable[Row]", mutants: "Iterable[Mutant]"
) -> "list[tuple[Mutant, list[Case]]]":
    """For each mutant the calls that run through it, the likeliest to notice it first."""
    from tests.security.endpoints import endpoints
    from tests.security.walk import cases

    by_row: dict[str, list[Case]] = {}
    for case in cases(scene, endpoints(), rows):
        plain = case.endpoint.methods is None  # takes whatever is no POST for a GET
        if not case.undeclared and case.row.method in (_METHODS[:2] if plain else _METHODS):
            by_row.setdefault(str(case.row), []).append(case)
    through = {row: _functions_of(scene, its) for row, its in by_row.items()}
    planned = []
    for mutant in mutants:
        its_rows = [
            row
            for row, functions in through.items()
            if _concerns(mutant, by_row[row][0], functions)
        ]
        # A row that runs through little is about what the mutant changes; one that tells many
        # actors apart notices more.
        its_rows.sort(key=lambda row: (-len(by_row[row][0].row.grants), len(through[row])))
        planned.append((mutant, [case for row in its_rows[:_MOST_ROWS] for case in by_row[row]]))
    return planned


def _concerns(mutant: "Mutant", case: "Case", functions: set[_Function]) -> bool:
    if mutant.view is not None:
        view = case.endpoint.view_class
        return view is not None and issubclass(view, mutant.view)
    file = str(sys.modules[mutant.module].__file__)
    return any((file, name, line) in functions for name, line in mutant.functions)


def _functions_of(scene: "Scene", its: "list[Case]") -> set[_Function]:
    """All functions of ours that some typical callers of a row run through."""
    from tests.security.walk import Calls

    seen: set[_Function] = set()
    codes: set[Any] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if code not in codes:
            codes.add(code)
            name = code.co_qualname.split(".<locals>.<")[0]
            seen.add((code.co_filename, name, code.co_firstlineno))

    calls = Calls(scene)
    # One who is let in and one who is not, in each way to say who one is.
    typical = {(case.row.expected(case.actor).status < 300, _manner(case)): case for case in its}
    for case in typical.values():
        sys.settrace(note)
        try:
            calls.make(case)
        finally:
            sys.settrace(None)
    return seen


def _manner(case: "Case") -> str:
    if case.actor.cookies:
        return "session"
    return "script" if "script" in case.actor.name else "token"


def _verdicts(
    scene: "Scene", planned: "Iterable[tuple[Mutant, list[Case]]]", *, built: datetime
) -> Iterator[Verdict]:
    """Fork for each mutant, as many at a time as there are processors.

    Args:
        built: When the scene was, which is the time of every walk: its tokens live for minutes.
    """
    waiting: dict[int, tuple[Mutant, int]] = {}
    for mutant, its in planned:
        if not its:
            yield Verdict(mutant=mutant, noticed="", reached=False)
            continue
        waiting |= _forked(scene, mutant, its, built=built)
        if len(waiting) >= (os.cpu_count() or 1):
            yield _collected(waiting)
    while waiting:
        yield _collected(waiting)


def _forked(
    scene: "Scene", mutant: "Mutant", its: "list[Case]", *, built: datetime
) -> "dict[int, tuple[Mutant, int]]":
    from tests.security.walk import walk

    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write_end)
        return {pid: (mutant, read_end)}
    status = 1
    try:
        # A mutant that never ends has changed something, too.
        signal.setitimer(signal.ITIMER_PROF, _CHILD_CPU_SECONDS)
        time_machine.travel(built).start()
        mutant.apply()
        finding = next(walk(scene, its), "")
        os.write(write_end, str(finding).encode()[:4000])
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


def _collected(waiting: "dict[int, tuple[Mutant, int]]") -> Verdict:
    pid, status = os.waitpid(-1, 0)
    mutant, read_end = waiting.pop(pid)
    with os.fdopen(read_end, "rb") as pipe:
        noticed = pipe.read().decode(errors="replace")
    if os.WIFSIGNALED(status):
        noticed = f"it ended by signal {os.WTERMSIG(status)}"
    elif os.WEXITSTATUS(status):
        raise RuntimeError(f"The walk over a mutant broke down: {mutant}")
    return Verdict(mutant=mutant, noticed=noticed, reached=True)


def _tested(verdicts: list[Verdict], tests: Mapping[str, str]) -> list[Verdict]:
    """The verdicts after the tests have judged what the walk did not notice.

    Args:
        tests: Pattern of a module's name → files and folders of its tests, which may name a
            group of it.
    """
    left: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if not verdict.noticed:
            left.setdefault(_tests_of(verdict.mutant, tests), []).append(verdict)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        judged = dict(chain.from_iterable(pool.map(_judged_by_tests, left, left.values())))
    return [judged.get(verdict, verdict) for verdict in verdicts]


def _tests_of(mutant: "Mutant", tests: Mapping[str, str]) -> str:
    return next(
        found.expand(folder)
        for pattern, folder in tests.items()
        if (found := re.fullmatch(pattern, mutant.module))
    )


def _judged_by_tests(folder: str, left: list[Verdict]) -> list[tuple[Verdict, Verdict]]:
    """Each verdict and the one of these tests instead; `tests.security.mutated` runs them."""
    # Servers of its own: two runs at a time would take each other's database away, and what then
    # fails has noticed no mutant.
    own = {name: value for name, value in os.environ.items() if name != "TEST_SERVERS_FOLDER"}
    names = [f"{verdict.mutant.module} {verdict.mutant.number}" for verdict in left]
    paths = [f"tests/{path}" for path in folder.split()]
    plugins = ["-p", "no:cacheprovider", "-p", "tests.security.mutated"]
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary) / "verdicts"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugins, *paths],
            env={**own, "MUTANTS": ",".join(names), "VERDICTS": str(report)},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = report.read_text().splitlines() if report.is_file() else []
    noticed = [line.split("\t") for line in lines]
    unchanged = ["-", ""]
    if [name for name, _ in noticed] != ["-", *names, "-"] or noticed[0] != unchanged:
        raise RuntimeError(f"{folder} fails without any mutant, too: {done.stdout[-3000:]}")
    if noticed[-1] != unchanged:
        raise RuntimeError(f"{folder} does not bear to be run twice: {done.stdout[-3000:]}")
    judged = []
    for verdict, (_, test) in zip(left, noticed[1:-1], strict=True):
        judged.append((verdict, replace(verdict, noticed=test)))
        _show(judged[-1][1])
    return judged


def _show(verdict: Verdict) -> None:
    where = "rows run through it" if verdict.reached else "no row runs through it"
    outcome = verdict.noticed or f"not noticed; {where}"
    sys.stdout.write(f"{verdict.mutant}\n    {outcome}\n")
    sys.stdout.flush()


def _sum_up(deployment: str, verdicts: list[Verdict], *, part: int, seed: str) -> int:
    """Print the survivors and the sum; return the exit status."""
    survivors = [verdict for verdict in verdicts if not verdict.noticed]
    for verdict in survivors:
        sys.stdout.write(f"survivor: {verdict.mutant}\n")
    chosen = f", one in {part} with seed {seed}" if part > 1 else ""
    sys.stdout.write(
        f"{deployment}: {len(verdicts)} mutants{chosen}, "
        f"{len(verdicts) - len(survivors)} noticed, {len(survivors)} survivors\n"
    )
    sys.stdout.flush()
    return 1 if survivors or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
