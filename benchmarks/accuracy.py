"""How well each engine imputes, against the truth, and what it costs.

The node's pipeline runs as the node runs it, as a child process on a study with a known truth: the
study as it is, phased, and without its phase through each phasing engine that is installed. The
first run of each panel makes what the engines derive from it and is not counted; then the engines
take turns, so that a busy machine is busy for all of them.

The table of `docs/reference/engines.md` is written too.
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

from apps.genotypes.accuracy import MAF_BINS, Accuracy, measure
from apps.genotypes.phase_accuracy import SwitchErrors, measure_switches
from apps.node.example import RealDataMissing
from apps.node.pipeline.panels import Panel
from apps.node.pipeline.phasing_programs import installed_phasings
from benchmarks import Row
from federated_imputation.platform.state import CHECKOUT
from federated_imputation.platform.studies import Study, StudyPanel, prepare

__all__ = ["run"]

_ROUNDS: Final = 3
_PASSWORD: Final = "benchmark-Only1"  # noqa: S105 - of a file that is deleted at once
_STUDIES: Final = CHECKOUT / ".platform-bench"  # kept, so that the archive is asked only once
_PAGE: Final = CHECKOUT / "docs" / "reference" / "engines.md"
_BEGIN: Final = "<!-- quality: written by `python -m benchmarks accuracy` -->\n"
_END: Final = "<!-- end of quality -->\n"
_PHASES: Final = {"no_phasing": "as sent, true", "beagle": "Beagle", "eagle": "Eagle"}


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to a result: how the study is phased and what imputes it."""

    phasing: str
    engine: str

    def __str__(self) -> str:
        return self.engine if self.phasing == "no_phasing" else f"{self.phasing} + {self.engine}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the pipeline: what it cost, and where its results lie."""

    cpu_seconds: float
    peak_mb: float
    dosages: Path
    empirical: Path


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What one way gave with one panel."""

    panel: str
    way: Way
    accuracy: Accuracy
    switches: SwitchErrors
    cpu_seconds: float
    peak_mb: float


def run() -> list[Row]:
    engines = ["numpy", *(["minimac4"] if shutil.which("minimac4") else [])]
    phasings = installed_phasings()
    rows: list[Row] = []
    found: list[Quality] = []
    with tempfile.TemporaryDirectory(prefix="federated-imputation-bench-") as name:
        for kind in ("real", "kit"):
            try:
                study = prepare(kind, _STUDIES, say=print)
            except RealDataMissing as missing:
                rows.append(Row(figure="r², real study", value=None, note=str(missing)))
                continue
            for panel in study.panels:
                ways = [Way(phasing="no_phasing", engine=engine) for engine in engines]
                if panel is study.panels[0]:
                    ways += [Way(phasing=p, engine=e) for p in phasings for e in engines]
                rows += _measure_panel(study, panel, ways, Path(name), found)
    for program, there in (("minimac4", engines), ("beagle", phasings), ("eagle", phasings)):
        if program not in there:
            rows.append(Row(figure=f"r², {program}", value=None, note=f"{program} is missing"))
    _write_page(found)
    return rows


def _measure_panel(
    study: Study, panel: StudyPanel, ways: list[Way], folder: Path, found: list[Quality]
) -> list[Row]:
    installed = panel.install(folder / "panels")
    runs: dict[Way, list[Run]] = {way: [] for way in ways}
    for way in ways:
        if way.phasing == "no_phasing":
            _impute(study, panel, installed, way, folder / f"{panel.id}-{way}-first")
    for turn in range(_ROUNDS):
        for way in ways:
            if turn and way.phasing != "no_phasing":  # long enough to be measured once
                continue
            workspace = folder / f"{panel.id}-{way}-{turn}"
            runs[way].append(_impute(study, panel, installed, way, workspace))
    rows = []
    for way in ways:
        cpu = median(one.cpu_seconds for one in runs[way])
        peak = max(one.peak_mb for one in runs[way])
        found.append(_quality(study, panel, way, runs[way][0], cpu=cpu, peak=peak))
        rows.append(_accuracy_row(study, panel, way, runs[way][0].dosages))
        rows.append(
            Row(
                figure=f"CPU, {panel.name}, {way}",
                value=cpu,
                unit="s",
                note=f"median of {len(runs[way])}; peak memory {peak:.0f} MB",
            )
        )
    phased = [way for way in ways if way.phasing == "no_phasing"]
    if len(phased) > 1:
        numpy, minimac4 = (median(one.cpu_seconds for one in runs[way]) for way in phased)
        figure = f"CPU, {panel.name}, numpy / minimac4"
        rows.append(Row(figure=figure, value=numpy / minimac4, unit="times"))
    return rows


def _quality(
    study: Study, panel: StudyPanel, way: Way, result: Run, *, cpu: float, peak: float
) -> Quality:
    return Quality(
        panel=panel.name,
        way=way,
        accuracy=measure(truth=study.truth, result=result.dosages, array=study.target),
        switches=measure_switches(truth=study.target, phased=result.empirical),
        cpu_seconds=cpu,
        peak_mb=peak,
    )


def _write_page(found: list[Quality]) -> None:
    """Put the table into its place on the page."""
    bins = [f"{lower:g}-{upper:g}" for lower, upper in MAF_BINS]
    header = ["panel", "phase", "imputed by", "switch errors", *bins, "all", "CPU", "memory"]
    lines = [
        "| " + " | ".join(header) + " |",
        "| --- | --- | --- |" + " ---: |" * (len(header) - 3),
    ]
    for one in found:
        parts = (*one.accuracy.bins, one.accuracy.total)
        rate = one.switches.rate
        cells = [
            one.panel,
            _PHASES[one.way.phasing],
            one.way.engine,
            "0" if not one.switches.switches else f"{100 * (rate or 0):.2f} %",
            *("" if part.r2 is None else f"{part.r2:.4f}" for part in parts),
            f"{one.cpu_seconds:.1f} s",
            f"{one.peak_mb:,.0f} MB",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    table = "\n".join([*lines, ""])
    page = _PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    _PAGE.write_text(f"{head}{_BEGIN}\n{table}\n{_END}{tail}", encoding="utf-8")


def _accuracy_row(study: Study, panel: StudyPanel, way: Way, dosages: Path) -> Row:
    """r² of one result; the kit's AFR panel is measured at its own sites, as its bar asks."""
    bar: float | None = None
    only: Path | None = None
    if not study.simulated:
        bar = 0.955
    elif panel.id == "kit-afr":
        only = panel.genotypes
        bar = {"numpy": 0.94, "minimac4": 0.93}[way.engine]
        bar = bar if way.phasing == "no_phasing" else None
    accuracy = measure(truth=study.truth, result=dosages, array=study.target, panel=only)
    r2 = accuracy.total.r2
    where = "of the panel, not on the array" if only else "of the truth, not on the array"
    return Row(
        figure=f"r², {panel.name}, {way}",
        value=r2,
        bar=f"≥ {bar:g}" if bar else "",
        holds=r2 is not None and r2 >= bar if bar else None,
        note=f"{accuracy.total.sites:,} sites {where}; {accuracy.samples} samples",
    )


