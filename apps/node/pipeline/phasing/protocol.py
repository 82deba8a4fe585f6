"""What the pipeline asks of a phasing engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["PhasingEngine", "PhasingFailed", "PhasingTask"]


class PhasingFailed(Exception):
    """The data could not be phased; the text says why, in words for the user."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PhasingTask:
    """The sites of one window that study and panel share, as `inputs` wrote them.

    Attributes:
        targets: Unphased VCF, BGZF with a .tbi, only GT.
        reference: Phased VCF of the panel's samples at the same sites, likewise.
        positions: POS of the M sites, strictly rising, shape (M,).
        centimorgans: Their places on the genetic map, strictly rising, shape (M,).
        threads: How many the engine may use.
        memory_mb: Memory that the engine may take, in MB.
        folder: Where to write; the engine is started there.
    """

    targets: Path
    reference: Path
    positions: npt.NDArray[np.int64]
    centimorgans: npt.NDArray[np.float64]
    threads: int
    memory_mb: int
    folder: Path


class PhasingEngine(Protocol):
    """A phasing engine."""

    @property
    def name(self) -> str:
        """As users read it."""
        ...

    @property
    def version(self) -> str: ...

    def phase(
        self,
        task: PhasingTask,
        *,
        progress: Callable[[float], None],
        log: Callable[[str], None],
    ) -> Path:
        """Phase one window.

        Args:
            progress: Told the share that is done, rising from 0 to 1, as far as it is known.
            log: Told the program's own words when it fails; they are not for users.

        Returns:
            VCF in BGZF with the target's samples at its sites, in their order; sites may be left
            out. The same task always gives the same genotypes.

        Raises:
            PhasingFailed: with words for the user.
        """
        ...
