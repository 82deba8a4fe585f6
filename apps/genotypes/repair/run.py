"""One run of repairs over one file: read once, changed on the way, written anew.

The repairs are made in a fixed order, whatever the order in which they are asked for::

    convert   a PLINK set, BCF and so on become VCF
    rename    before swap and flip, which look a chromosome up by its usual name
    flip      before swap, since what is flipped may be swapped as well
    swap
    sort      after rename, which changes the order of chromosomes
    split
    bgzip     always: what is made is always BGZF
    index

The original is only ever read.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from apps.genotypes.bgzf import Compression, compression
from apps.genotypes.repair.folder import TargetFolder
from apps.genotypes.repair.naming import Renaming, contig_ids, header_build
from apps.genotypes.repair.progress import Progress
from apps.genotypes.repair.refusals import Refused, disk_full
from apps.genotypes.repair.room import check_room
from apps.genotypes.repair.sorting import ChromosomeOrder, RecordSort
from apps.genotypes.repair.text import VcfText, open_text
from apps.genotypes.repair.titles import result_stem
from apps.genotypes.repair.writing import MadeFile, OneFile, PerChromosome, describe

__all__ = ["Done", "Order", "Outcome", "Repair", "repair"]


class Repair(Enum):
    """What can be done, in the order in which it is done."""

    CONVERT = "convert"
    TEXT = "text"
    RENAME = "rename"
    FLIP = "flip"
    SWAP = "swap"
    SORT = "sort"
    SPLIT = "split"
    BGZIP = "bgzip"
    INDEX = "index"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for.

    Attributes:
        file: The original, never changed.
        name: How it is called towards people; results are named after it.
        into: The folder for the results, made if it is not there.
        build: `hg19` or `hg38`; None to tell it from the header.
        panel: A folder of site tables.
    """

    file: Path
    name: str
    into: Path
    repairs: frozenset[Repair]
    build: str | None = None
    panel: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    """What one repair did.

    Attributes:
        count: How many records, lines or files it changed or made.
        text: The same as a sentence.
    """

    repair: Repair
    count: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run made, sorted by name, and what it did, in its order."""

    made: tuple[MadeFile, ...]
    done: tuple[Done, ...]


def repair(order: Order, say: Callable[[int], None] = lambda percent: None) -> Outcome:
    """Make the repairs.

    Args:
        say: Called with each percent of progress.

    Raises:
        Refused: it cannot be done; nothing was made.
        OSError: the disk fails otherwise than by being full; nothing was made.
    """
    try:
        with TargetFolder(order.into) as folder:
            return _run(order, folder, Progress(say))
    except OSError as error:
        if (refusal := disk_full(error)) is not None:
            raise refusal from error
        raise


def _run(order: Order, folder: TargetFolder, progress: Progress) -> Outcome:
    packed = compression(order.file) is Compression.BGZF
    sorts = Repair.SORT in order.repairs
    reading, merging = progress.split(60 if sorts else 100)
    check_room(order.file, folder.path, sorts=sorts)
    with ExitStack() as opened:
        text = opened.enter_context(open_text(order.file, reading))
        renaming = _renaming(order, text)
        meta = text.meta if renaming is None else renaming.meta(text.meta)
        records = text.records if renaming is None else renaming.apply(text.records)
        sort = RecordSort(folder.work, ChromosomeOrder(contig_ids(meta)).key) if sorts else None
        if sort is not None:
            records = sort.sorted(records, merging)
        head = b"\n".join([*meta, text.columns, b""])
        stem = result_stem(order.name)
        indexes = Repair.INDEX in order.repairs
        writer: OneFile | PerChromosome
        if Repair.SPLIT in order.repairs:
            writer = PerChromosome(folder, stem, head, text, index=indexes)
        else:
            writer = OneFile(folder, stem, head, text, index=indexes)
        opened.enter_context(writer)
        for record in records:
            writer.write(record)
    made = tuple(
        describe(path, writer.chromosomes.get(path.name.removesuffix(".tbi")))
        for path in folder.publish()
    )
    progress.at(1, 1)
    return Outcome(made=made, done=tuple(_done(order, text, renaming, sort, made, packed)))


def _renaming(order: Order, text: VcfText) -> Renaming | None:
    if Repair.RENAME not in order.repairs:
        return None
    build = order.build or header_build(text.meta)
    if build is None:
        raise Refused(
            "build-unknown",
            "The header does not tell the build, so the right names of the chromosomes are not "
            "known.",
            remedy="Say which build it is: hg19 or hg38.",
        )
    return Renaming(build)


def _done(
    order: Order,
    text: VcfText,
    renaming: Renaming | None,
    sort: RecordSort | None,
    made: tuple[MadeFile, ...],
    packed: bool,
) -> Iterator[Done]:
    files = sum(not file.name.endswith(".tbi") for file in made)
    if text.mended or Repair.TEXT in order.repairs:
        yield Done(repair=Repair.TEXT, count=text.mended, text=f"{text.mended:,} lines mended.")
    if renaming is not None:
        left = f" Left as they are: {', '.join(renaming.left)}." if renaming.left else ""
        yield Done(
            repair=Repair.RENAME,
            count=renaming.records,
            text=f"{renaming.records:,} records renamed.{left}",
        )
    if sort is not None:
        yield Done(
            repair=Repair.SORT, count=sort.moved, text=f"{sort.moved:,} records were out of order."
        )
    if Repair.SPLIT in order.repairs:
        yield Done(repair=Repair.SPLIT, count=files, text=f"{files:,} chromosomes.")
    if not packed or Repair.BGZIP in order.repairs:
        yield Done(repair=Repair.BGZIP, count=files, text=f"{files:,} files packed with BGZF.")
    if Repair.INDEX in order.repairs:
        yield Done(repair=Repair.INDEX, count=files, text=f"{files:,} indexes.")
