"""What may be imported before a fork, and what a fork becomes."""

import os
import subprocess
import sys

import pytest

from federated_imputation.platform.zygote import PRELOADED, Request, Zygote, ZygoteGone

CHECK = """
import os
from federated_imputation.platform import zygote
zygote.preload()
from django.conf import settings
assert not settings.configured
assert len(os.listdir("/proc/self/task")) == 1, "a second thread"
"""


def test_preloading_needs_no_settings_and_starts_no_thread():
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHECK],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_preloaded_modules_are_listed_once_in_order():
    assert list(PRELOADED) == sorted(set(PRELOADED))


FORKED = """
import ctypes, os, sys
from pathlib import Path
from federated_imputation.platform.zygote import Request, Zygote
folder = Path(sys.argv[1])
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
zygote = Zygote()
first = zygote.spawn(log=folder / "zygote.log")
request = Request(
    name="version", program="commands", arguments={"lines": [["version"]]},
    environment={"ENVIRONMENT": "check", "DEPLOYMENT": "node-afr", "PATH": "/bin"},
    log=str(folder / "child.log"),
)
child = zygote.fork(request)
assert os.waitpid(child, 0) == (child, 0), "not our child, or failed"
zygote.close()
assert os.waitpid(first, 0) == (first, 0), "the zygote outlived its line"
"""


def test_a_fork_is_a_child_of_the_supervisor_with_its_own_environment_and_log(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    log = tmp_path / "child.log"
    assert done.returncode == 0, done.stderr
    assert log.read_text().strip().startswith("5.")
    assert log.stat().st_mode & 0o777 == 0o600


def test_asking_a_zygote_that_is_not_there_says_so(tmp_path):
    request = Request(
        name="x", program="web", arguments={}, environment={"SECRET": "hidden"}, log="x"
    )
    assert "hidden" not in repr(request)
    with pytest.raises(ZygoteGone):
        Zygote().fork(request)
