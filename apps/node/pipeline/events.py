"""What the pipeline tells the server: one JSON object a line, in the words that users see."""

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

__all__ = ["JobFailed", "OutputName", "Progress", "Reporter", "listing"]

OK, ERROR, WARNING, RUNNING = range(4)

OutputName = Literal["output", "cloudgene_logs"]


class JobFailed(Exception):
    """The job cannot go on.

    Attributes:
        messages: Why, as HTML, one error message each.
    """

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


def listing(pairs: Iterable[tuple[str, object]], *, between: str = "<br>") -> str:
    """Lines `label: value`, escaped."""
    return between.join(f"{escape(label)}: {escape(str(value))}" for label, value in pairs)


class Reporter:
    """Write events to a stream, and what they say to the job's log."""

    def __init__(self, stream: TextIO, log: Callable[[str], None]) -> None:
        self._stream = stream
        self.log = log
        self._is_running = False

    def step(self, name: str) -> None:
        self.log(f"== {name}")
        self._is_running = False
        self._send(event="step", name=name)

    def ok(self, message: str) -> None:
        self._message(OK, message)

    def warning(self, message: str) -> None:
        self._message(WARNING, message)

    def error(self, message: str) -> None:
        self._message(ERROR, message)

    def running(self, message: str) -> None:
        """A line that the next message replaces, whatever its kind."""
        self._send(event="message", type=RUNNING, message=message, replace=True)
        self._is_running = True

    def output(self, output: OutputName, path: Path) -> None:
        """A file below the output's folder is complete."""
        self._send(event="output", output=output, path=path.as_posix())

    def finished(self, *, success: bool) -> None:
        self._send(event="finished", success=success)

    def progress(self, label: str, total: int) -> "Progress":
        return Progress(self, label, total)

    def _message(self, kind: int, message: str) -> None:
        self.log(message)
        self._send(event="message", type=kind, message=message, replace=self._is_running)
        self._is_running = False

    def _send(self, **event: Any) -> None:
        self._stream.write(json.dumps(event) + "\n")
        self._stream.flush()


class Progress(AbstractContextManager["Progress"]):
    """One line with a progress bar, `Imputation (1/4)`.

    It counts whole parts; `share` moves the bar within the part at hand. The bar never falls and
    is sent at each whole per cent only. Leaving ends the line, as an error after an exception.
    """

    def __init__(self, reporter: Reporter, label: str, total: int) -> None:
        self._reporter = reporter
        self._label = label
        self._total = total
        self._done = 0
        self._percent = -1
        self._show(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._percent = 100
            self._reporter.ok(self._text())
        else:
            self._reporter.error(self._text())

    def share(self, share: float) -> None:
        """How much of the part at hand is done, 0 to 1."""
        self._show((self._done + min(max(share, 0), 1)) / max(self._total, 1))

    def part(self) -> None:
        """A part is done."""
        self._done += 1
        self._percent -= 1
        self._show(self._done / max(self._total, 1))

    def _show(self, share: float) -> None:
        percent = int(100 * share)
        if percent > self._percent:
            self._percent = percent
            self._reporter.running(self._text())

    def _text(self) -> str:
        return (
            f"<b>{self._label} ({self._done}/{self._total})</b><br>"
            '<div class="progress" style="height: 10px;">'
            '<div class="progress-bar" role="progressbar" '
            f'style="width: {max(self._percent, 0)}%"></div></div>'
        )
