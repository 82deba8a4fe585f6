"""One check or repair from its beginning to its end, in a child process, under a lease.

The file is a stranger's, and what reads it is large: a crash, an endless loop or a flood of memory
must cost the run and nothing else. What is written is written by `operations.runs`, under the
claim; this module starts the child, listens, and sees to it that no child outlives its run.
"""

import logging
import queue
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from apps.genotypes.builds import BUILDS
from apps.genotypes.check.report import MalformedReport, Report
from apps.shared.children import Child, Exited, Garbled
from apps.shared.confined import Limits
from apps.shared.leases import Claim, Hold, LeaseLost, held
from federated_imputation.monolith.files import commands, first_look, queries, storage
from federated_imputation.monolith.files.commands import Command
from federated_imputation.monolith.files.endings import why_it_failed
from federated_imputation.monolith.files.models import MOST_STARTS, FileRun, GenotypeFile
from federated_imputation.monolith.files.operations import panel_sites, runs
from federated_imputation.monolith.files.operations.genotypes import StorageFull
from federated_imputation.monolith.registry import queries as registry

__all__ = ["work"]

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
# Turns the command that was decided into the one that is started, so that tests bring their own.
Choose = Callable[[Command], Command]
_MEGABYTE: Final = 1024 * 1024
_LOOK_SECONDS: Final = 0.5


class _Failed(Exception):
    """The run cannot be done; the sentence says why."""


def work(
    run_id: UUID,
    *,
    clock: Clock = timezone.now,
    choose: Choose = lambda command: command,
    connect: panel_sites.Connect = registry.connect,
    is_ending: Callable[[], bool] = lambda: False,
) -> None:
    """Do a run, if it is at work and nobody else does it.

    May be called twice, late or for a run that is gone: the row decides. An unexpected exception
    rises; the lease then runs out and the run is done again.

    Args:
        is_ending: Whether this worker is told to end: the run is then given back for another one.
    """
    claimed = runs.RUNS.claim(run_id, now=clock())
    if claimed is None:
        return
    with held(claimed, clock=clock) as hold:
        try:
            _Work(
                claimed,
                hold=hold,
                clock=clock,
                choose=choose,
                connect=connect,
                is_ending=is_ending,
            ).do()
        except LeaseLost:
            logger.info("The run %s is cancelled or another worker's; it is dropped.", run_id)


