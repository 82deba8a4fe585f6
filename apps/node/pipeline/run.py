"""A job from its first to its last step.

The steps are those of imputationserver2: Input Validation, Quality Control, Phasing and
Imputation, Summary. Each may end the job by `JobFailed`, whose messages are then the last of the
step; what was written until then is announced all the same, since it holds the reasons.
"""

import shutil
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import cast

from apps.genotypes.builds import spelled
from apps.genotypes.chromosome_x import whole
from apps.genotypes.job_rules import check_chromosome_x, check_totals
from apps.node.pipeline.chunk_files import ChunkFile
from apps.node.pipeline.engines import (
    ChunkFiles,
    ChunkTask,
    Engine,
    EngineChoice,
    EngineFailed,
    choose_engine,
)
from apps.node.pipeline.events import JobFailed, Reporter
from apps.node.pipeline.export import export_chromosome
from apps.node.pipeline.frequencies import Frequencies
from apps.node.pipeline.holds import HeldStep, wait_while_held
from apps.node.pipeline.panel_index import panel_sites
from apps.node.pipeline.panels import Panel, PanelError, read_panel
from apps.node.pipeline.phasing import (
    ENGINES,
    PhasedChunk,
    PhasingEngine,
    PhasingFailed,
    choose_phasing,
    phase_chunk,
)
from apps.node.pipeline.quality_control import QualityControl, run_qc
from apps.node.pipeline.report import exclusions, page, statistics, text_report
from apps.node.pipeline.specification import JobSpecification
from apps.node.pipeline.statistics import STATISTICS
from apps.node.pipeline.validation import (
    Study,
    check_choices,
    check_phase,
    read_study,
    summary,
    warnings,
)
from apps.shared.durable import is_no_room

__all__ = ["PIPELINE", "run_job"]

PIPELINE = "federated-imputation node 1.0"

OVERLAP = 500_000


def run_job(workspace: Path, job: JobSpecification, reporter: Reporter) -> bool:
    """Run a job in its workspace; True if it succeeded.

    Files for the user appear in `<workspace>/output/`, each announced when it is complete. The
    folder `<workspace>/work/` is used meanwhile and removed.
    """
    work = workspace / "work"
    work.mkdir(parents=True, exist_ok=True)
    try:
        _Run(workspace, work, job, reporter).steps()
    except JobFailed as failure:
        for message in failure.messages:
            reporter.error(message)
        return False
    except OSError as error:
        if not is_no_room(error):
            raise
        reporter.error(
            "The disk of this server is full. Nothing is wrong with your data: please submit it "
            "again later."
        )
        return False
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return True


