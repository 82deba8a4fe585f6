"""Genetic maps: how far apart two positions are in centimorgans."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apps.node.pipeline.panels import PanelError

__all__ = ["centimorgans", "read_map", "write_minimac_map"]

# Where no map tells: the rate that is commonly assumed for people, 1 cM per Mb.
_CM_PER_BASE = 1e-6

Positions = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float64]


def read_map(path: Path) -> tuple[Positions, Distances]:
    """Read a map with the columns `pos chr cM` and a header.

    Raises:
        PanelError: it is not such a map, or positions or distances fall.
    """
    try:
        with gzip.open(path, "rb") as file:
            table = np.loadtxt(file, skiprows=1, usecols=(0, 2), ndmin=2)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise PanelError(path, f"is not a genetic map ({error})") from error
    if len(table) == 0 or (np.diff(table, axis=0) < 0).any():
        raise PanelError(path, "is not a genetic map that rises")
    return table[:, 0].astype(np.int64), table[:, 1]


def centimorgans(positions: npt.NDArray[np.integer], map_file: Path | None) -> Distances:
    """Place positions on the genetic map.

    Between the map's rows the place is linear in base pairs; beyond its ends, and without a map,
    1 cM per Mb is assumed.

    Raises:
        PanelError: the map cannot be read.
    """
    if map_file is None:
        return positions.astype(np.float64) * _CM_PER_BASE
    known, places = read_map(map_file)
    within = np.interp(positions, known, places)
    beyond = positions - np.clip(positions, known[0], known[-1])
    return np.asarray(within + beyond * _CM_PER_BASE, np.float64)


def write_minimac_map(path: Path, map_file: Path, chromosome: str) -> None:
    """Write a map as minimac4 reads it: without header, `CHROM . cM POS`.

    Args:
        chromosome: As the VCF files spell it.
    """
    known, places = read_map(map_file)
    with path.open("w", encoding="ascii") as out:
        for position, place in zip(known.tolist(), places.tolist(), strict=True):
            out.write(f"{chromosome}\t.\t{place:.10g}\t{position}\n")
