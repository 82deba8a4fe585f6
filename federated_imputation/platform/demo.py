"""`manage.py platform demo`: what a researcher would do, and how good the result is.

Prepares a study whose truth is known, installs its panels on the nodes, sends it to each through
the API, follows the jobs, downloads and decrypts the results, and compares them with the truth.
Every step may be repeated: a second demonstration sends new jobs and finds the rest done. The
platform stays up. An interruption loses nothing either: the platform goes on with the jobs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyzipper
import requests

from apps.genotypes.accuracy import FilesDiffer, measure, summarise
from apps.node.pipeline.panels import PanelError
from federated_imputation import deployments
from federated_imputation.platform.api_client import (
    ApiRefused,
    DownloadDiffers,
    Job,
    OfferedPanel,
    PlatformApi,
)
from federated_imputation.platform.environment import inherited_variables, read_environment
from federated_imputation.platform.example import RealDataMissing
from federated_imputation.platform.layout import Layout, decide_layout
from federated_imputation.platform.progress import JobProgress, ProgressDisplay, open_display
from federated_imputation.platform.report import (
    DemoResult,
    PanelResult,
    ResultFile,
    as_json,
    render,
)
from federated_imputation.platform.seeds import demonstration_commands
from federated_imputation.platform.state import CHECKOUT, PlatformState
from federated_imputation.platform.status import read_status
from federated_imputation.platform.studies import Study, StudyPanel, prepare

__all__ = ["add_arguments", "run"]

_POLL_SECONDS: Final = 1.0
_SYNCHRONISE_SECONDS: Final = 120
_FORGET_SECONDS: Final = 7 * 24 * 3600.0


class DemoFailed(Exception):
    """The demonstration cannot go on; the message says why and what to do."""


@dataclass(kw_only=True)
class _Sent:
    """A job of the demonstration.

    Attributes:
        started: When its upload began, on the monotonic clock.
        seconds: From then until it was seen to be over; None while it is not.
    """

    panel: StudyPanel
    id: str
    started: float
    latest: Job
    seconds: float | None = None

    def progress(self) -> JobProgress:
        return JobProgress(
            title=self.panel.name,
            status=self.latest.status,
            percent=self.latest.percent,
            message=self.latest.message,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--study",
        choices=["auto", "real", "kit"],
        default=os.environ.get("STUDY") or "auto",
        help="real genotypes, the simulated kit, or real ones if they can be had "
        "(default: $STUDY, else auto)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results for programs")


def run(options: argparse.Namespace) -> int:
    """Run the demonstration on the platform of this checkout, which must be up.

    Returns:
        0 with the table of results printed, 1 when it failed, with the reason on stderr; 130 when
        it was interrupted.
    """
    try:
        result = _demonstrate(options.study)
    except (DemoFailed, RealDataMissing, PanelError, ApiRefused, DownloadDiffers, FilesDiffer) as e:
        print(f"platform demo: {e}", file=sys.stderr)
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


def _demonstrate(kind: str) -> DemoResult:
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
        raise DemoFailed("no administrator was seeded here: this platform has its own database.")
    api.log_in("admin", state.admin_password.read_text().strip())
    offered = _find_panels(api, study, urls, state=state, layout=layout)
    sent = [
        _submit(api, study, panel, offer)
        for panel, offer in zip(study.panels, offered, strict=True)
    ]
    _follow(api, sent, open_display(sys.stdout))
    _refuse_failures(sent)

    folder = state.root.resolve() / "demo"
    _sweep(folder)
    results = tuple(_collect(api, study, job, folder / job.id) for job in sent)
    return DemoResult(
        study=study.label,
        simulated=study.simulated,
        samples=study.samples,
        panels=results,
        seconds=time.monotonic() - started,
        addresses=urls,
    )


def _running_layout(state: PlatformState) -> Layout:
    if not state.root.exists():
        raise DemoFailed("the platform is not running; start it with `make up`.")
    layout = decide_layout({}, remembered_offset=state.port_offset)
    sick = [row for row in read_status(state, layout).deployments if row.health != "healthy"]
    if sick:
        states = ", ".join(f"{row.name} is {row.health}" for row in sick)
        raise DemoFailed(f"{states}; `make up` starts what is not running.")
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
            raise DemoFailed(f"the platform did not find {panel.key} at {panel.deployment}.")
    return [offer for offer in found if offer is not None]


def _synchronise(state: PlatformState, layout: Layout) -> None:
    """Let the monolith ask our nodes what they offer.

    Raises:
        DemoFailed: It failed; with the last line that it said.
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
                raise DemoFailed(f"the nodes could not be registered: {last}")


