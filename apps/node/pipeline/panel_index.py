"""A panel's chromosome as arrays on disk that are mapped into memory, not read.

Sites and haplotypes are looked up by position in the pages that are needed, so that a chunk costs
the memory of a chunk, whatever the length of the chromosome.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from apps.genotypes.calls import ABSENT, parse_calls
from apps.genotypes.qc import PanelSite
from apps.genotypes.vcf import read_header, vcf_lines
from apps.node.pipeline.derived import derived
from apps.node.pipeline.panels import Panel, PanelError

__all__ = ["PanelIndex", "SiteText", "open_index", "panel_sites"]

_BLOCK = 4096

SiteText = tuple[bytes, bytes, bytes]


@dataclass(frozen=True, kw_only=True, eq=False)
class PanelIndex:
    """One chromosome of a panel.

    Attributes:
        haplotypes: Number of haplotypes, K.
        positions: Sorted, shape (sites,).
        alt_counts: Haplotypes that carry ALT, shape (sites,).
    """

    haplotypes: int
    positions: npt.NDArray[np.int32]
    alt_counts: npt.NDArray[np.int32]
    _bits: npt.NDArray[np.uint8]
    _text: npt.NDArray[np.uint8]
    _offsets: npt.NDArray[np.int64]

    def between(self, start: int, end: int) -> range:
        """Indices of the sites at `start` to `end`, both included."""
        low, high = np.searchsorted(self.positions, [start, end + 1])
        return range(int(low), int(high))

    def alleles(self, sites: range | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Alleles 0 and 1 of all haplotypes at some sites, shape (sites, K)."""
        rows = (
            self._bits[sites.start : sites.stop] if isinstance(sites, range) else self._bits[sites]
        )
        return np.unpackbits(rows, axis=1, count=self.haplotypes)

    def texts(self, sites: range) -> Iterator[SiteText]:
        """ID, REF and ALT of neighbouring sites."""
        for low in range(sites.start, sites.stop, _BLOCK):
            high = min(low + _BLOCK, sites.stop)
            text = self._text[self._offsets[low] : self._offsets[high]].tobytes()
            for line in text.split(b"\n")[:-1]:
                name, ref, alt = line.split(b"\t")
                yield name, ref, alt

    def sites(self) -> Iterator[PanelSite]:
        """All sites in order, read in blocks."""
        texts = self.texts(range(len(self.positions)))
        for low in range(0, len(self.positions), _BLOCK):
            block = slice(low, low + _BLOCK)
            frequencies = self.alt_counts[block] / self.haplotypes
            for position, frequency in zip(
                self.positions[block].tolist(), frequencies.tolist(), strict=True
            ):
                _, ref, alt = next(texts)
                yield PanelSite(position, ref, alt, frequency)


def open_index(panel: Panel, chromosome: str) -> PanelIndex:
    """Map the arrays of a panel's chromosome into memory, deriving them on first use.

    Raises:
        KeyError: the panel has no such chromosome.
        PanelError: its genotypes are not what the manifest says.
    """
    entry = panel.chromosomes[chromosome]
    folder = derived(
        panel.folder,
        f"chr{chromosome}.index-1",
        lambda path: _build(path, entry.genotypes, entry.sites, entry.haplotypes),
    )

    def load(name: str) -> npt.NDArray[Any]:
        return np.load(folder / f"{name}.npy", mmap_mode="r")  # type: ignore[no-any-return]

    return PanelIndex(
        haplotypes=entry.haplotypes,
        positions=load("positions"),
        alt_counts=load("alt_counts"),
        _bits=load("bits"),
        _text=load("text"),
        _offsets=load("offsets"),
    )


def panel_sites(panel: Panel, chromosome: str) -> Iterator[PanelSite]:
    """The sites of a panel's chromosome in order; none when it lacks the chromosome.

    Args:
        chromosome: Its plain name; of X the region, `X.nonPAR`.

    Raises:
        PanelError: its genotypes are not what the manifest says.
    """
    if chromosome in panel.chromosomes:
        yield from open_index(panel, chromosome).sites()


def _build(folder: Path, genotypes: Path, sites: int, haplotypes: int) -> None:
    folder.mkdir()

    def array(name: str, kind: npt.DTypeLike, *shape: int) -> npt.NDArray[Any]:
        return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.dtype(kind), shape)

    positions = array("positions", np.int32, sites)
    counts = array("alt_counts", np.int32, sites)
    bits = array("bits", np.uint8, sites, (haplotypes + 7) // 8)
    offsets = array("offsets", np.int64, sites + 1)
    text_path = folder / "text"
    at = 0
    with vcf_lines(genotypes) as lines, text_path.open("wb") as text:
        samples = len(read_header(genotypes, lines).samples)
        for line in lines:
            _, position, name, ref, alt, _, _, _, form, calls = line.split(b"\t", 9)
            alleles = parse_calls(form, calls, samples).reshape(-1)
            alleles = alleles[alleles != ABSENT]
            if at == sites or len(alleles) != haplotypes:
                raise PanelError(genotypes, "does not have the sites and samples of its manifest")
            positions[at] = int(position)
            counts[at] = int(alleles.sum())
            bits[at] = np.packbits(alleles > 0)
            at += 1
            text.write(b"\t".join([name, ref, alt]) + b"\n")
            offsets[at] = text.tell()
    if at != sites:
        raise PanelError(genotypes, "does not have the sites of its manifest")
    content = array("text", np.uint8, text_path.stat().st_size)
    with text_path.open("rb") as written:
        for low in range(0, len(content), 1 << 20):
            content[low : low + (1 << 20)] = np.frombuffer(written.read(1 << 20), np.uint8)
    text_path.unlink()
