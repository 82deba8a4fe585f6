"""When a process is started again."""

import itertools
import signal
from pathlib import Path

from federated_imputation.platform.children import Child, describe_end, restart_delay
from federated_imputation.platform.records import Failure

ENDED = Failure(at="2026-01-01T00:00:00+00:00", what="ended", tail="")


def child() -> Child:
    numbers = itertools.count(2**22 + 1)  # above every process id
    return Child(name="x", launch=lambda: next(numbers), log=Path("x.log"))


def test_the_pause_doubles_from_half_a_second_to_half_a_minute():
    assert [restart_delay(n) for n in (1, 2, 3, 6, 7, 8, 1000)] == [0.5, 1, 2, 16, 30, 30, 30]


def test_a_process_that_keeps_ending_waits_longer_each_time():
    process = child()
    process.start(now=0)
    assert process.failed(ENDED, now=1) == 0.5
    assert process.restart_at == 1.5
    process.start(now=1.5)
    assert process.failed(ENDED, now=2) == 1.0
    assert process.record.restarts == 1
    assert process.record.failure == ENDED
    assert process.pid is None


def test_a_stable_run_starts_the_count_afresh():
    process = child()
    process.start(now=0)
    process.failed(ENDED, now=1)
    process.start(now=2)
    process.failed(ENDED, now=3)
    process.start(now=4)
    assert process.failed(ENDED, now=4 + 61) == 0.5


def test_failing_to_start_counts_however_long_the_pause_was():
    process = child()
    process.start(now=0)
    process.failed(ENDED, now=1)
    assert process.failed(ENDED, now=100) == 1.0
    assert process.failed(ENDED, now=200) == 2.0


def test_an_end_is_told_in_words():
    assert describe_end(-signal.SIGKILL) == "ended by SIGKILL"
    assert describe_end(3) == "ended with exit status 3"
