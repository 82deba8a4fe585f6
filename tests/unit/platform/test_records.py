"""A recorded process is ours only while its start time matches."""

import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from federated_imputation.platform.records import (
    Failure,
    PlatformRecord,
    end_leftovers,
    read_record,
    record_process,
    write_record,
)
from federated_imputation.platform.state import PlatformState


@pytest.fixture
def state(tmp_path):
    return PlatformState(tmp_path)


@pytest.fixture
def sleeper():
    """A process that waits for its input to end."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def write(state, *processes):
    me = record_process("supervisor", os.getpid())
    record = PlatformRecord(phase="ready", supervisor=me, processes=processes)
    write_record(state, record)
    return record


def test_a_record_is_read_back_as_written(state):
    failure = Failure(at="2026-01-01", what="ended", tail="last words\nof it")
    record = write(state, record_process("x", None, restarts=3, failure=failure))
    assert read_record(state) == record
    assert (state.root / "processes.json").stat().st_mode & 0o777 == 0o600


def test_there_is_no_record_before_the_first_up(state):
    assert read_record(state) is None
    end_leftovers(state)


def test_leftovers_are_ended_and_forgotten(state, sleeper):
    write(state, record_process("x", sleeper.pid))
    end_leftovers(state)
    assert sleeper.wait(timeout=10) == -signal.SIGTERM
    assert read_record(state) is None


def test_a_stranger_with_the_same_process_id_is_left_alone(state, sleeper):
    ours = record_process("x", sleeper.pid)
    assert ours.is_alive
    earlier = dataclasses.replace(ours, identity=ours.identity + "0")
    assert not earlier.is_alive
    write(state, earlier)
    end_leftovers(state)
    assert sleeper.poll() is None


def test_a_zombie_is_not_alive():
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    record = record_process("x", child)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert not record.is_alive
    os.waitpid(child, 0)
