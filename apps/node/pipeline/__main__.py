"""`python -m apps.node.pipeline`: one job in a process of its own.

The server starts it in the job's workspace and writes one line to its standard input, the job
(`specification`); events come back on standard output (`events`). Standard input then stays open
as a life line: when it ends, the server is gone, and this process ends at once with all that it
started. It ends with status 0 whenever it could say whether the job succeeded.
"""

import os
import signal
import sys
import threading
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path

from apps.node.pipeline.events import Reporter
from apps.node.pipeline.specification import JobSpecification
from apps.shared.durable import is_no_room

LOG = Path("step1-pipeline.log")

_STDIN = 0


def main() -> None:
    _lead_a_group()
    job = JobSpecification.parse(_read_line())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    # Read by numpy's libraries when they are loaded, so before anything imports numpy.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(job.threads)
    from apps.node.pipeline.run import PIPELINE, run_job

    workspace = Path.cwd()
    folder = workspace / "cloudgene_logs"
    folder.mkdir(exist_ok=True)
    with (folder / LOG).open("ab", buffering=0) as file:
        reporter = Reporter(sys.stdout, lambda line: _log(file, line))
        reporter.log(f"{PIPELINE}, job {job.job_id}")
        success = run_job(workspace, job, reporter)
        reporter.log("Succeeded." if success else "Failed.")
    reporter.output("cloudgene_logs", LOG)
    reporter.finished(success=success)


def _log(file: RawIOBase, line: str) -> None:
    try:
        file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n".encode())
    except OSError as error:  # what the user is told is no matter of the log
        if not is_no_room(error):
            raise


def _lead_a_group() -> None:
    """Make sure that ending our process group ends nothing but this job."""
    if os.getpgrp() != os.getpid():
        os.setsid()


def _read_line() -> bytes:
    """The first line of standard input, unbuffered: the rest is the watching thread's."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(_STDIN, 1)
        if not piece:
            raise SystemExit("no job on standard input")
        line += piece
    return bytes(line)


def _end_with_the_server() -> None:
    while os.read(_STDIN, 4096):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
