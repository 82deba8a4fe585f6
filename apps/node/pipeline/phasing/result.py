"""From what a program phased back to the study's own records.

Nothing is taken from the program but the order of alleles, and its guess where a genotype is
missing, whole or in part. Sites that it did not phase, such as those that the panel lacks, stay:
there a heterozygous genotype keeps its order towards the last one before it that was phased,
which for data that came without phase is as good as any other.
"""

from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.calls import ABSENT, MISSING, Calls, format_calls
from apps.genotypes.tabix import TabixIndex
from apps.genotypes.vcf import vcf_lines
from apps.node.pipeline.phasing.inputs import Record, Sent, read_records
from apps.node.pipeline.phasing.protocol import PhasingFailed

__all__ = [
    "Phased",
    "Written",
    "ordered",
    "phased_records",
    "turned_against",
    "within",
    "write_records",
]

Samples = npt.NDArray[np.bool_]


class Phased(NamedTuple):
    """A record of the study after phasing.

    Attributes:
        in_panel: Whether the panel has the site.
        phased: Whether the program phased it.
    """

    record: Record
    in_panel: bool
    phased: bool


class Written(NamedTuple):
    """What a file of phased records holds.

    Attributes:
        left: Number of records that the program did not phase.
        first_is_whole: Whether the first haplotype of the first sample misses no site of the panel.
    """

    left: int
    first_is_whole: bool


def ordered(sent: Calls, phased: Calls) -> Calls:
    """The genotypes that were sent, in the order of alleles that a program found.

    Args:
        sent: Shape (samples, 2).
        phased: Likewise, none missing.

    Returns:
        Where an allele of `sent` is missing, the genotype of `phased`; elsewhere that of `sent`,
        turned where `phased` has it the other way round.
    """
    known = (sent != MISSING).all(axis=1)
    turned = known & (sent[:, 0] == phased[:, 1]) & (sent[:, 1] == phased[:, 0])
    result = np.where(known[:, None], sent, phased)
    result[turned] = sent[turned, ::-1]
    return result


def phased_records(sent: Sent, phased: Path | None) -> Iterator[Phased]:
    """All records of the window in order.

    Args:
        phased: What the program wrote; None phases nothing.

    Raises:
        PhasingFailed: The program wrote other sites or samples than it was given.
    """
    answers = iter(()) if phased is None else _read_answers(phased)
    answer = next(answers, None)
    positions = iter(sent.positions.tolist())
    turned = np.zeros_like(sent.haploid)
    for record, shared in zip(read_records(sent.path), sent.shared.tolist(), strict=True):
        position = next(positions) if shared else None
        if answer is not None and answer.position == position:
            if answer.calls.shape != record.calls.shape or (answer.calls < 0).any():
                raise PhasingFailed("The phasing program wrote other genotypes than were asked.")
            calls = ordered(record.calls, answer.calls)
            calls[sent.haploid, 1] = ABSENT
            apart = _apart(record.calls)
            turned[apart] = (calls != record.calls)[apart, 0]
            yield Phased(record._replace(calls=calls), in_panel=True, phased=True)
            answer = next(answers, None)
        else:
            turned_record = record._replace(calls=_turn(record.calls, turned))
            yield Phased(turned_record, in_panel=shared, phased=False)
    if answer is not None:
        raise PhasingFailed("The phasing program wrote other sites than were asked.")


def _read_answers(path: Path) -> Iterator[Record]:
    try:
        yield from read_records(path)
    except (ValueError, IndexError) as error:
        raise PhasingFailed("The phasing program wrote no genotypes that can be read.") from error


def within(records: Iterator[Phased], stretch: range) -> Iterator[Phased]:
    """The records of a stretch of positions."""
    for one in takewhile(lambda one: one.record.position < stretch.stop, records):
        if one.record.position in stretch:
            yield one


def turned_against(before: Iterable[Record], after: Iterable[Record], samples: int) -> Samples:
    """Which samples have their haplotypes the other way round in the second of two windows.

    The heterozygous genotypes of the stretch that both hold vote; a draw turns nothing.

    Args:
        before, after: The same records, as each window phased them.

    Returns:
        Shape (samples,).
    """
    votes = np.zeros(samples, np.int64)
    for one, other in zip(before, after, strict=True):
        same = one.calls[:, 0] == other.calls[:, 0]
        votes += np.where(_apart(one.calls) & _apart(other.calls), np.where(same, 1, -1), 0)
    return votes < 0


def write_records(
    records: Iterator[Phased],
    path: Path,
    *,
    like: Path,
    turned: Samples,
    counted: range,
) -> Written:
    """Write a VCF in BGZF with its .tbi.

    Args:
        like: A VCF whose header it gets.
        turned: Samples whose haplotypes change places.
        counted: Positions within which `Written.left` counts.
    """
    index = TabixIndex()
    left = 0
    first_is_whole = True
    with BgzfWriter(path, level=1) as out:
        with vcf_lines(like) as lines:
            for line in takewhile(lambda line: line.startswith(b"#"), lines):
                out.write(line + b"\n")
        for record, in_panel, phased in records:
            start = out.tell()
            calls = _turn(record.calls, turned)
            out.write(b"\t".join([record.fixed, format_calls(calls, phased=True)]) + b"\n")
            left += not phased and record.position in counted
            first_is_whole &= not in_panel or bool(calls[0, 0] >= 0)
            chromosome = record.fixed.partition(b"\t")[0]
            index.add(chromosome, record.position, len(record.ref), start, out.tell())
    index.write(path.with_name(f"{path.name}.tbi"))
    return Written(left, first_is_whole)


def _apart(calls: Calls) -> Samples:
    return np.asarray((calls[:, 0] != calls[:, 1]) & (calls >= 0).all(axis=1))


def _turn(calls: Calls, turned: Samples) -> Calls:
    diploid = turned & (calls[:, 1] != ABSENT)
    result = calls.copy()
    result[diploid] = calls[diploid, ::-1]
    return result
