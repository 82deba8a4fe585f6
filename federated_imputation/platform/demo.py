"""`manage.py platform demo`: what a researcher would do, and how good the result is.

Prepares a study whose truth is known, installs its panels on the nodes, sends it to each through
the API, follows the jobs, downloads and decrypts the results, and compares them with the truth.
Every step may be repeated: a second demonstration sends new jobs and finds the rest done. The
platform stays up. An interruption loses nothing either: the platform goes on with the jobs.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import requests

from apps.genotypes.accuracy import FilesDiffer
from apps.node.example import RealDataMissing
from apps.node.pipeline.panels import PanelError
from apps.node.pipeline.phasing_programs import installed_phasings
from federated_imputation import deployments
from federated_imputation.platform.api_client import (
    ApiRefused,
    DownloadDiffers,
    OfferedPanel,
    PlatformApi,
)
from federated_imputation.platform.demo_jobs import JobsFailed, follow, submit
from federated_imputation.platform.demo_results import Unreadable, collect, sweep
from federated_imputation.platform.environment import inherited_variables, read_environment
from federated_imputation.platform.layout import Layout, decide_layout
from federated_imputation.platform.progress import open_display
from federated_imputation.platform.report import DemoResult, as_json, render
from federated_imputation.platform.seeds import demonstration_commands
from federated_imputation.platform.state import CHECKOUT, PlatformState
from federated_imputation.platform.status import read_status
from federated_imputation.platform.studies import Study, prepare

__all__ = ["add_arguments", "run"]

_SYNCHRONISE_SECONDS: Final = 120
_HOW_TO_PHASE: Final = (
    "To see a study imputed that was sent without phase, install Beagle: apt-get install beagle"
)


class _Stopped(Exception):
    """The demonstration cannot go on; the message says why and what to do."""


_FAILURES: Final = (
    ApiRefused,
    DownloadDiffers,
    FilesDiffer,
    JobsFailed,
    PanelError,
    RealDataMissing,
    Unreadable,
    _Stopped,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--study",
        choices=["auto", "real", "kit"],
        default=os.environ.get("STUDY") or "auto",
        help="real genotypes, the simulated kit, or real ones if they can be had "
        "(default: $STUDY, else auto)",
    )
    parser.add_argument(
        "--no-unphased",
        action="store_true",
        help="do not send the study without its phase too, though a phasing program is installed",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results for programs")


def run(options: argparse.Namespace) -> int:
    """Run the demonstration on the platform of this checkout, which must be up.

    Returns:
        0 with the table of results printed, 1 when it failed, with the reason on stderr; 130 when
        it was interrupted.
    """
    try:
        result = _demonstrate(options.study, unphased=not options.no_unphased)
    except _FAILURES as error:
        print(f"platform demo: {error}", file=sys.stderr)
        return 1
    except requests.RequestException as error:
        print(f"platform demo: the platform does not answer ({error}).", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The platform is up and goes on with what it was sent.")
        return 130
    print(f"\n{render(result)}\n")
    print(f"From the study to the results: {result.seconds:.0f} s. The platform stays up:")
    for name, url in result.addresses.items():
        print(f"  {name:<10} {url}")
    print(f"  API docs   {result.addresses['monolith']}/api/docs/")
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(result), indent=1) + "\n")
    return 0


def _demonstrate(kind: str, *, unphased: bool) -> DemoResult:
    started = time.monotonic()
    state = PlatformState.of_checkout()
    layout = _running_layout(state)
    study = prepare(kind, state.root.resolve() / "studies", say=print)  # type: ignore[arg-type]
    print(f"Study: {study.label}")
    urls = {d.name: layout.url(d) for d in layout.deployments}
    for panel in study.panels:
        panel.install(_data_root(state, panel.deployment) / "panels")

    api = PlatformApi(urls["monolith"])
    if not state.admin_password.is_file():
        raise _Stopped("no administrator was seeded here: this platform has its own database.")
    api.log_in("admin", state.admin_password.read_text().strip())
    offered = _find_panels(api, study, urls, state=state, layout=layout)
    jobs = [
        submit(api, study, panel, offer) for panel, offer in zip(study.panels, offered, strict=True)
    ]
    if unphased and installed_phasings():
        jobs.append(submit(api, study, study.panels[0], offered[0], phasing=True))
    elif unphased:
        print(_HOW_TO_PHASE)
    follow(api, jobs, open_display(sys.stdout))

    folder = state.root.resolve() / "demo"
    sweep(folder, now=time.time())
    results = tuple(collect(api, study, job, folder / job.id) for job in jobs)
    return DemoResult(
        study=study.label,
        simulated=study.simulated,
        samples=study.samples,
        panels=tuple(one for one, job in zip(results, jobs, strict=True) if not job.phasing),
        unphased=tuple(one for one, job in zip(results, jobs, strict=True) if job.phasing),
        seconds=time.monotonic() - started,
        addresses=urls,
    )


def _running_layout(state: PlatformState) -> Layout:
    if not state.root.exists():
        raise _Stopped("the platform is not running; start it with `make up`.")
    layout = decide_layout({}, remembered_offset=state.port_offset)
    sick = [row for row in read_status(state, layout).deployments if row.health != "healthy"]
    if sick:
        states = ", ".join(f"{row.name} is {row.health}" for row in sick)
        raise _Stopped(f"{states}; `make up` starts what is not running.")
    return layout


def _data_root(state: PlatformState, deployment: str) -> Path:
    prefix = deployments.by_name(deployment).env_prefix
    return Path(read_environment(state, deployment)[f"{prefix}_DATA_ROOT"])


def _find_panels(
    api: PlatformApi, study: Study, urls: dict[str, str], *, state: PlatformState, layout: Layout
) -> list[OfferedPanel]:
    """The study's panels as the platform knows them; it discovers new ones when it is asked to."""

    def look() -> list[OfferedPanel | None]:
        return [
            api.find_panel(service_url=urls[panel.deployment], key=panel.key)
            for panel in study.panels
        ]

    if None in look():
        _synchronise(state, layout)
    found = look()
    for panel, offer in zip(study.panels, found, strict=True):
        if offer is None:
            raise _Stopped(f"the platform did not find {panel.key} at {panel.deployment}.")
    return [offer for offer in found if offer is not None]


def _synchronise(state: PlatformState, layout: Layout) -> None:
    """Let the monolith ask our nodes what they offer.

    Raises:
        _Stopped: It failed; with the last line that it said.
    """
    for deployment, commands in demonstration_commands(state=state, layout=layout).items():
        for command in commands:
            done = subprocess.run(
                [sys.executable, str(CHECKOUT / "manage.py"), *command],
                env={
                    **inherited_variables(os.environ),
                    **read_environment(state, deployment.name),
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SYNCHRONISE_SECONDS,
                check=False,
            )
            if done.returncode != 0:
                last = done.stderr.strip().rpartition("\n")[2]
                raise _Stopped(f"the nodes could not be registered: {last}")
