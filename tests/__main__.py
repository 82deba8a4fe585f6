"""`python -m tests`: every suite under the settings that it ships with, on the same real servers.

A process has one Django settings module, so each deployment's tests are a pytest run of their
own. They run side by side, since some mostly wait, and those that mostly compute give way to them.
With `TESTS=whole` in the environment, as in `.ci/run`, also those run that nobody waits for at a
desk, and none takes a sample of what it could try. Prints each run as it ends, then every skip with
its reason, then `<n> passed, <n> failed`, and exits non-zero when anything failed or nothing ran.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from federated_imputation import deployments
from tests.extent import is_whole
from tests.servers import Servers


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One pytest run.

    Attributes:
        name: What is printed.
        deployment: Whose settings it runs under.
        paths: Files and folders, and what to leave out of them.
        waits: Whether it mostly waits, for processes to start, die and come back, so that it is
            slow where it has to queue for a processor as well.
        everyday: Whether it runs without being asked for, too.
    """

    name: str
    deployment: str
    paths: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    waits: bool = False
    everyday: bool = True


@dataclass(frozen=True, kw_only=True)
class Outcome:
    suite: Suite
    passed: int
    failed: int
    skips: tuple[str, ...]
    output: str


_GIVING_WAY: Final = ("nice", "-n", "10")

SUITES = (
    Suite(name="chaos", deployment="monolith", paths=("tests/chaos",), waits=True, everyday=False),
    Suite(name="end to end", deployment="monolith", paths=("tests/e2e",), waits=True),
    Suite(
        name="security",
        deployment="monolith",
        paths=("tests/security",),
        ignored=("tests/security/node",),
    ),
    Suite(name="jobs", deployment="monolith", paths=("tests/unit/monolith/jobs",)),
    Suite(
        name="monolith",
        deployment="monolith",
        paths=("tests/unit/monolith",),
        ignored=("tests/unit/monolith/jobs",),
    ),
    Suite(name="contract", deployment="monolith", paths=("tests/contract",)),
    Suite(
        name="libraries",
        deployment="monolith",
        paths=("tests/unit",),
        ignored=("tests/unit/monolith", "tests/unit/apps/node"),
    ),
    Suite(name="node", deployment="node-afr", paths=("tests/unit/apps/node",)),
    Suite(name="fuzz", deployment="monolith", paths=("tests/fuzz",), everyday=False),
    Suite(name="security of a node", deployment="node-afr", paths=("tests/security/node",)),
)


def run(suite: Suite, *, number: int, environment: dict[str, str], report: Path) -> Outcome:
    """Run one suite and count what its report says; a run without a report is one failure.

    Args:
        number: Of the logical database of the Redis-protocol server that is the suite's own.
    """
    settings = deployments.by_name(suite.deployment).settings_module
    command = [sys.executable, "-m", "pytest", "-q", f"--ds={settings}", f"--junitxml={report}"]
    command += ["--durations=10", "--durations-min=5"]
    command += [*suite.paths, *(f"--ignore={path}" for path in suite.ignored)]
    if not suite.waits:
        command = [*_GIVING_WAY, *command]
    done = subprocess.run(
        command,
        env={
            **environment,
            "REDIS_URL": f"{environment['REDIS_URL'].rpartition('/')[0]}/{number}",
            "DEPLOYMENT": suite.deployment,
            "TEST_SUITE": suite.name.replace(" ", "_"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    nothing_collected = done.returncode == 5
    passed, failed, skips = (0, 0, ()) if nothing_collected else _count(report)
    if done.returncode not in {0, 5} and failed == 0:
        failed = 1  # it crashed, or something outside a test failed
    return Outcome(suite=suite, passed=passed, failed=failed, skips=skips, output=done.stdout)


def _count(report: Path) -> tuple[int, int, tuple[str, ...]]:
    if not report.is_file():
        return 0, 1, ()
    passed = failed = 0
    skips = []
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is not None:
            skips.append(f"{case.get('classname')}.{case.get('name')}: {skip.get('message')}")
        else:
            passed += 1
    return passed, failed, tuple(skips)


def main(arguments: Iterable[str]) -> int:
    """Run the suites whose names hold one of `arguments`, or what is usual; return the status."""
    wanted = list(arguments)
    if wanted:
        suites = [s for s in SUITES if any(word in s.name for word in wanted)]
    else:
        suites = [s for s in SUITES if s.everyday or is_whole()]
    servers = Servers()
    outcomes = []
    try:
        environment = {**os.environ, **servers.start()}
        with (
            tempfile.TemporaryDirectory() as folder,
            ThreadPoolExecutor(max_workers=len(SUITES)) as pool,
        ):
            jobs = [
                pool.submit(
                    run,
                    suite,
                    number=number,
                    environment=environment,
                    report=Path(folder) / f"{number}.xml",
                )
                for number, suite in enumerate(suites)
            ]
            for job in jobs:
                outcome = job.result()
                outcomes.append(outcome)
                sys.stdout.write(f"── {outcome.suite.name} ──\n{outcome.output}\n")
                sys.stdout.flush()
    finally:
        servers.stop()
    for outcome in outcomes:
        for skip in outcome.skips:
            sys.stdout.write(f"skipped: {skip}\n")
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
