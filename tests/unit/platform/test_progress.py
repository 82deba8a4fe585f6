"""Progress on a terminal and in a log."""

import io

from federated_imputation.platform.progress import (
    JobProgress,
    bar_line,
    change_line,
    open_display,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def job(
    title: str = "Panel A", percent: int = 50, message: str = "Imputation (1/2)"
) -> JobProgress:
    return JobProgress(title=title, status="running", percent=percent, message=message)


def test_bar_fills_with_the_percentage() -> None:
    empty, half, full = (
        bar_line(job(percent=percent), title_width=7, width=100) for percent in (0, 50, 100)
    )

    assert [line.count("█") for line in (empty, half, full)] == [0, 10, 20]
    assert [line.count("░") for line in (empty, half, full)] == [20, 10, 0]
    assert " 50 %  running  Imputation (1/2)" in half


def test_bar_stays_within_the_terminal() -> None:
    line = bar_line(job(message="x" * 300), title_width=7, width=80)

    assert len(line) == 80
    assert line.endswith("…")


def test_terminal_redraws_all_jobs_in_place() -> None:
    terminal = Terminal()
    display = open_display(terminal)

    display.show([job("A", 10), job("B", 10)])
    display.show([job("A", 20), job("B", 10)])

    first, second = terminal.getvalue().split("\x1b[2A")
    assert first.count("\n") == second.count("\n") == 2
    assert " 20 %" in second


def test_log_gets_one_line_for_each_change() -> None:
    log = io.StringIO()
    display = open_display(log)

    display.show([job("A", 10), job("B", 10)])
    display.show([job("A", 10), job("B", 10)])
    display.show([job("A", 10), job("B", 30)])

    assert log.getvalue().splitlines() == [
        change_line(job("A", 10)),
        change_line(job("B", 10)),
        change_line(job("B", 30)),
    ]
    assert "\x1b" not in log.getvalue()
