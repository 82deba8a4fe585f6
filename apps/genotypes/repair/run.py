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

from apps.genotypes.repair.account import account
from apps.genotypes.repair.alleles import AlleleRepair, Panel
from apps.genotypes.repair.folder import TargetFolder
from apps.genotypes.repair.naming import Renaming, contig_ids, header_build
from apps.genotypes.repair.opening import open_genotypes
from apps.genotypes.repair.orders import Order, Outcome, Repair
from apps.genotypes.repair.progress import Progress
from apps.genotypes.repair.refusals import Refused, disk_full
from apps.genotypes.repair.room import check_room
from apps.genotypes.repair.sorting import ChromosomeOrder, RecordSort
from apps.genotypes.repair.text import VcfText
from apps.genotypes.repair.titles import result_stem
from apps.genotypes.repair.writing import OneFile, PerChromosome, describe

__all__ = ["repair"]


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
    sorts = Repair.SORT in order.repairs
    reading, merging = progress.split(60 if sorts else 100)
    check_room(order.file, folder.path, sorts=sorts)
    with ExitStack() as opened:
        source = opened.enter_context(
            open_genotypes(
                order.file,
                shown=order.name,
                work=folder.work,
                build=order.build,
                panel=_panel_of(order, order.build) if order.panel else None,
                progress=reading,
            )
        )
        steps = _steps(order, source.text, folder)
        writer = _writer(order, source.text, folder, steps)
        opened.enter_context(writer)
        for record in steps.records(source.text.records, merging):
            writer.write(record)
    done = account(
        order,
        source=source,
        renaming=steps.renaming,
        alleles=steps.alleles,
        sort=steps.sort,
        files=len(writer.chromosomes),
    )
    made = tuple(
        describe(path, writer.chromosomes[path.name.removesuffix(".tbi")])
        for path in folder.publish()
    )
    progress.at(1, 1)
    return Outcome(made=made, done=tuple(done))


@dataclass(frozen=True, kw_only=True)
class _Steps:
    """What a file goes through, in this order; None where it is not asked for."""

    meta: list[bytes]
    renaming: Renaming | None
    alleles: AlleleRepair | None
    sort: RecordSort | None

    def records(self, records: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
        if self.renaming is not None:
            records = self.renaming.apply(records)
        if self.alleles is not None:
            records = self.alleles.apply(records)
        if self.sort is not None:
            records = self.sort.sorted(records, progress)
        return records


def _steps(order: Order, text: VcfText, folder: TargetFolder) -> _Steps:
    stated = header_build(text.meta)
    if order.build and stated and order.build != stated:
        raise Refused(
            "build-mismatch",
            f"The lengths of the contigs say that the build is {stated}, and {order.build} was "
            "asked for.",
            remedy=f"Ask for {stated}; positions are not moved from one build to another.",
        )
    build = order.build or stated
    meta = text.meta
    renaming = None
    if Repair.RENAME in order.repairs:
        if build is None:
            raise Refused(
                "build-unknown",
                "The header does not tell the build, so the right names of the chromosomes are "
                "not known.",
                remedy="Say which build it is: hg19 or hg38.",
            )
        renaming = Renaming(build)
        meta = renaming.meta(meta)
    alleles = None
    swap, flip = Repair.SWAP in order.repairs, Repair.FLIP in order.repairs
    if swap or flip:
        alleles = AlleleRepair(_panel_of(order, build)(), meta, swap=swap, flip=flip)
    sort = None
    if Repair.SORT in order.repairs:
        sort = RecordSort(folder.work, ChromosomeOrder(contig_ids(meta)).key)
    return _Steps(meta=meta, renaming=renaming, alleles=alleles, sort=sort)


def _panel_of(order: Order, build: str | None) -> Callable[[], Panel]:
    def open_panel() -> Panel:
        if order.panel is None:
            raise Refused(
                "panel-needed",
                "Alleles are swapped and flipped to those of a panel, and none was chosen.",
                remedy="Choose a panel whose sites are known here.",
            )
        return Panel(order.panel, build=build)

    return open_panel


def _writer(
    order: Order, text: VcfText, folder: TargetFolder, steps: _Steps
) -> OneFile | PerChromosome:
    def line() -> int | None:
        return text.number if steps.sort is None else None

    head = [*steps.meta, text.columns]
    stem, index = result_stem(order.name), Repair.INDEX in order.repairs
    if Repair.SPLIT in order.repairs:
        return PerChromosome(folder, stem, head, line, index=index)
    return OneFile(folder, stem, head, line, index=index)
