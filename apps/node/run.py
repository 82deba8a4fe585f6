"""One run of one job: what its pipeline says becomes rows.

A run ends in one of three ways. The pipeline finishes and says how it went; then the job passes
through EXPORTING. Its user cancels; then what was complete stays. Or the child ends without a
verdict; then the job has failed, and says so in Cloudgene's words.
"""

import html
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings

from apps.node import passwords, workspaces
from apps.node.child import Event, Exited, Finished, MessageShown, OutputWritten, StepStarted
from apps.node.models import Job, Message
from apps.node.operations import runs
from apps.node.operations.jobs import STEPS
from apps.node.states import State
from apps.shared.durable import is_no_room

__all__ = ["Run"]

logger = logging.getLogger(__name__)
_LOGS: Final = "cloudgene_logs"
_LOG: Final = "job.log"
_EXPORTED: Final = "Data have been exported successfully."
_FAILED: Final = "Pipeline execution failed."
_CANCELED: Final = "Canceled by user."
_PACKING: Final = "Compression and Encryption"


class Run:
    """Writes what happens to `job`; every write waits until the database takes it.

    Attributes:
        canceled: Whether the child was killed at the user's wish; set by the runner.
        log: File that the child's standard error and the run's beginning and end go to.

    Its methods raise `runs.RunLost` when another server has the job.
    """

    def __init__(
        self, job: Job, *, server: UUID, patiently: Callable[[Callable[[], None]], None]
    ) -> None:
        self.job = job
        self.canceled = False
        self.log: Final[Path] = workspaces.workspace(job.pk) / _LOGS / _LOG
        self._server = server
        self._patiently = patiently
        self._number = 0
        self._step = STEPS[0]
        self._success: bool | None = None
        self._has_archive = False

    def is_cancel_requested(self) -> bool:
        return Job.objects.filter(pk=self.job.pk, cancel_requested_at__isnull=False).exists()

    def take(self, event: Event, at: datetime) -> None:
        """Write one event; returns when it is in the database."""
        match event:
            case StepStarted():
                self._step = event.name
                self._apply(partial(runs.begin_step, name=event.name))
                if event.name == STEPS[-1]:
                    self._start_export()
            case MessageShown():
                text = event.text
                if text == _EXPORTED and self._has_archive and self.job.password_is_generated:
                    text += self._password_shown()
                self._show(event.type, text, at, replace=event.replace)
                if _PACKING in event.text:
                    self._start_export()
            case OutputWritten():
                self._has_archive |= event.path.endswith(".zip")
                self._offer(event.output, event.path)
            case Finished():
                self._success = event.success
            case Exited():
                self._end(event.status, at)

    def refuse(self, message: str, now: datetime) -> None:
        """End the job as failed in its first step, for a reason to tell."""
        self._show(Message.Type.ERROR, message, now)
        self._show(Message.Type.ERROR, _FAILED, now)
        self._close(State.FAILED, now)

    def give_up(self, now: datetime) -> None:
        """End the job as failed with the database alone, whatever is wrong with its files."""
        self._show(Message.Type.ERROR, _FAILED, now)
        self._end_run(State.FAILED, now)

    def _end(self, status: int, at: datetime) -> None:
        if self.canceled and self._success is None:
            self._show(Message.Type.ERROR, _CANCELED, at)
            self._close(State.CANCELED, at)
        elif self._success is None or status != 0:
            self._write_log(at, f"The pipeline ended with status {status}.")
            self._show(Message.Type.ERROR, _FAILED, at)
            self._close(State.FAILED, at)
        else:
            self._start_export()
            self._close(State.SUCCESS if self._success else State.FAILED, at)

    def _close(self, outcome: State, at: datetime) -> None:
        """Offer all logs, end the job, and only then remove its uploads."""
        self._write_log(at, f"Ended as {outcome.name}.")
        for path in sorted(self.log.parent.iterdir()):
            self._offer(_LOGS, path.name)
        self._end_run(outcome, at)
        workspaces.remove_all_but_outputs(self.job.pk)
        logger.info("Job %s ended as %s.", self.job.pk, outcome.name)

    def _end_run(self, outcome: State, at: datetime) -> None:
        self._patiently(
            partial(runs.end_run, job_id=self.job.pk, server=self._server, outcome=outcome, now=at)
        )

    def _password_shown(self) -> str:
        """Told as by a server that sends no mail, since the user knows it from nowhere else."""
        password = html.escape(passwords.decrypt(self.job.password))
        return f" We encrypted the results with the following password: <b>{password}</b>"

    def _show(self, kind: int, text: str, at: datetime, *, replace: bool = False) -> None:
        self._apply(
            partial(runs.add_message, step=self._step, type=kind, text=text, replace=replace, at=at)
        )

    def _offer(self, output: str, path: str) -> None:
        size = workspaces.settle_output(self.job.pk, output, path)
        self._apply(
            partial(
                runs.add_output,
                output=output,
                path=path,
                size=size,
                downloads=settings.NODE_DOWNLOADS,
            )
        )

    def _start_export(self) -> None:
        self._patiently(partial(runs.start_export, job_id=self.job.pk, server=self._server))

    def _apply(self, write: Callable[..., None]) -> None:
        self._patiently(
            partial(write, job_id=self.job.pk, server=self._server, number=self._number + 1)
        )
        self._number += 1

    def _write_log(self, at: datetime, text: str) -> None:
        try:
            with self.log.open("a", encoding="utf-8") as log:
                log.write(f"{at.isoformat(timespec='milliseconds')} {text}\n")
        except OSError as error:  # on a full disk the job still ends, and says why
            if not is_no_room(error):
                raise
            logger.error("The log of job %s could not be written: the disk is full.", self.job.pk)
