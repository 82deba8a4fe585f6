"""How well each engine imputes, against the truth, and what it costs.

The node's pipeline runs as the node runs it, as a child process on a study with a known truth. The
first run of each panel makes what the engine derives from it and is not counted; then the engines
take turns, so that a busy machine is busy for all of them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import pyzipper

from apps.genotypes.accuracy import measure
from apps.node.example import RealDataMissing
from apps.node.pipeline.panels import Panel
from benchmarks import Row
from federated_imputation.platform.state import CHECKOUT
from federated_imputation.platform.studies import Study, StudyPanel, prepare

__all__ = ["run"]

_ROUNDS: Final = 3
_PASSWORD: Final = "benchmark-Only1"  # noqa: S105 - of a file that is deleted at once
_STUDIES: Final = CHECKOUT / ".platform-bench"  # kept, so that the archive is asked only once


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the pipeline: what it cost, and where its dosages lie."""

    cpu_seconds: float
    peak_mb: float
    dosages: Path


def run() -> list[Row]:
    engines = ["numpy", *(["minimac4"] if shutil.which("minimac4") else [])]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="federated-imputation-bench-") as name:
        for kind in ("kit", "real"):
            try:
                study = prepare(kind, _STUDIES, say=print)
            except RealDataMissing as missing:
                rows.append(Row(figure="r², real study", value=None, note=str(missing)))
                continue
            for panel in study.panels:
                rows += _measure_panel(study, panel, engines, Path(name))
    if "minimac4" not in engines:
        rows.append(Row(figure="r², minimac4", value=None, note="minimac4 is not installed"))
    return rows


def _measure_panel(study: Study, panel: StudyPanel, engines: list[str], folder: Path) -> list[Row]:
    installed = panel.install(folder / "panels")
    runs: dict[str, list[Run]] = {engine: [] for engine in engines}
    for engine in engines:
        _impute(study, panel, installed, engine, folder / f"{panel.id}-{engine}-first")
    for turn in range(_ROUNDS):
        for engine in engines:
            workspace = folder / f"{panel.id}-{engine}-{turn}"
            runs[engine].append(_impute(study, panel, installed, engine, workspace))
    rows = []
    for engine in engines:
        rows.append(_accuracy_row(study, panel, engine, runs[engine][0].dosages))
        cpu = median(one.cpu_seconds for one in runs[engine])
        peak = max(one.peak_mb for one in runs[engine])
        rows.append(
            Row(
                figure=f"CPU, {panel.name}, {engine}",
                value=cpu,
                unit="s",
                note=f"median of {_ROUNDS}; peak memory {peak:.0f} MB",
            )
        )
    if len(engines) > 1:
        numpy, minimac4 = (median(one.cpu_seconds for one in runs[engine]) for engine in engines)
        figure = f"CPU, {panel.name}, numpy / minimac4"
        rows.append(Row(figure=figure, value=numpy / minimac4, unit="times"))
    return rows


def _accuracy_row(study: Study, panel: StudyPanel, engine: str, dosages: Path) -> Row:
    """r² of one result; the kit's AFR panel is measured at its own sites, as its bar asks."""
    bar: float | None = None
    only: Path | None = None
    if not study.simulated:
        bar = 0.955
    elif panel.id == "kit-afr":
        bar, only = {"numpy": 0.94, "minimac4": 0.93}[engine], panel.genotypes
    accuracy = measure(truth=study.truth, result=dosages, array=study.target, panel=only)
    r2 = accuracy.total.r2
    where = "of the panel, not on the array" if only else "of the truth, not on the array"
    return Row(
        figure=f"r², {panel.name}, {engine}",
        value=r2,
        bar=f"≥ {bar:g}" if bar else "",
        holds=r2 is not None and r2 >= bar if bar else None,
        note=f"{accuracy.total.sites:,} sites {where}; {accuracy.samples} samples",
    )


def _impute(study: Study, panel: StudyPanel, installed: Panel, engine: str, workspace: Path) -> Run:
    """Run the pipeline once and take the dosages out of its result.

    Raises:
        RuntimeError: It did not succeed; with what it said.
    """
    (workspace / "input").mkdir(parents=True)
    shutil.copy(study.target, workspace / "input" / "study.vcf.gz")
    specification = {
        "job_id": f"job-benchmark-{workspace.name}",
        "files": ["input/study.vcf.gz"],
        "panel_dir": str(installed.folder),
        "population": panel.population,
        "build": study.build,
        "r2_filter": 0.0,
        "phasing": "no_phasing",
        "mode": "imputation",
        "aes": True,
        "meta": True,
        "password": _PASSWORD,
        "hold_file": None,
        "limits": {"min_samples": 20, "max_samples": 50000},
        "threads": 1,
        "engine": engine,
    }
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "apps.node.pipeline"],
        cwd=workspace,
        start_new_session=True,  # it may end its whole process group
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(specification) + "\n")
        child.stdin.flush()  # and left open: its end would mean that the server died
        said = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    last = json.loads(said.strip().rpartition("\n")[2] or "{}")
    if child.returncode != 0 or not last.get("success"):
        raise RuntimeError(f"The pipeline failed with {engine} on {panel.name}:\n{said}")
    dosages = workspace / f"chr{study.chromosome}.dose.vcf.gz"
    with pyzipper.AESZipFile(workspace / "output" / f"chr_{study.chromosome}.zip") as archive:
        archive.setpassword(_PASSWORD.encode())
        dosages.write_bytes(archive.read(dosages.name))
    return Run(
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        dosages=dosages,
    )
