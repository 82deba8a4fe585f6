"""Small panels and studies whose every genotype a test can choose."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.rules import JobLimits, PanelRules
from apps.node.pipeline.events import Reporter
from apps.node.pipeline.panels import Population, write_panel
from apps.node.pipeline.run import run_job
from apps.node.pipeline.specification import JobSpecification

KIT = Path("apps/node/kit")
POPULATIONS = [
    Population(id="afr", name="AFR", samples=120),
    Population(id="off", name="Skip", samples=-1),
]
PASSWORD = "Kit.Secret_1"


def write_vcf(path, rows, *, samples, meta=()):
    """Write BGZF; a row is (chromosome, position, REF, ALT, FILTER, calls)."""
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
    with BgzfWriter(path) as out:
        for line in ("##fileformat=VCFv4.2", *meta, "\t".join(columns)):
            out.write(line.encode() + b"\n")
        for chromosome, position, ref, alt, flag, calls in rows:
            fixed = [chromosome, str(position), ".", ref, alt, ".", flag, ".", "GT"]
            out.write("\t".join([*fixed, *calls]).encode() + b"\n")
    return path


def write_records(path, lines, *, samples):
    """Write BGZF; a line is a `qc_oracle.Line`."""
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
    with BgzfWriter(path) as out:
        out.write("\t".join(["##fileformat=VCFv4.2\n" + columns[0], *columns[1:]]).encode() + b"\n")
        for chromosome, position, name, ref, alt, flag, calls in lines:
            fixed = [chromosome, str(position), name, ref, alt, ".", flag, ".", "GT"]
            out.write("\t".join([*fixed, *calls]).encode() + b"\n")
    return path


def names(count):
    return [f"s{number}" for number in range(count)]


@pytest.fixture(scope="session")
def kit_panel(tmp_path_factory):
    return write_panel(
        tmp_path_factory.mktemp("panels"),
        id="kit-afr",
        version="1.0.0",
        name="Kit AFR (SIMULATED)",
        build="hg38",
        populations=POPULATIONS,
        genotypes={"20": KIT / "panel_AFR.vcf.gz"},
        maps={"20": KIT / "chr20.40-43Mb.map.gz"},
        simulated=True,
    )


@pytest.fixture
def make_panel(tmp_path):
    """Write a panel from rows by chromosome; ten samples unless told."""

    def make(rows, *, samples=10, build="hg38", rules=None):
        genotypes = {
            chromosome: write_vcf(
                tmp_path / f"panel{chromosome}.vcf.gz", own, samples=names(samples)
            )
            for chromosome, own in rows.items()
        }
        return write_panel(
            tmp_path / "panels",
            id="small",
            version="1.0.0",
            name="Small (SIMULATED)",
            build=build,
            populations=[Population(id="afr", name="AFR", samples=samples), POPULATIONS[1]],
            genotypes=genotypes,
            maps={},
            simulated=True,
            rules=rules or PanelRules(),
        )

    return make


@dataclass
class Outcome:
    """What a job said and left."""

    success: bool
    events: list[dict[str, Any]]
    workspace: Path

    def messages(self, kind):
        return [e["message"] for e in self.events if e.get("type") == kind]

    @property
    def outputs(self):
        return [e["path"] for e in self.events if e["event"] == "output"]

    def table(self, name):
        text = (self.workspace / "output" / "statistics" / name).read_text()
        return [line.split("\t") for line in text.splitlines()[1:]]


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    (folder / "input").mkdir(parents=True)
    return folder


@pytest.fixture
def run(workspace):
    """Run a job on all files of the workspace, in this process."""

    def run(panel, **changed):
        choices: dict[str, Any] = {
            "job_id": "job-1",
            "files": tuple(
                Path("input") / path.name for path in sorted((workspace / "input").iterdir())
            ),
            "panel_dir": panel.folder,
            "population": "off",
            "build": panel.build,
            "r2_filter": 0.0,
            "phasing": "no_phasing",
            "mode": "imputation",
            "aes": True,
            "meta": True,
            "password": PASSWORD,
            "limits": JobLimits(min_samples=5),
            "engine": "numpy",
        }
        stream = io.StringIO()
        log: list[str] = []
        job = JobSpecification(**choices | changed)
        success = run_job(workspace, job, Reporter(stream, log.append))
        events = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert PASSWORD not in stream.getvalue() + "".join(log) + repr(job)
        assert not (workspace / "work").exists()
        return Outcome(success, events, workspace)

    return run
