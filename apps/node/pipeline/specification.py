"""The job as the server hands it over: one line of JSON on standard input."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.genotypes.rules import JobLimits

__all__ = ["BadSpecification", "JobSpecification"]


class BadSpecification(ValueError):
    """The line is not a job; this is a fault of the server, not of the user."""


@dataclass(frozen=True, kw_only=True)
class JobSpecification:
    """One job.

    Values that users chose (`population`, `build`, `phasing`, `mode`) are not checked here: a
    wrong one fails the job in its first step, with a message.

    Attributes:
        files: Below the workspace.
        password: Of the result archives; in memory only.
        hold_file: Development only: see `Holds`.
        engine: `auto`, `minimac4` or `numpy`.
        phasing_memory_mb: Memory that a phasing engine may take, in MB.
    """

    job_id: str
    files: tuple[Path, ...]
    panel_dir: Path
    population: str
    build: str
    r2_filter: float
    phasing: str
    mode: str
    aes: bool
    meta: bool
    password: str = field(repr=False)
    hold_file: Path | None = None
    limits: JobLimits = field(default_factory=JobLimits)
    threads: int = 1
    engine: str = "auto"
    phasing_memory_mb: int = 4096

    @classmethod
    def parse(cls, line: bytes) -> "JobSpecification":
        """Read the line.

        Raises:
            BadSpecification: it is not a job.
        """
        try:
            given: dict[str, Any] = json.loads(line)
            hold = given.get("hold_file")
            return cls(
                job_id=str(given["job_id"]),
                files=tuple(Path(name) for name in given["files"]),
                panel_dir=Path(given["panel_dir"]),
                population=str(given["population"]),
                build=str(given["build"]),
                r2_filter=float(given["r2_filter"]),
                phasing=str(given["phasing"]),
                mode=str(given["mode"]),
                aes=bool(given["aes"]),
                meta=bool(given["meta"]),
                password=str(given["password"]),
                hold_file=Path(hold) if hold else None,
                limits=JobLimits(**given.get("limits", {})),
                threads=int(given.get("threads", 1)),
                engine=str(given.get("engine") or "auto"),
                phasing_memory_mb=int(given.get("phasing_memory_mb", 4096)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # The line holds the password, so neither it nor the error's text may show.
            raise BadSpecification(f"not a job ({type(error).__name__})") from None