class _Run:
    def __init__(
        self, workspace: Path, work: Path, job: JobSpecification, reporter: Reporter
    ) -> None:
        self.workspace = workspace
        self.output = workspace / "output"
        self.work = work
        self.job = job
        self.reporter = reporter

    def steps(self) -> None:
        self.output.mkdir(exist_ok=True)
        self.reporter.step("Input Validation")
        panel = self._panel()
        study = self._validate(panel)
        self.reporter.step("Quality Control")
        self._hold("qc")
        qc = self._check_quality(study, panel)
        if self.job.mode == "imputation":
            self.reporter.step("Phasing and Imputation")
            self._hold("imputation")
            if self._phasing is not None:
                self._phase(qc, panel, self._phasing)
            imputed = self._impute(qc, panel)
            self._export(imputed, panel)
        self.reporter.step("Summary")
        self.reporter.ok("Data have been exported successfully.")

    def _hold(self, step: HeldStep) -> None:
        wait_while_held(step, self.job.hold_file, say=self.reporter.running)

    def _panel(self) -> Panel:
        try:
            return read_panel(self.job.panel_dir)
        except PanelError as error:
            raise self._broken(error) from error

    def _broken(self, error: PanelError) -> JobFailed:
        # Paths are the operator's business: they go to the log, not to the user.
        self.reporter.log(str(error))
        return JobFailed("The reference panel cannot be read. Please contact the operators.")

    def _validate(self, panel: Panel) -> Study:
        check_choices(self.job, panel)
        if self.job.phasing in ENGINES:
            self._phasing = choose_phasing(self.job.phasing)
        study = read_study(
            self.workspace,
            self.job,
            panel,
            analyze=lambda name: self.reporter.running(f"Analyze file <b>{escape(name)}</b>..."),
        )
        check_phase(study, self.job, self._phasing)
        self.reporter.ok(summary(study, self.job, panel))
        for warning in warnings(study, self.job, self._phasing):
            self.reporter.warning(warning)
        return study

    def _check_quality(self, study: Study, panel: Panel) -> QualityControl:
        if self.job.build != panel.build:
            raise JobFailed(
                f"Uploaded data is {self.job.build} and reference is {panel.build}.",
                f"The chain file {self.job.build}To{panel.build[0].upper()}{panel.build[1:]}"
                ".over.chain.gz is not installed on this server, so your data cannot be lifted "
                f"over. Please upload it in build {panel.build}.",
            )
        people = next(p.samples for p in panel.populations if p.id == self.job.population)
        qc = QualityControl(
            frequencies=Frequencies(panel_alleles=2 * people) if people > 0 else None
        )
        if qc.frequencies is None:
            self.reporter.warning("Skip allele frequency check.")
        self.reporter.running("Calculating quality control statistics...")
        try:
            run_qc(
                study,
                panel,
                sites=lambda chromosome: panel_sites(panel, chromosome),
                result=qc,
                statistics=self.output / "statistics",
                folder=self.work,
            )
        except PanelError as error:
            raise self._broken(error) from error
        finally:
            self._announce_quality(qc, panel)
        self.reporter.ok(statistics(qc))
        self.reporter.warning(exclusions(qc, panel.rules))
        reasons = [
            *check_totals(qc.totals, len(qc.chunks), panel.rules),
            *check_chromosome_x(mixed=qc.mixed_x, conflicts=qc.ploidy_conflicts, rules=panel.rules),
        ]
        if reasons:
            raise JobFailed(*reasons)
        return qc

    def _announce_quality(self, qc: QualityControl, panel: Panel) -> None:
        (self.output / "qc_report.txt").write_text(text_report(qc, panel), encoding="utf-8")
        (self.output / "quality-control.html").write_text(page(qc, panel), encoding="utf-8")
        for name in ("qc_report.txt", "quality-control.html"):
            self.reporter.output("output", Path(name))
        for name in STATISTICS:
            path = Path("statistics") / name
            if (self.output / path).exists():
                self.reporter.output("output", path)

    def _phase(self, qc: QualityControl, panel: Panel, engine: PhasingEngine) -> None:
        """Put phased chunks in the place of those that quality control left."""
        self.reporter.ok(f"Phasing engine: {escape(engine.name)} {escape(engine.version)}")
        phased: list[PhasedChunk] = []
        try:
            with self.reporter.progress(f"Phasing with {engine.name}", len(qc.chunks)) as progress:
                for file in qc.chunks:
                    one = phase_chunk(
                        file.chunk,
                        file.path,
                        panel,
                        engine,
                        before=phased[-1] if phased else None,
                        margin=OVERLAP,
                        threads=self.job.threads,
                        memory_mb=self.job.phasing_memory_mb,
                        folder=self.work / f"{file.chunk.name}.phased",
                        progress=progress.share,
                        log=self.reporter.log,
                    )
                    phased.append(one)
                    file.path.unlink()
                    progress.part()
        except PhasingFailed as error:
            raise JobFailed(f"Phasing failed.<br>{escape(str(error))}") from error
        except PanelError as error:
            raise self._broken(error) from error
        qc.chunks = [
            replace(file, path=one.path) for file, one in zip(qc.chunks, phased, strict=True)
        ]
        qc.first_is_whole = all(one.first_is_whole for one in phased)
        if left := sum(one.left for one in phased):
            self.reporter.warning(
                f"{left:,} site(s) that the reference panel lacks could not be phased. They stay "
                "in the results as they were uploaded; which haplotype carries an allele is not "
                "known there."
            )

    def _impute(self, qc: QualityControl, panel: Panel) -> dict[str, list[ChunkFiles]]:
        imputed: dict[str, list[ChunkFiles]] = {}
        choice = cast(EngineChoice, self.job.engine)
        try:
            engine = choose_engine(choice, first_is_whole=qc.first_is_whole)
            self._engine = engine
            self.reporter.ok(f"Imputation engine: {escape(engine.name)} {escape(engine.version)}")
            with self.reporter.progress("Imputation", len(qc.chunks)) as progress:
                for chunk in qc.chunks:
                    files = engine.impute(self._task(chunk, panel), progress=progress.share)
                    imputed.setdefault(whole(chunk.chunk.chromosome), []).append(files)
                    progress.part()
        except EngineFailed as error:
            raise JobFailed(f"Imputation failed.<br>{escape(str(error))}") from error
        except PanelError as error:
            raise self._broken(error) from error
        return imputed

    def _task(self, file: ChunkFile, panel: Panel) -> ChunkTask:
        chunk = file.chunk
        folder = self.work / chunk.name
        folder.mkdir()
        return ChunkTask(
            panel=panel,
            chromosome=chunk.chromosome,
            spelled=spelled(whole(chunk.chromosome), panel.build),
            start=chunk.start,
            end=chunk.end,
            overlap=OVERLAP,
            targets=file.path,
            samples=file.samples,
            r2_filter=self.job.r2_filter,
            threads=self.job.threads,
            folder=folder,
        )

    def _export(self, imputed: dict[str, list[ChunkFiles]], panel: Panel) -> None:
        origin = [
            f"##mis_pipeline={PIPELINE}",
            f"##mis_engine={self._engine.name} {self._engine.version}",
            f"##mis_phasing={self._phasing_name}",
            f"##mis_panel={panel.key} {panel.name}",
        ]
        if not self.job.aes:
            self.reporter.warning("Results are encrypted with AES-256 on this server, always.")
        with self.reporter.progress("Compression and Encryption", len(imputed)) as progress:
            self._hold("export")
            for chromosome, chunks in imputed.items():
                archive = export_chromosome(
                    chunks,
                    chromosome=chromosome,
                    origin=origin,
                    meta=self.job.meta,
                    password=self.job.password,
                    folder=self.work,
                )
                archive.rename(self.output / archive.name)
                self.reporter.output("output", Path(archive.name))
                progress.part()

    @property
    def _phasing_name(self) -> str:
        if self._phasing is None:
            return "no_phasing"
        return f"{self._phasing.name.lower()} {self._phasing.version}"

    _engine: Engine
    _phasing: PhasingEngine | None = None
