"""Genotypes of one record between VCF text and numbers, without a loop over samples."""

import numpy as np
import numpy.typing as npt

__all__ = [
    "ABSENT",
    "MISSING",
    "Calls",
    "CallsError",
    "format_calls",
    "missing_genotypes",
    "parse_calls",
]

Calls = npt.NDArray[np.int8]

MISSING = -1
ABSENT = -2  # the second allele of a haploid genotype

_BAD = -9
_ALLELE = np.full(256, _BAD, np.int8)
_ALLELE[ord("0") : ord("9") + 1] = range(10)
_ALLELE[ord(".")] = MISSING
_SEPARATOR = np.zeros(256, bool)
_SEPARATOR[[ord("|"), ord("/")]] = True
# Index -2 .. 9; the letter of an absent allele is dropped with its separator.
_TEXT = np.frombuffer(b"0123456789 .", np.uint8)


class CallsError(ValueError):
    """A genotype is not one; the text shows it."""


def parse_calls(form: bytes, calls: bytes, samples: int) -> Calls:
    """Parse the sample columns of a VCF line.

    Args:
        form: The FORMAT column; starts with GT.
        calls: All sample columns, with the tabs between them.
        samples: Number of samples.

    Returns:
        Alleles, shape (samples, 2): their number, `MISSING`, or `ABSENT` for the second of a
        haploid genotype. A lone `.` is missing twice.

    Raises:
        CallsError: a genotype is not one, is of more than two alleles, or the number is wrong.
    """
    if form == b"GT" and len(calls) == 4 * samples - 1:
        parsed = _parse_fixed(calls, samples)
        if parsed is not None:
            return parsed
    cells = calls.split(b"\t")
    if len(cells) != samples:
        raise CallsError(f"{len(cells)} genotypes for {samples} samples")
    if form != b"GT":
        cells = [cell.partition(b":")[0] for cell in cells]
    text = b"\t".join(cells)
    if len(text) == 4 * samples - 1:
        parsed = _parse_fixed(text, samples)
        if parsed is not None:
            return parsed
    pairs = {cell: _parse_cell(cell) for cell in set(cells)}
    return np.array([pairs[cell] for cell in cells], np.int8)


def _parse_fixed(calls: bytes, samples: int) -> Calls | None:
    """Parse genotypes of three characters each; None when they are not all so."""
    table = np.frombuffer(calls + b"\t", np.uint8).reshape(samples, 4)
    alleles = _ALLELE[table[:, 0:3:2]]
    if (
        (table[:, 3] == ord("\t")).all()
        and _SEPARATOR[table[:, 1]].all()
        and (alleles != _BAD).all()
    ):
        return alleles
    return None


def _parse_cell(cell: bytes) -> tuple[int, int]:
    alleles = cell.replace(b"/", b"|").split(b"|")
    numbers = []
    for allele in alleles:
        if allele == b".":
            numbers.append(MISSING)
        elif allele.isdigit() and len(allele) <= 2:
            numbers.append(int(allele))
        else:
            raise CallsError(f"{cell[:20].decode('utf-8', 'replace')!r} is not a genotype")
    if len(numbers) == 1:
        return numbers[0], MISSING if numbers[0] == MISSING else ABSENT
    if len(numbers) > 2:
        raise CallsError(f"{cell[:20].decode('utf-8', 'replace')!r} has more than two alleles")
    return numbers[0], numbers[1]


def format_calls(calls: Calls, *, phased: bool) -> bytes:
    """The sample columns of a VCF line with FORMAT GT.

    Args:
        calls: Shape (samples, 2), alleles 0 to 9 or `MISSING`, and `ABSENT` for the second of a
            haploid genotype.
    """
    table = np.empty((len(calls), 4), np.uint8)
    table[:, 0:3:2] = _TEXT[calls]
    table[:, 1] = ord("|" if phased else "/")
    table[:, 3] = ord("\t")
    haploid = calls[:, 1] == ABSENT
    if not haploid.any():
        return table.tobytes()[:-1]
    kept = np.ones_like(table, bool)
    kept[haploid, 1:3] = False
    return bytes(table[kept].tobytes()[:-1])


def missing_genotypes(calls: Calls) -> npt.NDArray[np.bool_]:
    """Of which samples no allele was called.

    Args:
        calls: Shape (samples, 2).

    Returns:
        Shape (samples,); a genotype with one allele called, `1/.`, is not missing.
    """
    return np.asarray((calls < 0).all(axis=1))