def _impute(study: Study, panel: StudyPanel, installed: Panel, way: Way, workspace: Path) -> Run:
    """Run the pipeline once and take the genotypes out of its result.

    Raises:
        RuntimeError: It did not succeed; with what it said.
    """
    (workspace / "input").mkdir(parents=True)
    sent = study.target if way.phasing == "no_phasing" else study.unphased
    shutil.copy(sent, workspace / "input" / "study.vcf.gz")
    specification = {
        "job_id": f"job-benchmark-{workspace.name}",
        "files": ["input/study.vcf.gz"],
        "panel_dir": str(installed.folder),
        "population": panel.population,
        "build": study.build,
        "r2_filter": 0.0,
        "phasing": way.phasing,
        "mode": "imputation",
        "aes": True,
        "meta": True,
        "password": _PASSWORD,
        "hold_file": None,
        "limits": {"min_samples": 20, "max_samples": 50000},
        "threads": 1,
        "engine": way.engine,
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
        raise RuntimeError(f"The pipeline failed with {way} on {panel.name}:\n{said}")
    dosages, empirical = (
        workspace / f"chr{study.chromosome}.{kind}.vcf.gz" for kind in ("dose", "empiricalDose")
    )
    with pyzipper.AESZipFile(workspace / "output" / f"chr_{study.chromosome}.zip") as archive:
        archive.setpassword(_PASSWORD.encode())
        for path in (dosages, empirical):
            path.write_bytes(archive.read(path.name))
    return Run(
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        dosages=dosages,
        empirical=empirical,
    )
