"""The numpy engine: impute phased haplotypes by the Li-Stephens model of `hmm`.

It needs nothing but numpy, so a node imputes wherever Python runs; it is meant for panels up to
about 2,000 haplotypes. At a site between two typed ones the copying probabilities are taken to
change linearly with genetic distance (Howie et al. 2009), so the dosages of all sites in a gap
are two matrix products.

Target haplotypes are run in batches. Dosages go to a file that is mapped into memory, since a
batch gives all sites of some haplotypes, while a VCF wants all haplotypes of a site.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.calls import ABSENT, parse_calls
from apps.genotypes.vcf import read_header, vcf_lines
from apps.node.pipeline.engines.dosage_text import (
    DOSE_FORMAT,
    EMPIRICAL_FORMAT,
    Cells,
    Ploidy,
    Thousandths,
    dose_header,
    empirical_cells,
    empirical_header,
    info_header,
    site_info,
    squared_correlation,
    to_thousandths,
)
from apps.node.pipeline.engines.hmm import batch_size, posteriors, switch_probabilities
from apps.node.pipeline.engines.protocol import ChunkFiles, ChunkTask
from apps.node.pipeline.genetic_map import centimorgans
from apps.node.pipeline.panel_index import PanelIndex, open_index

__all__ = ["LiStephens"]

# Sites of the panel that are unpacked at once.
_BLOCK = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class _Typed:
    """The targets' sites around and in a chunk, and which of their H haplotypes are whose.

    Attributes:
        sites: Indices into the panel of the M sites that it has, rising.
        alleles: Their alleles, shape (M, H), -1 for missing.
        only: The other sites within the chunk: POS, the fixed columns ID, REF and ALT, alleles.
    """

    sites: npt.NDArray[np.int64]
    alleles: npt.NDArray[np.int8]
    only: list[tuple[int, tuple[bytes, bytes, bytes], npt.NDArray[np.int8]]]
    ploidy: Ploidy


class LiStephens:
    """Engine without any other program; phased input only."""

    name = "numpy Li-Stephens"
    version = "1.0"

    def impute(self, task: ChunkTask, *, progress: Callable[[float], None]) -> ChunkFiles:
        """Impute one chunk; see `Engine`.

        Raises:
            PanelError: the panel's files are not what its manifest says.
        """
        index = open_index(task.panel, task.chromosome)
        typed = _read_targets(task, index)
        sites = index.between(task.start, task.end)
        shape = (len(sites), typed.ploidy.haplotypes)
        store = task.folder / "dosages.npy"
        left_store = task.folder / "leave_one_out.npy"
        dosages = _scratch(store, shape)
        left_out = _scratch(left_store, (len(typed.sites), shape[1]))
        _fill(dosages, left_out, task, index, sites, typed, progress)
        files = _write(task, index, sites, typed, dosages, left_out, self._source)
        store.unlink()
        left_store.unlink()
        return files

    @property
    def _source(self) -> str:
        return f"{self.name} {self.version}"


def _scratch(path: Path, shape: tuple[int, int]) -> Thousandths:
    # A mapped file cannot be empty.
    rows = max(1, shape[0])
    array = np.lib.format.open_memmap(path, "w+", np.dtype(np.uint16), (rows, shape[1]))
    return array[: shape[0]]


def _read_targets(task: ChunkTask, index: PanelIndex) -> _Typed:
    window = index.between(task.start - task.overlap, task.end + task.overlap)
    positions = index.positions[window.start : window.stop].tolist()
    texts = index.texts(window)
    places = {
        (position, ref, alt): place
        for place, position, (_, ref, alt) in zip(window, positions, texts, strict=True)
    }
    sites: list[int] = []
    rows: list[npt.NDArray[np.int8]] = []
    only: list[tuple[int, tuple[bytes, bytes, bytes], npt.NDArray[np.int8]]] = []
    haploid = np.zeros(len(task.samples), bool)
    with vcf_lines(task.targets) as lines:
        samples = len(read_header(task.targets, lines).samples)
        for line in lines:
            _, text, name, ref, alt, _, _, _, form, calls = line.split(b"\t", 9)
            position = int(text)
            if not task.start - task.overlap <= position <= task.end + task.overlap:
                continue
            pairs = parse_calls(form, calls, samples)
            if not (sites or only):
                # A man whose genotype is missing everywhere is known by a dot that is alone.
                haploid |= [cell == b"." for cell in calls.split(b"\t")]
            haploid |= pairs[:, 1] == ABSENT
            alleles = pairs.reshape(-1)
            place = places.get((position, ref, alt))
            if place is not None:
                sites.append(place)
                rows.append(alleles)
            elif task.start <= position <= task.end:
                only.append((position, (name, ref, alt), alleles))
    present = np.ones((len(haploid), 2), bool)
    present[haploid, 1] = False
    mine = present.reshape(-1)
    order = np.argsort(np.array(sites, np.int64), kind="stable")
    matrix = np.array(rows, np.int8).reshape(len(rows), len(mine))
    return _Typed(
        sites=np.array(sites, np.int64)[order],
        alleles=matrix[order][:, mine],
        only=[(position, text, alleles[mine]) for position, text, alleles in only],
        ploidy=Ploidy(haploid),
    )


def _fill(
    dosages: Thousandths,
    left_out: Thousandths,
    task: ChunkTask,
    index: PanelIndex,
    sites: range,
    typed: _Typed,
    progress: Callable[[float], None],
) -> None:
    """Compute the dosages of all haplotypes at all sites of the chunk."""
    if not len(typed.sites):
        frequency = index.alt_counts[sites.start : sites.stop] / index.haplotypes
        dosages[:] = to_thousandths(frequency)[:, None]
        return
    reach = range(min(sites.start, int(typed.sites[0])), max(sites.stop, int(typed.sites[-1]) + 1))
    places = centimorgans(
        index.positions[reach.start : reach.stop], task.panel.chromosomes[task.chromosome].map
    )
    panel = index.alleles(typed.sites)
    switch = switch_probabilities(places[typed.sites - reach.start], index.haplotypes)
    targets = dosages.shape[1]
    size = batch_size(len(typed.sites), index.haplotypes)
    total = len(typed.sites) * targets
    done = 0
    for low in range(0, targets, size):
        batch = slice(low, min(low + size, targets))
        right: tuple[int, npt.NDArray[np.float32]] | None = None
        for posterior in posteriors(typed.alleles[:, batch], panel, switch):
            site = int(typed.sites[posterior.site])
            left_out[posterior.site, batch] = to_thousandths(posterior.leave_one_out)
            _fill_gap(
                dosages[:, batch],
                index,
                sites,
                places=places,
                origin=reach.start,
                left=(site, posterior.weights),
                right=right,
            )
            right = (site, posterior.weights)
            done += batch.stop - batch.start
            progress(done / total)
        if right is not None:
            _fill_gap(
                dosages[:, batch],
                index,
                sites,
                places=places,
                origin=reach.start,
                left=None,
                right=right,
            )


_Known = tuple[int, npt.NDArray[np.float32]]


def _fill_gap(
    dosages: Thousandths,
    index: PanelIndex,
    sites: range,
    *,
    places: npt.NDArray[np.float64],
    origin: int,
    left: _Known | None,
    right: _Known | None,
) -> None:
    """Write the dosages from one typed site (its own included) up to the next one.

    Args:
        places: Genetic places of the panel's sites from index `origin` on.
        left, right: Index into the panel and copying probabilities of both typed sites; None
            beyond the first and beyond the last.
    """
    low = max(sites.start, sites.start if left is None else left[0])
    high = min(sites.stop, sites.stop if right is None else right[0])
    for start in range(low, high, _BLOCK):
        block = range(start, min(start + _BLOCK, high))
        alleles = index.alleles(block).astype(np.float32)
        if left is None or right is None:
            known = left or right
            assert known is not None  # noqa: S101 - a gap has at least one end
            mixed = alleles @ known[1].T
        else:
            begin, end = places[left[0] - origin], places[right[0] - origin]
            here = places[block.start - origin : block.stop - origin]
            share = (here - begin) / (end - begin) if end > begin else np.zeros(len(block))
            weight = share.astype(np.float32)[:, None]
            mixed = (alleles @ left[1].T) * (1 - weight) + (alleles @ right[1].T) * weight
        dosages[block.start - sites.start : block.stop - sites.start] = to_thousandths(mixed)


def _write(
    task: ChunkTask,
    index: PanelIndex,
    sites: range,
    typed: _Typed,
    dosages: Thousandths,
    left_out: Thousandths,
    source: str,
) -> ChunkFiles:
    files = ChunkFiles(
        dose=task.folder / "dose.vcf.gz",
        info=task.folder / "info.vcf.gz",
        empirical=task.folder / "empirical.vcf.gz",
    )
    cells = Cells()
    with ExitStack() as stack:
        dose = stack.enter_context(BgzfWriter(files.dose))
        info = stack.enter_context(BgzfWriter(files.info))
        empirical = stack.enter_context(BgzfWriter(files.empirical))
        dose.write(dose_header(source, task.spelled, task.samples))
        info.write(info_header(source, task.spelled))
        empirical.write(empirical_header(source, task.spelled, task.samples))
        for record in _records(task, index, sites, typed, dosages, left_out):
            fixed = b"\t".join(
                [task.spelled.encode(), b"%d" % record.position, *record.text, b".", b"PASS"]
            )
            dose.write(
                b"\t".join(
                    [fixed, record.info, DOSE_FORMAT, cells.row(record.dosages, typed.ploidy)]
                )
            )
            dose.write(b"\n")
            info.write(b"\t".join([fixed, record.info]) + b"\n")
            if record.left_out is not None and record.alleles is not None:
                calls = empirical_cells(record.alleles, record.left_out, typed.ploidy)
                empirical.write(b"\t".join([fixed, b"TYPED;IMPUTED", EMPIRICAL_FORMAT, calls]))
                empirical.write(b"\n")
    return files


@dataclass(frozen=True, kw_only=True, eq=False)
class _Record:
    position: int
    text: tuple[bytes, bytes, bytes]
    info: bytes
    dosages: Thousandths
    alleles: npt.NDArray[np.int8] | None = None
    left_out: Thousandths | None = None


def _records(
    task: ChunkTask,
    index: PanelIndex,
    sites: range,
    typed: _Typed,
    dosages: Thousandths,
    left_out: Thousandths,
) -> Iterator[_Record]:
    """All records of the chunk in order: sites of the panel, and those that it lacks."""
    only = iter(_typed_only(typed))
    waiting = next(only, None)
    for record in _panel_records(task, index, sites, typed, dosages, left_out):
        while waiting is not None and waiting.position < record.position:
            yield waiting
            waiting = next(only, None)
        yield record
    while waiting is not None:
        yield waiting
        waiting = next(only, None)


def _panel_records(
    task: ChunkTask,
    index: PanelIndex,
    sites: range,
    typed: _Typed,
    dosages: Thousandths,
    left_out: Thousandths,
) -> Iterator[_Record]:
    rows = {int(site): row for row, site in enumerate(typed.sites)}
    texts = index.texts(sites)
    block_size = max(1, min(_BLOCK, 8_000_000 // max(1, dosages.shape[1])))
    for low in range(sites.start, sites.stop, block_size):
        block = range(low, min(low + block_size, sites.stop))
        values = np.array(dosages[block.start - sites.start : block.stop - sites.start])
        r2, infos = site_info(values)
        positions = index.positions[block.start : block.stop].tolist()
        for at, site in enumerate(block):
            text = next(texts)
            row = rows.get(site)
            if row is not None:
                alleles = typed.alleles[row]
                left = np.array(left_out[row])
                empirical_r2 = squared_correlation(alleles, left)
                yield _Record(
                    position=positions[at],
                    text=text,
                    info=b"%b;ER2=%.6g;TYPED;IMPUTED" % (infos[at], empirical_r2),
                    dosages=values[at],
                    alleles=alleles,
                    left_out=left,
                )
            elif r2[at] >= task.r2_filter:
                yield _Record(
                    position=positions[at],
                    text=text,
                    info=infos[at] + b";IMPUTED",
                    dosages=values[at],
                )


def _typed_only(typed: _Typed) -> Iterator[_Record]:
    """Sites that the panel lacks, as they were sent; a missing allele has the frequency of ALT."""
    for position, text, alleles in typed.only:
        seen = alleles >= 0
        frequency = alleles[seen].mean() if seen.any() else 0.0
        dosages = to_thousandths(np.where(seen, alleles, frequency))
        _, infos = site_info(dosages[None, :])
        yield _Record(position=position, text=text, info=infos[0] + b";TYPED", dosages=dosages)
