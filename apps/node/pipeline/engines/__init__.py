"""Imputation engines, and which one is used."""

from typing import Literal

from apps.node.pipeline.engines.li_stephens import LiStephens
from apps.node.pipeline.engines.minimac4 import Minimac4
from apps.node.pipeline.engines.protocol import ChunkFiles, ChunkTask, Engine, EngineFailed

__all__ = [
    "ChunkFiles",
    "ChunkTask",
    "Engine",
    "EngineChoice",
    "EngineFailed",
    "LiStephens",
    "Minimac4",
    "choose_engine",
]

EngineChoice = Literal["auto", "minimac4", "numpy"]


def choose_engine(choice: EngineChoice = "auto", *, first_is_whole: bool = True) -> Engine:
    """The engine to use: minimac4 when it is installed and can, else the numpy engine.

    Args:
        first_is_whole: Whether the first haplotype of the first sample misses no site. Where it
            does, minimac4 4.1.2 as Debian builds it is ended by an assertion.

    Raises:
        EngineFailed: minimac4 is asked for by name, and is not installed or cannot.
    """
    if choice == "numpy" or (choice == "auto" and not first_is_whole):
        return LiStephens()
    if not first_is_whole:
        raise EngineFailed("minimac4 needs every genotype of the first sample.")
    found = Minimac4.find()
    if found is None and choice == "minimac4":
        raise EngineFailed("minimac4 is not installed on this server.")
    return found or LiStephens()
