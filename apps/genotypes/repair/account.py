"""What a run did, in words and numbers."""

from collections.abc import Iterator

from apps.genotypes.bgzf import Compression, compression
from apps.genotypes.repair.alleles import AlleleRepair
from apps.genotypes.repair.naming import Renaming
from apps.genotypes.repair.opening import Opened
from apps.genotypes.repair.orders import Done, Order, Repair
from apps.genotypes.repair.sorting import RecordSort

__all__ = ["account"]


def account(
    order: Order,
    *,
    source: Opened,
    renaming: Renaming | None,
    alleles: AlleleRepair | None,
    sort: RecordSort | None,
    files: int,
) -> Iterator[Done]:
    """What was done, in the order of `Repair`.

    Args:
        source, renaming, alleles, sort: The steps of the run; None for those not asked for.
        files: How many VCF files were made.
    """
    text, asked = source.text, order.repairs
    if source.converted:
        said = [f"{_count(text.read, 'record')} converted to VCF.", *source.notes()]
        yield Done(repair=Repair.CONVERT, count=text.read, text=" ".join(said))
    elif Repair.CONVERT in asked:
        yield Done(repair=Repair.CONVERT, count=0, text="The file is a VCF already.")
    if text.mended or Repair.TEXT in asked:
        said_mended = f"{_count(text.mended, 'line')} mended."
        yield Done(repair=Repair.TEXT, count=text.mended, text=said_mended)
    if renaming is not None:
        left = f" Left as they are: {', '.join(renaming.left)}." if renaming.left else ""
        said_renamed = f"{_count(renaming.records, 'record')} renamed.{left}"
        yield Done(repair=Repair.RENAME, count=renaming.records, text=said_renamed)
    if alleles is not None:
        yield from _done_to_alleles(asked, alleles)
    if sort is not None:
        yield Done(
            repair=Repair.SORT,
            count=sort.moved,
            text=f"{_count(sort.moved, 'record')} stood after one that belongs behind.",
        )
    if Repair.SPLIT in asked:
        yield Done(repair=Repair.SPLIT, count=files, text=f"{_count(files, 'chromosome')}.")
    if Repair.BGZIP in asked or compression(order.file) is not Compression.BGZF:
        yield Done(repair=Repair.BGZIP, count=files, text=f"{_count(files, 'file')} packed.")
    if Repair.INDEX in asked:
        yield Done(repair=Repair.INDEX, count=files, text=f"{_count(files, 'file')} indexed.")


def _done_to_alleles(asked: frozenset[Repair], alleles: AlleleRepair) -> Iterator[Done]:
    if Repair.FLIP in asked:
        said = [
            f"{_count(alleles.flipped, 'record')} turned to the other strand.",
            f"{_count(alleles.left_out, 'A/T or C/G record')} left out, of unknown strand.",
        ]
        if alleles.swaps_left and Repair.SWAP not in asked:
            said.append(f"{_count(alleles.swaps_left, 'swap')} left as they are: ask for swap.")
        yield Done(repair=Repair.FLIP, count=alleles.flipped, text=" ".join(said))
    if Repair.SWAP in asked:
        yield Done(
            repair=Repair.SWAP, count=alleles.swapped, text=" ".join(_said_of_swaps(alleles))
        )


def _said_of_swaps(alleles: AlleleRepair) -> Iterator[str]:
    exchanged = _count(alleles.swapped, "record")
    yield f"REF and ALT exchanged in {exchanged} of {alleles.found:,} at sites of the panel."
    if alleles.ambiguous:
        yield (
            f"{_count(alleles.ambiguous, 'A/T or C/G record')} left as they are: exchanged or of "
            "the other strand, nobody can tell."
        )
    if alleles.flips_left:
        yield f"{_count(alleles.flips_left, 'strand flip')} left as they are: ask for flip."
    if alleles.swaps_left:
        yield (
            f"{_count(alleles.swaps_left, 'swap')} left as they are: their genotypes have other "
            "alleles than 0 and 1."
        )
    for field, count in alleles.dropped.items():
        yield f"{field} dropped from {_count(count, 'record')}: the other allele's is not known."


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
