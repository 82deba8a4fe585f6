"""Phasing a chunk in its window: the chunk and what is known of 5 Mb on both sides.

Windows of neighbouring chunks are phased apart from each other. Where both are known, the later
one is turned, sample by sample, until it agrees with the earlier one, so that a chromosome leaves
this step as one pair of haplotypes.
"""

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.genotypes.job_rules import Chunk
from apps.node.pipeline.panel_index import open_index
from apps.node.pipeline.panels import Panel
from apps.node.pipeline.phasing.inputs import read_records, write_inputs
from apps.node.pipeline.phasing.protocol import PhasingEngine, PhasingFailed
from apps.node.pipeline.phasing.result import (
    phased_records,
    turned_against,
    within,
    write_records,
)

__all__ = ["PhasedChunk", "phase_chunk"]

# With fewer sites there is nothing that haplotypes could be told by.
_FEWEST = 2
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class PhasedChunk:
    """A chunk whose genotypes have been phased.

    Attributes:
        path: Its records and those of the margins, without missing genotypes where the panel
            has the site; VCF, BGZF with a .tbi, only GT.
        left: Number of its sites, those of the margins apart, that were not phased.
        first_is_whole: Whether the first haplotype of the first sample misses no site of the panel.
    """

    chunk: Chunk
    path: Path
    left: int
    first_is_whole: bool


def phase_chunk(
    chunk: Chunk,
    targets: Path,
    panel: Panel,
    engine: PhasingEngine,
    *,
    before: PhasedChunk | None,
    margin: int,
    threads: int,
    memory_mb: int,
    folder: Path,
    progress: Callable[[float], None],
    log: Callable[[str], None],
) -> PhasedChunk:
    """Phase one chunk.

    The result holds the same sites and the same genotypes, whatever the engine did.

    Args:
        targets: Records of the chunk's window.
        before: The phased chunk before it; of use when it is its neighbour.
        margin: Base pairs on both sides of the chunk to keep.
        memory_mb: Memory that the engine may take, in MB.
        folder: Where to write; it is made, and afterwards holds the result alone.
        progress: Told the share that is done, 0 to 1.
        log: Told the engine's own words when it fails.

    Raises:
        PhasingFailed: with words for the user.
        PanelError: the panel cannot be read.
    """
    try:
        return _phase(
            chunk,
            targets,
            panel,
            engine,
            before=before,
            margin=margin,
            threads=threads,
            memory_mb=memory_mb,
            folder=folder,
            progress=progress,
            log=log,
        )
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise PhasingFailed(
            "The disk of this server is full. Please try again later or contact the operators."
        ) from error


def _phase(
    chunk: Chunk,
    targets: Path,
    panel: Panel,
    engine: PhasingEngine,
    *,
    before: PhasedChunk | None,
    margin: int,
    threads: int,
    memory_mb: int,
    folder: Path,
    progress: Callable[[float], None],
    log: Callable[[str], None],
) -> PhasedChunk:
    work = folder / "work"
    work.mkdir(parents=True)
    task, sent = write_inputs(
        targets,
        open_index(panel, chunk.chromosome),
        map_file=panel.chromosomes[chunk.chromosome].map,
        threads=threads,
        memory_mb=memory_mb,
        folder=work,
    )
    enough = len(task.positions) >= _FEWEST
    answer = engine.phase(task, progress=progress, log=log) if enough else None
    turned = np.zeros(chunk.samples, bool)
    if before is not None and _are_neighbours(before.chunk, chunk):
        seam = range(chunk.start - margin, chunk.start + margin)
        turned = turned_against(
            (record for record in read_records(before.path) if record.position in seam),
            (one.record for one in within(phased_records(sent, answer), seam)),
            chunk.samples,
        )
    path = folder / targets.name
    written = write_records(
        within(phased_records(sent, answer), range(chunk.start - margin, chunk.end + margin + 1)),
        path,
        like=targets,
        turned=turned,
        counted=range(chunk.start, chunk.end + 1),
    )
    shutil.rmtree(work)
    return PhasedChunk(
        chunk=chunk, path=path, left=written.left, first_is_whole=written.first_is_whole
    )


def _are_neighbours(before: Chunk, after: Chunk) -> bool:
    return (before.chromosome, before.number + 1) == (after.chromosome, after.number)
