"""The pipeline as the server runs it: a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyzipper
from cyvcf2 import VCF

from tests.unit.apps.node.pipeline.conftest import KIT, PASSWORD

ROOT = Path(__file__).parents[5]


class Process:
    """A running job; its standard input stays open until `die`."""

    def __init__(self, workspace, job, path):
        self.workspace = workspace
        self.child: Any = subprocess.Popen(
            [sys.executable, "-P", "-m", "apps.node.pipeline"],
            cwd=workspace,
            env={"PYTHONPATH": str(ROOT), "PATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.tell(json.dumps(job).encode() + b"\n")

    def tell(self, line):
        self.child.stdin.write(line)
        self.child.stdin.flush()

    def events(self):
        return [json.loads(line) for line in self.child.stdout]

    def end(self):
        self.child.kill()
        self.child.wait()
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            stream.close()


@pytest.fixture
def start(workspace, kit_panel):
    """Start the job of the kit's study."""
    shutil.copy(KIT / "target.phased.vcf.gz", workspace / "input")
    job = {
        "job_id": "job-1",
        "files": ["input/target.phased.vcf.gz"],
        "panel_dir": str(kit_panel.folder),
        "population": "afr",
        "build": "hg38",
        "r2_filter": 0.0,
        "phasing": "no_phasing",
        "mode": "imputation",
        "aes": True,
        "meta": True,
        "password": PASSWORD,
        "hold_file": None,
        "limits": {"min_samples": 20, "max_samples": 50_000},
        "threads": 1,
    }
    started = []

    def start(*, path=os.environ["PATH"], **changed):
        started.append(Process(workspace, job | changed, path))
        return started[-1]

    yield start
    for process in started:
        process.end()


def accuracy(result):
    """Squared Pearson r over the dosages at true sites that the panel has and the array lacks."""
    array = {(v.POS, v.REF, v.ALT[0]) for v in VCF(str(KIT / "target.phased.vcf.gz"))}
    imputed = {
        (v.POS, v.REF, v.ALT[0]): v.format("DS").reshape(-1)
        for v in VCF(str(result))
        if v.INFO.get("IMPUTED")
    }
    truth, found = [], []
    for v in VCF(str(KIT / "truth.vcf.gz")):
        site = (v.POS, v.REF, v.ALT[0])
        if site in imputed and site not in array:
            truth.append(v.genotype.array()[:, :2].sum(axis=1))
            found.append(imputed[site])
    return len(truth), np.corrcoef(np.ravel(truth), np.ravel(found))[0, 1] ** 2


@pytest.mark.parametrize(
    ("engine", "least"),
    [
        ("numpy", 0.945),
        pytest.param(
            "minimac4",
            0.93,
            marks=pytest.mark.skipif(
                shutil.which("minimac4") is None, reason="minimac4 is not installed"
            ),
        ),
    ],
)
def test_kit_is_imputed_as_well_as_promised(start, engine, least):
    process = start(engine=engine)
    events = process.events()
    assert process.child.wait() == 0
    assert events[-1] == {"event": "finished", "success": True}
    assert any(e.get("message", "").startswith(f"Imputation engine: {engine}") for e in events)
    archive = process.workspace / "output" / "chr_20.zip"
    with pyzipper.AESZipFile(archive) as packed:
        packed.setpassword(PASSWORD.encode())
        packed.extractall(process.workspace / "x")
    sites, r2 = accuracy(process.workspace / "x" / "chr20.dose.vcf.gz")
    assert sites == 5759
    assert r2 >= least
    empirical = VCF(str(process.workspace / "x" / "chr20.empiricalDose.vcf.gz"))
    assert len(list(empirical("chr20:40000000-41000000"))) > 100
    log = (process.workspace / "cloudgene_logs" / "step1-pipeline.log").read_text()
    assert f"Imputation engine: {engine}" in log
    everything = log + json.dumps(events) + process.child.stderr.read().decode()
    assert PASSWORD not in everything
    for path in process.workspace.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()


def test_failed_job_ends_with_its_verdict_and_status_0(start, workspace):
    (workspace / "input" / "target.phased.vcf.gz").write_bytes(b"garbage")
    process = start()
    events = process.events()
    assert process.child.wait() == 0
    assert events[-1] == {"event": "finished", "success": False}
    assert events[-2] == {
        "event": "output",
        "output": "cloudgene_logs",
        "path": "step1-pipeline.log",
    }


def test_crash_ends_without_a_verdict(start, workspace):
    (workspace / "cloudgene_logs").write_text("no folder")
    process = start()
    events = process.events()
    assert process.child.wait() != 0
    assert all(e["event"] != "finished" for e in events)


def test_line_that_is_no_job_shows_nothing_of_it(start):
    process = start(limits=PASSWORD)
    assert process.events() == []
    assert process.child.wait() != 0
    assert PASSWORD not in process.child.stderr.read().decode()


def test_end_of_the_server_ends_the_job_and_all_that_it_started(start, tmp_path):
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "minimac4"
    program.write_text(
        "#!/bin/sh\n"
        'case "$1" in --version) echo 4.0.0; exit 0;; --compress-reference) exit 0;; esac\n'
        f'exec 3> "{fifo}"\n'
        "echo started >&3\n"
        "sleep 600\n"
    )
    program.chmod(0o755)
    process = start(engine="minimac4", path=f"{folder}{os.pathsep}{os.defpath}")
    with fifo.open() as alive:
        assert alive.readline() == "started\n"
        process.child.stdin.close()
        assert alive.read() == ""  # ends when the last holder of the pipe is gone
    assert process.child.wait() == -signal.SIGKILL
