"""What is left of a run that ends at any moment."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading

import pytest

from apps.genotypes.repair.folder import TargetFolder
from apps.genotypes.repair.orders import Order, Repair
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair
from tests.unit.apps.genotypes.repair.damaged import STUDY, join, shuffled, study

COMMAND = [sys.executable, "-m", "apps.genotypes.repair"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def make(folder, *files, publish=True):
    with TargetFolder(folder) as target:
        for name in files:
            target.new(name).write_text(name)
        (target.work / "run1").write_text("x")
        if publish:
            target.publish()


def test_files_appear_together_and_nothing_else_stays(tmp_path):
    make(tmp_path / "new" / "out", "b", "a")
    assert names(tmp_path / "new" / "out") == ["a", "b"]


def test_nothing_stays_of_a_run_that_fails(tmp_path):
    make(tmp_path, "a", publish=False)
    assert names(tmp_path) == []


def test_a_file_that_is_there_is_never_replaced(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(Refused, match="has a file a already"):
        make(tmp_path, "b", "a")
    assert names(tmp_path) == ["a"]
    with TargetFolder(tmp_path) as target:
        target.new("b").write_text("b")
        (tmp_path / "b").write_text("came meanwhile")
        with pytest.raises(Refused, match="has a file b already"):
            target.publish()
    assert (tmp_path / "b").read_text() == "came meanwhile"


def test_two_runs_never_share_a_folder(tmp_path):
    with TargetFolder(tmp_path):
        with pytest.raises(Refused, match="Another repair"):
            make(tmp_path, "a")
        assert names(tmp_path) == [".repair"]
    make(tmp_path, "a")
    assert names(tmp_path) == ["a"]


class Killed(BaseException):
    """Stands for a process that ends here: nothing of ours runs afterwards."""


def leave(folder, files, *, before):
    """Run until a file would be moved to its place and end there, as a kill does."""

    def audit(event, arguments):
        if active and event == "os.rename" and os.fspath(arguments[1]).endswith(before):
            raise Killed

    active = [True]
    sys.addaudithook(audit)
    target = TargetFolder(folder)
    target.__enter__()
    try:
        for name in files:
            target.new(name).write_text(name)
        with pytest.raises(Killed):
            target.publish()
    finally:
        active.clear()
        os.close(target._lock)


def test_a_run_killed_before_the_deciding_moment_leaves_nothing(tmp_path):
    leave(tmp_path, ["a", "b"], before="/ready")
    assert names(tmp_path) == [".repair"]
    make(tmp_path, "c")
    assert names(tmp_path) == ["c"]


@pytest.mark.parametrize("before", ["/a", "/b"])
def test_a_run_killed_after_it_is_finished_by_the_next(tmp_path, before):
    leave(tmp_path, ["a", "b"], before=before)
    make(tmp_path, "c")
    assert names(tmp_path) == ["a", "b", "c"]
    assert (tmp_path / "b").read_text() == "b"


@pytest.fixture
def big(tmp_path):
    """A file that takes a while: 40 times the study, shuffled."""
    header, records = study()
    path = tmp_path / "study.vcf"
    path.write_bytes(join(header, shuffled(records * 40)))
    return path


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_ended_in_the_middle_leaves_the_original_and_no_result(tmp_path, big, how):
    before = big.read_bytes()
    command = [*COMMAND, big, "--into", tmp_path / "out", "--do", "sort,index,split"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        watch = threading.Timer(60, child.kill)
        watch.start()
        for line in child.stdout:
            if json.loads(line).get("progress", 0) >= 10:
                child.send_signal(how)
                break
        child.stdout.read()
        watch.cancel()
    assert child.returncode == (-how if how is signal.SIGKILL else 128 + how)
    assert big.read_bytes() == before
    assert names(tmp_path / "out") == ([".repair"] if how is signal.SIGKILL else [])
    again = Order(
        file=STUDY, name="again.vcf", into=tmp_path / "out", repairs=frozenset({Repair.BGZIP})
    )
    repair(again)
    assert names(tmp_path / "out") == ["again.vcf.gz"]


@pytest.mark.parametrize("limit", [1, 30_000])
def test_a_disk_that_fills_up_is_a_sentence_and_leaves_nothing(tmp_path, big, limit):
    command = [*COMMAND, big, "--into", tmp_path / "out", "--do", "sort,index"]
    ran = subprocess.run(
        command,
        capture_output=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    refused = json.loads(ran.stdout.splitlines()[-1])["refused"]
    assert refused["rule"] == "disk-full"
    assert "no room left" in refused["message"]
    assert names(tmp_path / "out") == []


def mount_tmpfs(folder):
    """Whether a small disk could be mounted here."""
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0


def test_a_disk_that_is_too_small_is_refused_before_the_run_starts(tmp_path, big):
    small = tmp_path / "small"
    small.mkdir()
    if not mount_tmpfs(small):
        pytest.skip("only root may mount a small disk")
    try:
        with pytest.raises(Refused, match=r"needs about \d+ MB of disk, and 0 MB are free"):
            repair(Order(file=big, name=big.name, into=small, repairs=frozenset({Repair.SORT})))
        assert names(small) == []
    finally:
        subprocess.run(["/bin/umount", str(small)], check=True)
