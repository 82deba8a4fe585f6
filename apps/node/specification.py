"""From a job's row to what its pipeline is told."""

from typing import Any

from django.conf import settings

from apps.node import passwords, workspaces
from apps.node.models import Job
from apps.node.queries import panel_of

__all__ = ["CannotRun", "specify"]


class CannotRun(Exception):
    """The job cannot be given to the pipeline; the text is for its user, as HTML."""


def specify(job: Job) -> dict[str, Any]:
    """The specification of a job, with its password: to be written to a pipe, never to disk.

    Raises:
        CannotRun: A parameter that the submission did not look at is impossible.
    """
    parameters = job.parameters
    panel = panel_of(job)
    if panel is None:
        raise CannotRun(f"Reference panel '{parameters['refpanel']}' not found.")
    try:
        r2_filter = float(parameters["r2Filter"])
    except ValueError as error:
        raise CannotRun(f"rsq filter '{parameters['r2Filter']}' is not a number.") from error
    try:
        password = passwords.decrypt(job.password)
    except passwords.PasswordLost as error:
        raise CannotRun("The password of this job is lost; please submit it again.") from error
    inputs = workspaces.workspace(job.pk) / "input"
    return {
        "job_id": job.pk,
        "files": [f"input/{path.name}" for path in sorted(inputs.iterdir())],
        "panel_dir": str(panel.folder.resolve()),
        "population": parameters["population"],
        "build": parameters["build"],
        "r2_filter": r2_filter,
        "phasing": parameters["phasing"],
        # The real pipeline, too, does all of its work for exactly this word.
        "mode": "imputation" if parameters["mode"] == "imputation" else "qc_only",
        "aes": parameters["aesEncryption"],
        "meta": parameters["meta"],
        "password": password,
        "hold_file": settings.NODE_HOLD_FILE or None,
        "limits": {
            "min_samples": settings.NODE_MIN_SAMPLES,
            "max_samples": settings.NODE_MAX_SAMPLES,
        },
        "threads": settings.NODE_THREADS,
        "engine": settings.NODE_ENGINE,
        "phasing_memory_mb": settings.NODE_PHASING_MEMORY_MB,
    }
