"""Jobs whose phasing program is a script of the test."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from cyvcf2 import VCF

from tests.unit.apps.node.pipeline.conftest import PASSWORD, names, write_vcf
from tests.unit.apps.node.pipeline.test_run import ROWS, SAMPLES, extract, targets_of

ROOT = Path(__file__).parents[6]
# Takes every genotype in the order in which it was sent.
AS_SENT = f"""\
#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.vcf import vcf_lines
if "--help" in sys.argv:
    print("Eagle v2.9.9")
    raise SystemExit
with vcf_lines(Path("targets.vcf.gz")) as lines, BgzfWriter(Path("eagle.vcf.gz")) as out:
    for line in lines:
        if not line.startswith(b"#"):
            line = line.replace(b"/", b"|").replace(b".|.", b"0|0")
        out.write(line + b"\\n")
"""
BEAGLE_SAYS = (
    '#!/bin/sh\ncase "$#" in 0) echo "beagle.99Xxx99.abc.jar (version 5.9)"; exit 0;; esac\n'
)
THROWS = BEAGLE_SAYS + (
    "echo 'Exception in thread \"main\" java.lang.Error: deep inside' >&2\n"
    "printf '\\tat main.Main.main(Main.java:110)\\n' >&2\nexec /bin/sleep 600\n"
)
ONLY = ("chr20", 1_000_500, "G", "T", "PASS", ["0/1"] * SAMPLES)


@pytest.fixture
def install(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name, content):
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)
        return folder

    return install


@pytest.fixture
def panel(make_panel):
    return make_panel({"20": ROWS})


@pytest.fixture
def study(workspace):
    """An unphased study with one site that the panel lacks."""
    rows = [
        (*row[:5], ["/".join(sorted(call.split("|"))) for call in row[5]])
        for row in targets_of(ROWS)
    ]
    rows = sorted([*rows, ONLY], key=lambda row: row[1])
    return write_vcf(workspace / "input" / "study.vcf.gz", rows, samples=names(SAMPLES))


@pytest.mark.usefixtures("study")
def test_unphased_data_is_phased_and_imputed_and_what_was_not_is_told(install, run, panel):
    install("bio-eagle", AS_SENT)
    outcome = run(panel, phasing="eagle")
    assert outcome.success, outcome.messages(1)
    said = outcome.messages(0)
    at = said.index("Phasing engine: Eagle 2.9.9")
    assert said[at + 1].startswith("<b>Phasing with Eagle (1/1)</b><br>")
    assert said[at + 2].startswith("Imputation engine: ")
    (warning,) = (m for m in outcome.messages(2) if "could not be phased" in m)
    assert warning.startswith("1 site(s) that the reference panel lacks could not be phased.")
    dose = VCF(str(extract(outcome) / "chr20.dose.vcf.gz"))
    assert "##mis_phasing=eagle 2.9.9\n" in dose.raw_header
    lacking = ONLY[1]
    (only,) = [v for v in dose if v.POS in {lacking}]
    assert only.format("DS")[:, 0].tolist() == [1.0] * SAMPLES


@pytest.mark.usefixtures("study")
def test_the_other_engine_phases_and_the_user_is_told(install, run, panel):
    install("bio-eagle", AS_SENT)
    outcome = run(panel, phasing="beagle")
    assert outcome.success
    assert (
        "Beagle is not installed on this server. Your data is phased with Eagle instead."
        in outcome.messages(2)
    )


def test_phased_data_is_phased_anew_when_an_engine_is_chosen(install, run, panel, workspace):
    install("bio-eagle", AS_SENT)
    rows = targets_of(ROWS)
    write_vcf(workspace / "input" / "study.vcf.gz", rows, samples=names(SAMPLES))
    outcome = run(panel, phasing="eagle")
    assert any(m.startswith("<b>Phasing with Eagle (1/1)</b>") for m in outcome.messages(0))
    outcome = run(panel, phasing="no_phasing")
    assert not any("Phasing with" in m for m in outcome.messages(0))
    assert (
        "##mis_phasing=no_phasing\n" in VCF(str(extract(outcome) / "chr20.dose.vcf.gz")).raw_header
    )


@pytest.mark.usefixtures("study")
def test_a_program_that_throws_fails_the_job_with_a_sentence(install, run, panel):
    install("beagle", THROWS)
    outcome = run(panel, phasing="beagle")
    assert not outcome.success
    assert outcome.messages(1)[-1] == (
        "Phasing failed.<br>Beagle failed with an error of its own, which the log of the job shows."
    )
    assert not any("deep inside" in json.dumps(event) for event in outcome.events)
    assert "chr_20.zip" not in outcome.outputs


@pytest.mark.usefixtures("study")
def test_the_job_that_is_ended_takes_its_program_along(install, panel, workspace):
    folder = install("beagle", BEAGLE_SAYS + f"echo $$ > {workspace}/pid\nexec /bin/sleep 600\n")
    job = {
        "job_id": "job-1",
        "files": ["input/study.vcf.gz"],
        "panel_dir": str(panel.folder),
        "population": "off",
        "build": "hg38",
        "r2_filter": 0.0,
        "phasing": "beagle",
        "mode": "imputation",
        "aes": True,
        "meta": True,
        "password": PASSWORD,
        "limits": {"min_samples": 5, "max_samples": 50_000},
    }
    child: Any
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "apps.node.pipeline"],
        cwd=workspace,
        env={"PYTHONPATH": str(ROOT), "PATH": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
        for line in child.stdout:
            if b"Phasing with Beagle" in line:
                break
        written = workspace / "pid"
        deadline = time.monotonic() + 60
        while not (written.exists() and written.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        program = int(written.read_text())
        child.stdin.close()  # the server is gone
        assert child.wait(timeout=60) == -signal.SIGKILL
    while psutil.pid_exists(program) and psutil.Process(program).status() != "zombie":
        assert time.monotonic() < deadline
        time.sleep(0.02)