class _Work:
    def __init__(
        self,
        claimed: Claim,
        *,
        hold: Hold,
        clock: Clock,
        choose: Choose,
        connect: panel_sites.Connect,
        is_ending: Callable[[], bool],
    ) -> None:
        self._claim = claimed
        self._hold = hold
        self._clock = clock
        self._choose = choose
        self._connect = connect
        self._is_ending = is_ending
        self._run = runs.begin_run(claimed, now=clock())
        self._place = storage.absolute(str(storage.MAKING / str(claimed.pk)))
        self._stage = ""
        self._progress = 0

    def do(self) -> None:
        try:
            if self._claim.fence > MOST_STARTS:
                raise _Failed(
                    f"The {self._run.kind} was begun {MOST_STARTS} times and never came to an "
                    "end. Split the file and try again."
                )
            self._do(self._file())
        except (_Failed, StorageFull) as error:
            runs.fail_run(self._claim, message=str(error), now=self._clock())
        finally:
            storage.remove_folder(self._place)

    def _file(self) -> Path:
        try:
            return queries.locate_genotypes(self._run.file)
        except queries.FileGone:
            raise _Failed("The bytes of the file are no longer here.") from None

    def _do(self, file: Path) -> None:
        storage.remove_folder(self._place)  # of a worker that was killed
        into = self._place / str(self._claim.fence)
        storage.make_folder(into)
        if self._run.kind == FileRun.Kind.CHECK:
            self._check(file, into)
        else:
            self._repair(file, into)

    def _check(self, file: Path, into: Path) -> None:
        parameters = self._run.parameters
        panels = parameters["panels"]
        self._ask_for_sites(panels)
        said = self._listen(
            commands.check_command(
                parameters,
                file=file,
                name=self._run.file.name,
                tables=_tables(panels),
                builds=_builds(panels),
            ),
            folder=into,
        )
        try:
            report = Report.from_json(said["report"])
        except (KeyError, MalformedReport):
            raise _Failed("The check ended without a report. Tell the operators.") from None
        told = _with_reasons(report)
        runs.finish_check(self._claim, report=told.to_json(), now=self._clock())

    def _ask_for_sites(self, panel_ids: list[int]) -> None:
        """Let the services of those panels whose sites were never fetched be asked now."""
        for panel_id in set(panel_ids) - _tables(panel_ids).keys():
            self._stage = "sites"
            self._look()
            panel_sites.fetch_sites(
                panel_id,
                clock=self._clock,
                user_id=self._run.file.user_id,
                connect=self._connect,
            )

    def _repair(self, file: Path, into: Path) -> None:
        parameters = self._run.parameters
        panel = parameters.get("panel")
        tables = _tables([panel] if panel is not None else []).get(panel)
        said = self._listen(
            commands.repair_command(
                parameters, file=file, name=self._run.file.name, into=into, tables=tables
            ),
            folder=into,
        )
        if "refused" in said:
            refused = said["refused"]
            raise _Failed(f"{refused['message']} {refused['remedy']}".strip())
        try:
            made = [_made(entry, into) for entry in said["made"]]
            done = [dict(entry) for entry in said["done"]]
        except (KeyError, TypeError, ValueError, OSError, first_look.NoGenotypes):
            raise _Failed("The repair ended without a result. Tell the operators.") from None
        runs.finish_repair(
            self._claim,
            user_id=self._run.file.user_id,
            made=made,
            done=done,
            now=self._clock(),
        )

    def _listen(self, command: Command, *, folder: Path) -> dict[str, Any]:
        """The last line of the child, which has ended well.

        Raises:
            _Failed: It has not.
            LeaseLost: The run is cancelled, or another worker's; the child is killed.
        """
        chosen = self._choose(command)
        child = Child(
            chosen.module, chosen.arguments, limits=_limits(self._run.file), folder=folder
        )
        try:
            return self._follow(child)
        finally:
            child.close()

    def _follow(self, child: Child) -> dict[str, Any]:
        deadline = time.monotonic() + settings.FILE_RUN_SECONDS
        look_at = 0.0
        last: dict[str, Any] = {}
        while True:
            if time.monotonic() >= deadline:
                raise _Failed(
                    f"The {self._run.kind} took longer than {settings.FILE_RUN_SECONDS:,} seconds. "
                    "Split the file by chromosome and try again."
                )
            if time.monotonic() >= look_at:
                self._look()
                look_at = time.monotonic() + _LOOK_SECONDS
            with suppress(queue.Empty):
                match child.events.get(timeout=max(0.0, look_at - time.monotonic())):
                    case Exited(status=0):
                        return last
                    case Exited(status=status, errors=errors):
                        logger.warning("The child of run %s ended with %d.", self._run.pk, status)
                        raise _Failed(why_it_failed(self._run.kind, status=status, errors=errors))
                    case Garbled():
                        raise _Failed(
                            f"The {self._run.kind} said something that is no report. Tell the "
                            "operators."
                        )
                    case said:
                        last = dict(said.fields)
                        self._stage = str(last.get("stage", self._stage))
                        progress = last.get("progress", self._progress)
                        self._progress = progress if isinstance(progress, int) else self._progress

    def _look(self) -> None:
        """Write down how far the child is; a database that is away for a moment costs nothing.

        Raises:
            LeaseLost: The claim does not hold any more.
        """
        self._hold.check()
        if self._is_ending():
            runs.give_back(self._claim)
            raise LeaseLost
        try:
            runs.note_progress(self._claim, stage=self._stage, progress=self._progress)
        except (OperationalError, InterfaceError):
            logger.warning("The progress of run %s could not be written.", self._run.pk)
            connection.close()


def _limits(file: GenotypeFile) -> Limits:
    most = queries.storage_limit(user_id=file.user_id)
    return Limits(
        memory=settings.FILE_RUN_MEMORY_MB * _MEGABYTE,
        file_size=max(most, file.size),
        cpu_seconds=settings.FILE_RUN_SECONDS,
    )


def _tables(panel_ids: list[int]) -> dict[int, Path]:
    """The folders of the site tables of those panels that have some."""
    return {
        panel_id: storage.absolute(sites.folder)
        for panel_id, sites in queries.site_tables(panel_ids=panel_ids).items()
        if sites.folder
    }


def _with_reasons(report: Report) -> Report:
    """The report, where a panel whose sites are not known says why they are not."""
    unknown = [int(panel.key) for panel in report.panels if not panel.known]
    sites = queries.site_tables(panel_ids=unknown)
    panels = []
    for panel in report.panels:
        row = None if panel.known else sites.get(int(panel.key))
        reasons = (*panel.reasons, row.message) if row and row.message else panel.reasons
        panels.append(replace(panel, reasons=reasons))
    return replace(report, panels=tuple(panels))


def _builds(panel_ids: list[int]) -> dict[int, str]:
    """The builds of those panels whose rows tell."""
    panels = registry.panels_by_id(panel_ids=panel_ids)
    return {pk: panel.build for pk, panel in panels.items() if panel.build in BUILDS}


def _made(entry: dict[str, Any], into: Path) -> runs.Made:
    """A file that the child says it made.

    Raises:
        KeyError, TypeError, ValueError: It does not say what it must.
        OSError: It did not make it.
    """
    name, sha256 = str(entry["name"]), str(entry["sha256"])
    place = into / name
    if place.parent != into or place.is_symlink():
        raise ValueError("a made file is not in its folder")
    looked = first_look.look_at_made(place, name=name)
    return runs.Made(
        place=place,
        name=name,
        size=place.stat().st_size,
        sha256=sha256,
        format=looked.format,
        chromosome=entry.get("chromosome"),
        first_look=looked.report.to_json(),
    )
