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


def choose_engine(choice: EngineChoice = "auto") -> Engine:
    """The engine to use: minimac4 when it is installed, else the numpy engine.

    Raises:
        EngineFailed: minimac4 is asked for by name and is not installed.
    """
    if choice == "numpy":
        return LiStephens()
    found = Minimac4.find()
    if found is None and choice == "minimac4":
        raise EngineFailed("minimac4 is not installed on this server.")
    return found or LiStephens()
