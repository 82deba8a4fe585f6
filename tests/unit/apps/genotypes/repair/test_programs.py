import os

import pytest

from apps.genotypes.repair.programs import run_plink2
from apps.genotypes.repair.refusals import Refused


@pytest.fixture
def program(tmp_path):
    """A program of these lines of shell, in place of plink2."""

    def make(text):
        path = tmp_path / "plink2"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        return str(path)

    return make


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_a_program_that_is_not_installed_is_named_with_what_to_do(work):
    with pytest.raises(Refused, match="BGEN files are converted with plink2, which is not") as told:
        run_plink2([], work, format_name="BGEN", program="plink2-that-nobody-has")
    assert told.value.rule == "plink2-missing"
    assert "apt-get install plink2" in told.value.remedy


def test_its_error_is_shown_without_our_folders(work, program, tmp_path):
    said = f"echo hello; echo 'Error: {work}/x.bgen is\n {tmp_path}/bad.' >&2; exit 3"
    with pytest.raises(Refused, match=r"could not read the file: Error: x\.bgen is bad\. ") as told:
        run_plink2([], work, format_name="BGEN", hidden=[tmp_path], program=program(said))
    assert str(tmp_path) not in str(told.value)


def test_it_gets_its_arguments_a_bound_memory_and_no_secrets(work, program, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "shown")
    run_plink2(
        ["--bgen", "x"], work, format_name="BGEN", program=program('echo "$*" > got; env > seen')
    )
    assert (work / "got").read_text() == "--bgen x --threads 1 --memory 1024\n"
    assert "SECRET_KEY" not in (work / "seen").read_text()


def test_one_that_does_not_end_is_stopped_with_all_that_it_started(work, program):
    os.mkfifo(work / "alive")
    reader = os.open(work / "alive", os.O_RDONLY | os.O_NONBLOCK)
    stuck = program("exec 3> alive; echo started >&3; sleep 600 & sleep 600")
    with pytest.raises(Refused, match="did not end within"):
        run_plink2([], work, format_name="BGEN", program=stuck, seconds=3)
    os.set_blocking(reader, True)
    assert os.read(reader, 100) == b"started\n"
    assert os.read(reader, 100) == b""  # the end comes when the last of them has died
    os.close(reader)
