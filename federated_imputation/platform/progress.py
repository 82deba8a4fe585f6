"""Progress of several jobs on a terminal: bars that are redrawn, else one line for each change."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TextIO

__all__ = ["JobProgress", "ProgressDisplay", "bar_line", "change_line", "open_display"]

_BAR_CELLS: Final = 20
_NARROWEST: Final = 60
_WIDEST: Final = 100


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """One job as it is shown.

    Attributes:
        title: What the reader knows it by, here the panel's name.
        status: The platform's word for its state.
        percent: 0 to 100.
        message: The service's latest words; one line.
    """

    title: str
    status: str
    percent: int
    message: str


class ProgressDisplay(Protocol):
    """Shows all jobs as they are now; called with every one of them each time."""

    def show(self, jobs: Sequence[JobProgress]) -> None: ...


def bar_line(job: JobProgress, *, title_width: int, width: int) -> str:
    """One job as a bar, at most `width` columns."""
    filled = _BAR_CELLS * min(max(job.percent, 0), 100) // 100
    bar = "█" * filled + "░" * (_BAR_CELLS - filled)
    return _cut(
        f"  {job.title:<{title_width}}  {bar} {job.percent:>3} %  {job.status}  {job.message}",
        width,
    )


def change_line(job: JobProgress) -> str:
    """One job as a line of a log."""
    return _cut(
        f"  {job.title}: {job.percent} %, {job.status}: {job.message}".rstrip(": "), _WIDEST
    )


def open_display(stream: TextIO) -> ProgressDisplay:
    """The display that fits where `stream` goes."""
    return _Bars(stream) if stream.isatty() else _Changes(stream)


class _Bars:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = 0

    def show(self, jobs: Sequence[JobProgress]) -> None:
        width = min(max(shutil.get_terminal_size().columns - 1, _NARROWEST), _WIDEST)
        title_width = max(len(job.title) for job in jobs)
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        lines = (bar_line(job, title_width=title_width, width=width) for job in jobs)
        self._stream.write(up + "".join(f"\r\x1b[2K{line}\n" for line in lines))
        self._stream.flush()
        self._drawn = len(jobs)


class _Changes:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: dict[str, JobProgress] = {}

    def show(self, jobs: Sequence[JobProgress]) -> None:
        for job in jobs:
            if self._last.get(job.title) != job:
                self._last[job.title] = job
                self._stream.write(change_line(job) + "\n")
        self._stream.flush()


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"
