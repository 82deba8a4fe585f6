"""Chromosomes spelled as services want them: `20` in hg19, `chr20` in hg38."""

import re
from collections.abc import Iterator

from apps.genotypes.builds import build_of, plain_name, spelled
from apps.genotypes.repair.text import MAX_CHROMOSOMES, too_many_chromosomes

__all__ = ["Renaming", "contig_ids", "header_build", "usual_name"]

_CONTIG = re.compile(rb"^##contig=<(?:.*?,)?ID=([^,>]+)")
_LENGTH = re.compile(rb"[<,]length=(\d{1,10})[,>]")
# As PLINK numbers them; 25 is its pseudoautosomal part of X.
_OF_PLINK = {"23": "X", "24": "Y", "25": "X", "26": "MT", "XY": "X"}


def usual_name(chromosome: str) -> str | None:
    """The plain name: 1 to 22, X, Y or MT; None when it is none of these.

    In any case, with or without `chr`, with a zero before a single digit, as PLINK numbers them.
    """
    name = chromosome.upper().removeprefix("CHR")
    if len(name) == 2 and name.startswith("0"):
        name = name[1:]
    name = _OF_PLINK.get(name, name)
    return "Y" if name == "Y" else plain_name(name)


def contig_ids(meta: list[bytes]) -> list[bytes]:
    """The IDs of the contigs of a header, in their order."""
    return [found[1] for line in meta if (found := _CONTIG.match(line))]


def header_build(meta: list[bytes]) -> str | None:
    """The build that the lengths of the contigs tell, however they are spelled."""
    lengths: dict[str, int | None] = {}
    for line in meta:
        if (contig := _CONTIG.match(line)) and (length := _LENGTH.search(line)):
            lengths[usual_name(contig[1].decode("utf-8", "replace")) or ""] = int(length[1])
    return build_of(lengths)


class Renaming:
    """Rename the chromosomes of a file.

    Attributes:
        records: How many records were renamed so far.
        left: Names that are no chromosome's, at most 20, left as they are.
    """

    def __init__(self, build: str) -> None:
        self.records = 0
        self.left: list[str] = []
        self._build = build
        self._names: dict[bytes, bytes] = {}

    def meta(self, lines: list[bytes]) -> list[bytes]:
        """The header with its contigs renamed; of two that become one, the first stays."""
        renamed: list[bytes] = []
        seen: set[bytes] = set()
        for line in lines:
            found = _CONTIG.match(line)
            if not found:
                renamed.append(line)
                continue
            name = self._name(found[1])
            if name not in seen:
                seen.add(name)
                renamed.append(line[: found.start(1)] + name + line[found.end(1) :])
        return renamed

    def apply(self, records: Iterator[bytes]) -> Iterator[bytes]:
        """The records with their chromosome renamed."""
        for record in records:
            chromosome, tab, rest = record.partition(b"\t")
            name = self._names.get(chromosome) or self._name(chromosome)
            if name is chromosome or name == chromosome:
                yield record
            else:
                self.records += 1
                yield name + tab + rest

    def _name(self, chromosome: bytes) -> bytes:
        if len(self._names) > MAX_CHROMOSOMES:
            raise too_many_chromosomes()
        text = chromosome.decode("utf-8", "replace")
        usual = usual_name(text)
        if usual is None:
            name = chromosome
            if len(self.left) < 20 and text not in self.left:
                self.left.append(text[:40])
        else:
            name = spelled(usual, self._build).encode()
        self._names[chromosome] = name
        return name
