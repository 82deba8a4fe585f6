"""REF and ALT brought to those of a panel: swapped where they are exchanged, flipped on request.

A swap is certain: the same two bases, the other way round. A strand flip is a guess about the whole
file, since A/T and C/G read the same on both strands: so it is a repair of its own, never part of a
swap, and it leaves all A/T and C/G sites out of the result. Only sites of two single bases are
touched; of insertions and deletions, exchanged alleles are another variant.
"""

from collections.abc import Iterator
from pathlib import Path

from apps.genotypes.qc import AlleleMatch, PanelSite, compare_alleles, is_palindromic
from apps.genotypes.repair.naming import usual_name
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.turning import Turner
from apps.genotypes.sites import SitesError, SiteTable, open_site_table, read_site_manifest

__all__ = ["AlleleRepair", "Panel"]

_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")
_BASES = {b"A", b"C", b"G", b"T"}
# The better match first, for a position where the panel has several sites.
_PREFERENCE = tuple(AlleleMatch)
_LOOKUPS_BEFORE_RELEASE = 200_000
_MAX_TABLES = 1000  # spellings of chromosomes, of which a hostile file may have any number


class Panel:
    """The sites of a panel, looked up in any order.

    Raises:
        Refused: the folder has no tables, they are broken, or they are of another build.
    """

    def __init__(self, folder: Path, *, build: str | None) -> None:
        self._folder = folder
        self._tables: dict[bytes, SiteTable | None] = {}
        self._lookups = 0
        try:
            manifest = read_site_manifest(folder)
        except SitesError as error:
            raise Refused("panel-broken", str(error)) from error
        if manifest is None:
            raise Refused(
                "panel-missing", f"The folder {folder.name} holds no tables of a panel's sites."
            )
        if manifest.build is not None and build != manifest.build:
            known = f"is {build}" if build else "is not known"
            raise Refused(
                "build-mismatch",
                f"The panel's build is {manifest.build}, that of the file {known}: its positions "
                "would be compared with others.",
                remedy="Choose a panel of the same build."
                if build
                else "Say which build it is: hg19 or hg38.",
            )

    def at(self, chromosome: bytes, position: int) -> tuple[PanelSite, ...]:
        """The sites at a position; none when the panel lacks the chromosome."""
        if chromosome not in self._tables:
            self._open(chromosome)
        table = self._tables[chromosome]
        if table is None:
            return ()
        self._lookups += 1
        if self._lookups % _LOOKUPS_BEFORE_RELEASE == 0:
            table.release()
        return table.at(position)

    def match(self, chromosome: bytes, position: int, ref: bytes, alt: bytes) -> AlleleMatch | None:
        """How two single bases stand to the panel's; None where it has no such site."""
        matches = [
            compare_alleles(ref, alt, site.ref, site.alt)
            for site in self.at(chromosome, position)
            if site.ref in _BASES and site.alt in _BASES
        ]
        return min(matches, key=_PREFERENCE.index, default=None)

    def _open(self, chromosome: bytes) -> None:
        name = usual_name(chromosome[:40].decode("utf-8", "replace"))
        if len(self._tables) > _MAX_TABLES:
            self._tables.clear()
        try:
            self._tables[chromosome] = None if name is None else open_site_table(self._folder, name)
        except SitesError as error:
            raise Refused("panel-broken", str(error)) from error


class AlleleRepair:
    """Swap, flip, or both.

    Attributes:
        found: Records of two single bases at a site of the panel.
        swapped: Records whose REF and ALT were exchanged.
        flipped: Records turned to the other strand.
        left_out: A/T and C/G records that a flip leaves out of the result.
        ambiguous: A/T and C/G records that look swapped or flipped; left as they are.
        flips_left: Strand flips left, since no flip was asked for.
        swaps_left: Swaps left: no swap was asked for, or a genotype has other alleles.
    """

    def __init__(self, panel: Panel, meta: list[bytes], *, swap: bool, flip: bool) -> None:
        self.found = self.swapped = self.flipped = self.left_out = 0
        self.ambiguous = self.flips_left = self.swaps_left = 0
        self._panel = panel
        self._turner = Turner(meta)
        self._swap = swap
        self._flip = flip

    @property
    def dropped(self) -> dict[str, int]:
        """In how many records each field had to be dropped, sorted by name."""
        return dict(sorted(self._turner.dropped.items()))

    def apply(self, records: Iterator[bytes]) -> Iterator[bytes]:
        """The records, repaired."""
        for record in records:
            chromosome, text, _, ref, alt, _ = record.split(b"\t", 5)
            if ref not in _BASES or alt not in _BASES:
                yield record
                continue
            if self._flip and is_palindromic(ref, alt):
                self.left_out += 1
                continue
            match = self._panel.match(chromosome, int(text), ref, alt)
            self.found += match is not None
            if match in {None, AlleleMatch.SAME, AlleleMatch.MISMATCH}:
                yield record
            elif match is AlleleMatch.AMBIGUOUS:
                self.ambiguous += 1
                yield record
            else:
                yield self._repaired(record, match)

    def _repaired(self, record: bytes, match: AlleleMatch | None) -> bytes:
        if match is not AlleleMatch.SWITCH:
            if not self._flip:
                self.flips_left += 1
                return record
            record = _flipped(record)
            self.flipped += 1
        if match is AlleleMatch.FLIP:
            return record
        turned = self._turner.swap(record) if self._swap else None
        if turned is None:
            self.swaps_left += 1
            return record
        self.swapped += 1
        return turned


def _flipped(record: bytes) -> bytes:
    """The record on the other strand; the ancestral allele of INFO, a base too, is dropped."""
    fields = record.split(b"\t", 8)
    fields[3] = fields[3].translate(_COMPLEMENT)
    fields[4] = fields[4].translate(_COMPLEMENT)
    if b"AA=" in fields[7]:
        kept = [entry for entry in fields[7].split(b";") if not entry.startswith(b"AA=")]
        fields[7] = b";".join(kept) or b"."
    return b"\t".join(fields)
