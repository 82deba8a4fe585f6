"""minimac4 as a child process (Das et al. 2016, Nature Genetics 48:1284; version 4.1).

The panel is converted once to minimac4's own format. The map is written as minimac4 reads it and
the chromosome as the VCF files spell it, since anything else ends it with exit status 1. Output
is always asked for as vcf.gz: otherwise its side files are zstd under a name that says gzip.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from apps.node.pipeline.derived import derived
from apps.node.pipeline.engines.protocol import ChunkFiles, ChunkTask, EngineFailed
from apps.node.pipeline.genetic_map import write_minimac_map

__all__ = ["Minimac4"]

_VERSION_TIMEOUT = 20.0
# A chunk of a large study takes hours; a day means that it hangs.
_TIMEOUT = 24 * 3600.0
_TAIL = 2000


@dataclass(frozen=True, kw_only=True)
class Minimac4:
    """The engine.

    Attributes:
        program: Path of the executable.
        timeout: Seconds that one run may take.
    """

    program: str
    version: str
    timeout: float = _TIMEOUT
    name: str = "minimac4"

    @classmethod
    def find(cls, program: str = "minimac4") -> "Minimac4 | None":
        """The one on the PATH; None when there is none that runs."""
        path = shutil.which(program)
        if path is None:
            return None
        try:
            done = subprocess.run(
                [path, "--version"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_VERSION_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        found = re.search(rb"\d+(\.\d+)+", done.stdout + done.stderr)
        return None if found is None else cls(program=path, version=found[0].decode())

    def impute(self, task: ChunkTask, *, progress: Callable[[float], None]) -> ChunkFiles:
        """Impute one chunk; see `Engine`. The share done is told at the end only."""
        files = ChunkFiles(
            dose=task.folder / "dose.vcf.gz",
            info=task.folder / "info.vcf.gz",
            empirical=task.folder / "empirical.vcf.gz",
        )
        entry = task.panel.chromosomes[task.chromosome]
        panel = derived(
            task.panel.folder,
            f"chr{task.chromosome}.minimac-{self.version}.msav",
            lambda path: self._convert(entry.genotypes, path),
        )
        command = [
            *("--region", f"{task.spelled}:{task.start}-{task.end}"),
            *("--overlap", str(task.overlap)),
            *("--format", "GT,DS,HDS,GP"),
            *("--min-ratio", "0.00001"),
            *("--threads", str(task.threads)),
            *("--output-format", "vcf.gz"),
            "--all-typed-sites",
            *("--output", str(files.dose)),
            *("--sites", str(files.info)),
            *("--empirical-output", str(files.empirical)),
        ]
        if task.r2_filter > 0:
            command += ["--min-r2", f"{task.r2_filter:g}"]
        if entry.map is not None:
            map_file = task.folder / "minimac.map"
            write_minimac_map(map_file, entry.map, task.spelled)
            command += ["--map", str(map_file)]
        self._run([*command, str(panel), str(task.targets)], folder=task.folder)
        for path in (files.dose, files.info, files.empirical):
            if not path.is_file():
                raise EngineFailed(f"minimac4 wrote no {path.name}.")
        progress(1.0)
        return files

    def _convert(self, genotypes: Path, path: Path) -> None:
        with path.open("wb") as out:
            self._run(["--compress-reference", str(genotypes)], folder=path.parent, out=out)

    def _run(self, arguments: Sequence[str], *, folder: Path, out: BinaryIO | None = None) -> None:
        """Run to the end; what it says goes to a file, of which an error shows the end."""
        with tempfile.TemporaryFile(dir=folder) as said:
            try:
                done = subprocess.run(
                    [self.program, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=said if out is None else out,
                    stderr=said,
                    env=_environment(folder),
                    timeout=self.timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise EngineFailed(
                    f"minimac4 did not end within {self.timeout:g} seconds and was stopped."
                ) from error
            except OSError as error:
                raise EngineFailed(f"minimac4 could not be started ({error.strerror}).") from error
            if done.returncode:
                said.seek(max(0, said.seek(0, os.SEEK_END) - _TAIL))
                tail = said.read().decode("utf-8", "replace").strip()
                raise EngineFailed(f"minimac4 {_ending(done.returncode)}: {tail}")


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the server's own, which holds secrets."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", "TMPDIR": str(folder)} | kept


def _ending(code: int) -> str:
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with status {code}"
