"""PLINK's binary genotypes as VCF (formats .bed, .bim and .fam of PLINK 1.9, variant-major).

A set does not know which allele is that of the reference: A2 is, by custom, since PLINK makes the
more frequent allele A2. With a panel, REF is the panel's where the panel has a site of these two
alleles; elsewhere, and without a panel, REF is A2. Both are counted.

Outside the pseudoautosomal regions men have one allele on X and Y, and everybody has one on the
mitochondria: two different ones there are a missing genotype, counted. Women have none on Y.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from apps.genotypes.bgzf import LineTooLong, read_lines
from apps.genotypes.builds import LENGTHS, spelled
from apps.genotypes.chromosome_x import XRegion, x_region
from apps.genotypes.repair.alleles import Panel
from apps.genotypes.repair.naming import usual_name
from apps.genotypes.repair.plink_sets import DAMAGE, Member, PlinkSet
from apps.genotypes.repair.progress import Progress
from apps.genotypes.repair.refusals import Refused

__all__ = ["PlinkVcf"]

_MAGIC: Final = b"\x6c\x1b"
_BY_VARIANT: Final = 1
_PIECE: Final = 256 * 1024
_MAX_SAMPLES: Final = 1_000_000
_MAX_TEXT_LINE: Final = 64 * 1024
_ALLELE: Final = re.compile(rb"[ACGT]+")
_PSEUDOAUTOSOMAL: Final = {"25", "XY", "PAR1", "PAR2"}
_MISSING_ALLELE: Final = b"0"


def _table(cells: tuple[bytes, bytes, bytes, bytes]) -> npt.NDArray[np.uint8]:
    """For each byte of a .bed the text of its four genotypes, shape (256, 16)."""
    text = b"".join(
        cells[byte >> shift & 3] + b"\t" for byte in range(256) for shift in (0, 2, 4, 6)
    )
    return np.frombuffer(text, np.uint8).reshape(256, 16)


# By the two bits of a genotype: both A1, missing, one of each, both A2.
_REF_IS_A2: Final = _table((b"1/1", b"./.", b"0/1", b"0/0"))
_REF_IS_A1: Final = _table((b"0/0", b"./.", b"0/1", b"1/1"))


class _Ploidy(Enum):
    DIPLOID = "diploid"
    X = "x"
    Y = "y"
    MT = "mt"


@dataclass(frozen=True, kw_only=True)
class _Variant:
    chromosome: bytes
    position: int
    id: bytes
    ref: bytes
    alt: bytes
    ref_is_a1: bool
    ploidy: _Ploidy


class PlinkVcf:
    """A PLINK set, read as the lines of a VCF.

    Args:
        build: Needed for chromosome X, to know its pseudoautosomal regions.
        panel: Decides which allele is REF where it has the site.

    Attributes:
        records: Records given so far.
        by_panel: Those whose REF is the panel's.
        by_custom: Those whose REF is A2.
        left_out: Variants that a VCF cannot hold, by reason.
        mixed_haploid: Genotypes of two alleles where there is one, made missing.
    """

    def __init__(self, files: PlinkSet, *, build: str | None, panel: Panel | None) -> None:
        self.records = self.by_panel = self.by_custom = self.mixed_haploid = 0
        self.left_out: Counter[str] = Counter()
        self._files = files
        self._build = build
        self._panel = panel

    def lines(self, progress: Progress) -> Iterator[bytes]:
        """The lines of the VCF, without their ends.

        Raises:
            Refused: the files do not fit each other or are not what they must be.
            OSError: they cannot be read.
        """
        try:
            yield from self._lines(progress)
        except DAMAGE as error:
            raise Refused(
                "zip-damaged", f"The zip is damaged ({error}).", remedy="Send it again."
            ) from error

    def _lines(self, progress: Progress) -> Iterator[bytes]:
        names, sexes = self._read_samples()
        stride = (len(names) + 3) // 4
        variants = self._check_size(stride)
        yield from self._header(names, self._read_chromosomes(variants))
        men, women = sexes == 1, sexes == 2
        rows = self._rows(stride, variants, progress)
        for number, (fields, row) in enumerate(zip(self._bim_lines(variants), rows, strict=True)):
            variant = self._variant(fields, number + 1)
            if variant is not None:
                self.records += 1
                yield self._record(variant, self._cells(variant, row, len(names), men, women))

    def _read_samples(self) -> tuple[list[bytes], npt.NDArray[np.int8]]:
        families: list[bytes] = []
        names: list[bytes] = []
        sexes: list[int] = []
        member = self._files.fam
        for number, line in enumerate(_text_lines(member), start=1):
            fields = line.split()
            if len(fields) < 5:
                raise Refused(
                    "plink-fam",
                    f"{member.name}, line {number}: it has {len(fields)} columns; family, name, "
                    "father, mother, sex and phenotype belong there.",
                    line=number,
                )
            if number > _MAX_SAMPLES:
                raise Refused("plink-fam", f"{member.name} has more than {_MAX_SAMPLES:,} samples.")
            families.append(fields[0])
            names.append(fields[1])
            sexes.append({b"1": 1, b"2": 2}.get(fields[4], 0))
        if not names:
            raise Refused("plink-fam", f"{member.name} has no samples.")
        if len(set(names)) < len(names):
            names = [family + b"_" + name for family, name in zip(families, names, strict=True)]
            if len(set(names)) < len(names):
                twice = Counter(names).most_common(1)[0][0].decode("utf-8", "replace")
                raise Refused(
                    "plink-fam",
                    f"Two individuals or more have the following ID: {twice}.",
                    remedy=f"Give each its own name in {member.name}.",
                )
        return names, np.array(sexes, np.int8)

    def _check_size(self, stride: int) -> int:
        """How many variants the .bed has, by its size."""
        bed = self._files.bed
        with bed.open() as file:
            head = file.read(3)
        if head[:2] != _MAGIC or len(head) < 3:
            raise Refused("plink-bed", f"{bed.name} does not begin as a PLINK .bed file does.")
        if head[2] != _BY_VARIANT:
            raise Refused(
                "plink-sample-major",
                f"{bed.name} is in sample-major order, which PLINK has not written since 2009.",
                remedy="Write it again with plink --make-bed.",
            )
        variants, rest = divmod(bed.size - 3, stride)
        if rest:
            raise self._misfit()
        return variants

    def _misfit(self) -> Refused:
        files = self._files
        return Refused(
            "plink-misfit",
            f"{files.bed.name} does not have the bytes that the samples of {files.fam.name} and "
            f"the variants of {files.bim.name} need: it is cut, or the files are of two sets.",
            remedy="Send the three files of one set again.",
        )

    def _bim_lines(self, variants: int) -> Iterator[list[bytes]]:
        member = self._files.bim
        number = 0
        for number, line in enumerate(_text_lines(member), start=1):
            fields = line.split()
            if len(fields) != 6:
                raise Refused(
                    "plink-bim",
                    f"{member.name}, line {number}: it has {len(fields)} columns; chromosome, "
                    "name, centimorgans, position and two alleles belong there.",
                    line=number,
                )
            if number > variants:
                raise self._misfit()
            yield fields
        if number < variants:
            raise self._misfit()

    def _read_chromosomes(self, variants: int) -> list[str]:
        """The names of the chromosomes, in their order, from a first reading of the .bim."""
        names: dict[str, None] = {}
        for number, fields in enumerate(self._bim_lines(variants), start=1):
            variant = self._variant(fields, number, counts=False)
            if variant is not None:
                names.setdefault(variant.chromosome.decode(), None)
        if not names:
            raise Refused(
                "plink-bim",
                f"{self._files.bim.name} has no variant with a chromosome, a position and alleles "
                "of the letters A, C, G and T.",
                remedy="Alleles written 1 to 4 are turned by plink --alleleACGT.",
            )
        return list(names)

    def _header(self, names: list[bytes], chromosomes: list[str]) -> Iterator[bytes]:
        yield b"##fileformat=VCFv4.2"
        for name in chromosomes:
            length = LENGTHS[self._build].get(name.removeprefix("chr")) if self._build else None
            yield f"##contig=<ID={name}{f',length={length}' if length else ''}>".encode()
        yield b'##FILTER=<ID=PASS,Description="All filters passed">'
        yield b'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">'
        columns = b"#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split()
        yield b"\t".join([*columns, *names])

    def _variant(self, fields: list[bytes], number: int, *, counts: bool = True) -> _Variant | None:
        """A line of the .bim; None when a VCF cannot hold it."""
        code = fields[0].decode("ascii", "replace").upper().removeprefix("CHR")
        name = "X" if code in _PSEUDOAUTOSOMAL else usual_name(code)
        a1, a2 = fields[4].upper(), fields[5].upper()
        reason = ""
        if name is None:
            reason = "their chromosome is none of 1 to 22, X, Y and MT"
        elif not fields[3].isdigit() or len(fields[3]) > 9 or int(fields[3]) == 0:
            reason = "they have no position"
        elif not all(
            _ALLELE.fullmatch(allele) or allele == _MISSING_ALLELE for allele in (a1, a2)
        ) or {a1, a2} == {_MISSING_ALLELE}:
            reason = "their alleles are not of the letters A, C, G and T"
        elif a1 == a2:
            reason = "both of their alleles are the same"
        if name is None or reason:
            self.left_out[reason] += counts
            return None
        ploidy = {"X": _Ploidy.X, "Y": _Ploidy.Y, "MT": _Ploidy.MT}.get(name, _Ploidy.DIPLOID)
        position = int(fields[3])
        if ploidy is _Ploidy.X and self._is_diploid_x(code, position):
            ploidy = _Ploidy.DIPLOID
        chromosome = (spelled(name, self._build) if self._build else name).encode()
        ref, alt, by_panel = self._order(chromosome, position, a1, a2)
        if counts:
            self.by_panel += by_panel
            self.by_custom += not by_panel
        return _Variant(
            chromosome=chromosome,
            position=position,
            id=fields[1],
            ref=ref,
            alt=alt,
            ref_is_a1=ref == a1 or (a1 == _MISSING_ALLELE and alt == a2),
            ploidy=ploidy,
        )

    def _is_diploid_x(self, code: str, position: int) -> bool:
        if code in _PSEUDOAUTOSOMAL:
            return True
        if self._build is None:
            raise Refused(
                "build-unknown",
                "The set has chromosome X, where men have one allele outside regions whose bounds "
                "depend on the build.",
                remedy="Say which build it is: hg19 or hg38.",
            )
        return x_region(position, self._build) is not XRegion.NON_PAR

    def _order(
        self, chromosome: bytes, position: int, a1: bytes, a2: bytes
    ) -> tuple[bytes, bytes, bool]:
        """REF, ALT, and whether the panel decided it."""
        known = {a1, a2} - {_MISSING_ALLELE}
        for site in self._panel.at(chromosome, position) if self._panel else ():
            if known <= {site.ref, site.alt}:
                return site.ref, site.alt, True
        if a2 == _MISSING_ALLELE:
            # Nothing but A1 was seen, so it is the more frequent one.
            return a1, b".", False
        return a2, b"." if a1 == _MISSING_ALLELE else a1, False

    def _rows(
        self, stride: int, variants: int, progress: Progress
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """The bytes of each variant, shape (stride,)."""
        at_once = max(1, _PIECE // stride)
        with self._files.bed.open() as file:
            _read_exactly(file, 3)
            for start in range(0, variants, at_once):
                count = min(at_once, variants - start)
                data = _read_exactly(file, count * stride)
                if len(data) < count * stride:
                    raise self._misfit()
                progress.at(start + count, variants)
                yield from np.frombuffer(data, np.uint8).reshape(count, stride)
            if file.read(1):
                raise self._misfit()

    def _cells(
        self,
        variant: _Variant,
        row: npt.NDArray[np.uint8],
        samples: int,
        men: npt.NDArray[np.bool_],
        women: npt.NDArray[np.bool_],
    ) -> bytes:
        table = _REF_IS_A1 if variant.ref_is_a1 else _REF_IS_A2
        cells = table[row].reshape(-1, 4)[:samples]
        if variant.ploidy is _Ploidy.DIPLOID:
            return cells.tobytes()[:-1]
        haploid = men if variant.ploidy is _Ploidy.X else np.ones(samples, bool)
        mixed = haploid & (cells[:, 0] != cells[:, 2])
        if variant.ploidy is _Ploidy.Y:
            mixed &= ~women
            cells[women, 0] = ord(".")
        self.mixed_haploid += int(mixed.sum())
        cells[mixed, 0] = ord(".")
        kept = np.ones(cells.shape, bool)
        kept[haploid, 1:3] = False
        return cells[kept].tobytes()[:-1]

    @staticmethod
    def _record(variant: _Variant, cells: bytes) -> bytes:
        return b"\t".join(
            [
                variant.chromosome,
                b"%d" % variant.position,
                variant.id,
                variant.ref,
                variant.alt,
                b".\t.\t.\tGT",
                cells,
            ]
        )


def _text_lines(member: Member) -> Iterator[bytes]:
    """The lines of a text that are not empty."""
    with member.open() as file:
        lines = read_lines(iter(lambda: file.read(1 << 16), b""), max_line=_MAX_TEXT_LINE)
        try:
            yield from (line for line in lines if line.strip())
        except LineTooLong as error:
            raise Refused("plink-text", f"{member.name}: {error}.") from error


def _read_exactly(file: IO[bytes], size: int) -> bytes:
    """`size` bytes; fewer at the end."""
    pieces = []
    while size and (piece := file.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
