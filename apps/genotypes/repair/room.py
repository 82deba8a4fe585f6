"""Whether the disk has room for a repair, asked before it starts."""

import shutil
import zlib
from pathlib import Path

from apps.genotypes.bgzf import Compression, compression
from apps.genotypes.check.facts import FileFormat
from apps.genotypes.repair.opening import format_of
from apps.genotypes.repair.refusals import Refused

__all__ = ["check_room", "room_needed"]

_SAMPLE = 4 * 1024 * 1024
# Blocks, their fast packing, and that runs are there beside the longer runs they are merged to.
_RESULT = 1.2
_RUNS = 3.0
# A converted file may be twice the size, and another program may write it once more.
_CONVERTED = 3
_TEXTS = {FileFormat.VCF, FileFormat.UNKNOWN}
_LEAST = 1024 * 1024


def room_needed(file: Path, *, sorts: bool) -> int:
    """Bytes that a repair of this file takes, estimated on the high side.

    A packed file gives its own size; of a text the beginning is packed to see how much it shrinks;
    of other formats three times the size is taken.

    Raises:
        OSError: it cannot be read.
    """
    size = file.stat().st_size
    if format_of(file) not in _TEXTS:
        size *= _CONVERTED
    elif compression(file) is Compression.NONE:
        with file.open("rb") as opened:
            sample = opened.read(_SAMPLE)
        size = size * len(zlib.compress(sample, 1)) // len(sample)
    return int(size * (_RESULT + (_RUNS if sorts else 0))) + _LEAST


def check_room(file: Path, folder: Path, *, sorts: bool) -> None:
    """Make sure that the disk of `folder` has room.

    Raises:
        Refused: it has not; the text says how much is needed and how much is free.
        OSError: the file cannot be read.
    """
    needed = room_needed(file, sorts=sorts)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Refused(
            "disk-full",
            f"The repair needs about {needed / 1e6:,.0f} MB of disk, and {free / 1e6:,.0f} MB are "
            "free.",
            remedy="Make room, or choose a folder on another disk.",
        )
