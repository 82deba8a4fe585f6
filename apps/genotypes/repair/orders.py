"""What can be asked of a repair, and what it answers."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from apps.genotypes.repair.writing import MadeFile

__all__ = ["Done", "Order", "Outcome", "Repair"]


class Repair(Enum):
    """What can be done, in the order in which it is done."""

    CONVERT = "convert"
    TEXT = "text"
    RENAME = "rename"
    FLIP = "flip"
    SWAP = "swap"
    SORT = "sort"
    SPLIT = "split"
    BGZIP = "bgzip"
    INDEX = "index"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for.

    Attributes:
        file: The original, never changed.
        name: How it is called towards people; results are named after it.
        into: The folder for the results, made if it is not there.
        build: `hg19` or `hg38`; None to tell it from the header.
        panel: A folder of site tables.
    """

    file: Path
    name: str
    into: Path
    repairs: frozenset[Repair]
    build: str | None = None
    panel: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    """What one repair did.

    Attributes:
        count: How many records, lines or files it changed or made.
        text: The same as a sentence.
    """

    repair: Repair
    count: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run made, sorted by name, and what it did, in its order."""

    made: tuple[MadeFile, ...]
    done: tuple[Done, ...]
