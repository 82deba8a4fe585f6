"""What the pipeline asks of an imputation engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from apps.node.pipeline.panels import Panel

__all__ = ["ChunkFiles", "ChunkTask", "Engine", "EngineFailed"]


class EngineFailed(Exception):
    """The engine could not impute; the text says why, in words for the user."""


@dataclass(frozen=True, kw_only=True)
class ChunkTask:
    """One chunk to impute.

    Attributes:
        chromosome: Plain name; `spelled` is how the files spell it.
        start, end: Positions to impute, both included.
        overlap: Base pairs on both sides that inform the model and are not written.
        targets: Phased VCF, BGZF with a .tbi, only GT; reaches beyond the chunk.
        samples: Its samples in order.
        r2_filter: Imputed sites with a lower R2 are left out; 0 keeps all.
        folder: Where to write.
    """

    panel: Panel
    chromosome: str
    spelled: str
    start: int
    end: int
    overlap: int
    targets: Path
    samples: tuple[str, ...]
    r2_filter: float
    threads: int
    folder: Path


@dataclass(frozen=True, kw_only=True)
class ChunkFiles:
    """BGZF VCF files with the same header lines in every chunk of a job.

    Attributes:
        dose: GT, DS, HDS and GP of all sites.
        info: The same sites without samples.
        empirical: GT and LDS of the sites that are typed and in the panel.
    """

    dose: Path
    info: Path
    empirical: Path


class Engine(Protocol):
    """An imputation engine."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def impute(self, task: ChunkTask, *, progress: Callable[[float], None]) -> ChunkFiles:
        """Impute one chunk.

        Args:
            progress: Told the share that is done, rising from 0 to 1, as far as it is known.

        Raises:
            EngineFailed: with words for the user.
        """
        ...
