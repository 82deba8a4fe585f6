"""Beagle as a child process (Browning et al. 2021, AJHG 108:1880; version 5.4).

Its genetic map is PLINK's, without a header: with one it throws and never ends. It is not asked
to impute, since the imputation engine does that.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.node.pipeline.phasing.inputs import CHROMOSOME
from apps.node.pipeline.phasing.program import ask, run
from apps.node.pipeline.phasing.protocol import PhasingFailed, PhasingTask
from apps.node.pipeline.phasing_programs import find_program

__all__ = ["Beagle"]

# A window of a large study takes hours; a day means that it hangs.
_TIMEOUT = 24 * 3600.0
_SEED = 20
# Its own windows, of 40 cM, the last 2 of which belong to the next one too; 3 + 12 iterations each.
_WINDOW_CM, _OVERLAP_CM = 40.0, 2.0
_ITERATIONS = 15


@dataclass(frozen=True, kw_only=True)
class Beagle:
    """The engine.

    Attributes:
        program: Path of the executable, Debian's `beagle` or one like it.
        timeout: Seconds that one run may take.
    """

    program: str
    version: str
    timeout: float = _TIMEOUT
    name: str = "Beagle"

    @classmethod
    def find(cls) -> "Beagle | None":
        """The one on the PATH; None when there is none that runs."""
        path = find_program("beagle")
        if path is None:
            return None
        found = ask([path], rb"beagle\.([\w.]+)\.jar \(version (5[\d.]*)\)")
        return None if found is None else cls(program=path, version=f"{found[1]} ({found[0]})")

    def phase(
        self,
        task: PhasingTask,
        *,
        progress: Callable[[float], None],
        log: Callable[[str], None],
    ) -> Path:
        """Phase one window; see `PhasingEngine`."""
        map_file = task.folder / "beagle.map"
        rows = [*zip(task.positions.tolist(), task.centimorgans.tolist(), strict=True)]
        # Beagle looks for the end of its first window beyond the last row, at the slope of the
        # last rows, and throws when that leads too far.
        rows.append((rows[-1][0] + 1_000_000, rows[-1][1] + 1))
        with map_file.open("w", encoding="ascii") as out:
            for position, place in rows:
                out.write(f"{CHROMOSOME} . {place:.10f} {position}\n")
        windows = _windows(float(np.ptp(task.centimorgans)))
        run(
            self.name,
            [
                self.program,
                f"gt={task.targets.name}",
                f"ref={task.reference.name}",
                f"map={map_file.name}",
                "out=beagle",
                "impute=false",
                f"seed={_SEED}",
                f"nthreads={task.threads}",
            ],
            folder=task.folder,
            timeout=self.timeout,
            memory_mb=task.memory_mb,
            environment={
                # Debian's launcher passes no option on to Java. A thread that finds no memory
                # would leave the others waiting for it.
                "JAVA_TOOL_OPTIONS": f"-Xmx{task.memory_mb}m -XX:+ExitOnOutOfMemoryError "
                "-XX:-UsePerfData -Djava.io.tmpdir=."
            },
            progress=lambda words: progress(
                min(1.0, words.count(b" iteration ") / (_ITERATIONS * windows))
            ),
            log=log,
        )
        phased = task.folder / "beagle.vcf.gz"
        if not phased.is_file():
            raise PhasingFailed("Beagle wrote no genotypes.")
        return phased


def _windows(centimorgans: float) -> int:
    """How many windows Beagle cuts a stretch into."""
    beyond = max(0.0, centimorgans - _WINDOW_CM)
    return 1 + math.ceil(beyond / (_WINDOW_CM - _OVERLAP_CM))