def _submit(api: PlatformApi, study: Study, panel: StudyPanel, offer: OfferedPanel) -> _Sent:
    started = time.monotonic()
    job_id = api.submit(
        name=f"Demonstration, {panel.name}",
        panel=offer,
        build=study.build,
        population=panel.population,
        phasing=False,  # the study is phased
        input_file=study.target,
    )
    return _Sent(panel=panel, id=job_id, started=started, latest=api.job(job_id))


def _follow(api: PlatformApi, sent: Sequence[_Sent], display: ProgressDisplay) -> None:
    """Show the jobs until all are over."""
    while True:
        for job in sent:
            if job.seconds is None:
                job.latest = api.job(job.id)
                if job.latest.is_over:
                    job.seconds = time.monotonic() - job.started
        display.show([job.progress() for job in sent])
        if all(job.seconds is not None for job in sent):
            return
        time.sleep(_POLL_SECONDS)


def _refuse_failures(sent: Sequence[_Sent]) -> None:
    bad = [job for job in sent if job.latest.status != "completed"]
    if not bad:
        return
    parts = []
    for job in bad:
        events = "".join(f"\n    {event.status}: {event.message}" for event in job.latest.events)
        reason = job.latest.reason or "no reason given"
        parts.append(f"{job.panel.name} is {job.latest.status}: {reason}{events}")
    raise DemoFailed("\n".join(parts))


def _collect(api: PlatformApi, study: Study, job: _Sent, folder: Path) -> PanelResult:
    """Download everything, open the genotypes and compare them with the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for file in api.files(job.id):
        path = folder / file.name.replace("/", "_")
        digest = api.download(job.id, file, path)
        files.append(ResultFile(name=file.name, size=file.size, sha256=digest, path=str(path)))
    dosages = _decrypt(
        folder / f"chr_{study.chromosome}.zip",
        member=f"chr{study.chromosome}.dose.vcf.gz",
        password=api.reveal_password(job.id),
        into=folder,
    )
    events = job.latest.events
    return PanelResult(
        panel=job.panel.name,
        node=job.panel.deployment,
        job_id=job.id,
        service_job_id=job.latest.service_job_id,
        status=job.latest.status,
        submissions=sum({"attempt", "external_id"} <= event.facts.keys() for event in events),
        seconds=job.seconds or 0.0,
        summary=summarise(dosages),
        accuracy=measure(truth=study.truth, result=dosages, array=study.target),
        files=tuple(files),
        events=tuple(f"{event.status}: {event.message}" for event in events),
    )


def _decrypt(archive: Path, *, member: str, password: str, into: Path) -> Path:
    """Take `member` out of an encrypted zip, block by block.

    Raises:
        DemoFailed: There is no such archive or member, or the password does not open it.
    """
    path = into / member
    try:
        with pyzipper.AESZipFile(archive) as opened:
            opened.setpassword(password.encode())
            with opened.open(member) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 18)
    except (OSError, KeyError, RuntimeError, pyzipper.BadZipFile) as error:
        raise DemoFailed(f"{archive.name} could not be opened: {error}") from error
    return path


def _sweep(folder: Path) -> None:
    """Remove downloads of demonstrations that are a week old."""
    if not folder.is_dir():
        return
    for old in folder.iterdir():
        if time.time() - old.stat().st_mtime > _FORGET_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
