"""The chunks of a file beside one panel, judged as the panel's service judges them."""

from collections.abc import Iterable

import numpy as np

from apps.genotypes.check.lines import Flags, Numbers, distinct
from apps.genotypes.check.report import ChunkReport
from apps.genotypes.job_rules import CHUNK_SIZE, Chunk, judge_chunk
from apps.genotypes.rules import PanelRules

__all__ = ["ChunkTally"]


class ChunkTally:
    """Count what is in each chunk; only the one that is being read holds a number per sample.

    In a sorted file no chunk is opened twice. In another one its samples start anew, which only
    makes their call rates look better: the file is refused for its order already.
    """

    def __init__(self, *, samples: int, rules: PanelRules) -> None:
        self._samples = samples
        self._rules = rules
        self._open: dict[tuple[str, int], Chunk] = {}
        self._closed: dict[tuple[str, int], ChunkReport] = {}

    def add(
        self,
        name: str,
        positions: Numbers,
        *,
        typed_only: Flags,
        kept: Flags,
        missing: Flags,
        with_missing: Flags,
    ) -> None:
        """Count some SNPs of one chromosome.

        Args:
            name: Of the chromosome, without `chr`; of X the region.
            typed_only, kept: Those that the panel lacks; those that it has and that are kept.
            missing, with_missing: As in `Snps`.
        """
        chunks = (positions - 1) // CHUNK_SIZE
        for number in distinct(chunks):
            here = chunks == number
            lacked = int((here & typed_only).sum())
            counted = here & kept
            sites = int(counted.sum())
            chunk = self._chunk(name, number)
            chunk.typed_only += lacked
            chunk.found += int(here.sum()) - lacked
            chunk.sites += sites
            chunk.called += sites
            if missing.size:
                # Fewer lines than two bytes can count; and these are added up twice as fast.
                chunk.called -= missing[counted[with_missing]].sum(axis=0, dtype=np.uint16)

    def add_empty(self, chunks: Iterable[tuple[str, int]]) -> None:
        """Add chunks in which nothing is left to compare; a service also judges these."""
        for key in chunks:
            if key not in self._closed and key not in self._open:
                self._chunk(*key)

    def close(self) -> tuple[ChunkReport, ...]:
        """Judge all of them, in the order of their names and numbers."""
        self._close_open()
        return tuple(self._closed[key] for key in sorted(self._closed))

    def _chunk(self, name: str, number: int) -> Chunk:
        key = (name, number)
        if key not in self._open:
            self._close_open()
            chunk = Chunk(chromosome=name, number=number, samples=self._samples)
            if (before := self._closed.pop(key, None)) is not None:
                chunk.found, chunk.sites = before.found, before.sites
                chunk.typed_only = before.compared - before.found
                chunk.called += before.sites
            self._open[key] = chunk
        return self._open[key]

    def _close_open(self) -> None:
        rules = self._rules
        for key, chunk in self._open.items():
            fault = judge_chunk(chunk, rules)
            self._closed[key] = ChunkReport(
                name=chunk.name,
                compared=chunk.found + chunk.typed_only,
                found=chunk.found,
                sites=chunk.sites,
                samples_low_call_rate=chunk.samples_below(rules.sample_call_rate),
                fault=fault.value if fault else None,
            )
        self._open.clear()
