"""Eagle as a child process (Loh et al. 2016, Nature Genetics 48:1443; version 2.4.1).

It is told neither of flanks nor of REF and ALT that may be swapped: the files hold the window
alone, with alleles that agree.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apps.node.pipeline.phasing.inputs import CHROMOSOME
from apps.node.pipeline.phasing.program import ask, run
from apps.node.pipeline.phasing.protocol import PhasingFailed, PhasingTask
from apps.node.pipeline.phasing_programs import find_program

__all__ = ["Eagle"]

_TIMEOUT = 24 * 3600.0
_DOTS = 80  # of an iteration


@dataclass(frozen=True, kw_only=True)
class Eagle:
    """The engine.

    Attributes:
        program: Path of the executable.
        timeout: Seconds that one run may take.
    """

    program: str
    version: str
    timeout: float = _TIMEOUT
    name: str = "Eagle"

    @classmethod
    def find(cls) -> "Eagle | None":
        """The one on the PATH; None when there is none that runs, or another program's name."""
        path = find_program("eagle")
        if path is None:
            return None
        found = ask([path, "--help"], rb"Eagle v(2[\d.]*)")
        return None if found is None else cls(program=path, version=found[0])

    def phase(
        self,
        task: PhasingTask,
        *,
        progress: Callable[[float], None],
        log: Callable[[str], None],
    ) -> Path:
        """Phase one window; see `PhasingEngine`."""
        map_file = task.folder / "eagle.map"
        with map_file.open("w", encoding="ascii") as out:
            out.write("chr position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n")
            for position, place in zip(
                task.positions.tolist(), task.centimorgans.tolist(), strict=True
            ):
                out.write(f"{CHROMOSOME} {position} 0 {place:.10f}\n")
        run(
            self.name,
            [
                self.program,
                f"--vcfTarget={task.targets.name}",
                f"--vcfRef={task.reference.name}",
                f"--geneticMapFile={map_file.name}",
                "--outPrefix=eagle",
                "--vcfOutFormat=z",
                f"--numThreads={task.threads}",
            ],
            folder=task.folder,
            timeout=self.timeout,
            memory_mb=task.memory_mb,
            progress=lambda words: progress(_share(words)),
            log=log,
        )
        phased = task.folder / "eagle.vcf.gz"
        if not phased.is_file():
            raise PhasingFailed("Eagle wrote no genotypes.")
        return phased


def _share(words: bytes) -> float:
    """What its rows of dots say is done."""
    iterations = re.findall(rb"PHASING ITER (\d+) OF (\d+)", words)
    if not iterations:
        return 0.0
    dots = sum(len(row) for row in re.findall(rb"(?m)^\.+$", words))
    return min(1.0, dots / (_DOTS * int(iterations[-1][1])))
