"""Phasing engines, and which one a job gets."""

from collections.abc import Mapping

from apps.node.pipeline.phasing.beagle import Beagle
from apps.node.pipeline.phasing.eagle import Eagle
from apps.node.pipeline.phasing.protocol import PhasingEngine, PhasingFailed, PhasingTask
from apps.node.pipeline.phasing.windows import PhasedChunk, phase_chunk

__all__ = [
    "ENGINES",
    "Beagle",
    "Eagle",
    "PhasedChunk",
    "PhasingEngine",
    "PhasingFailed",
    "PhasingTask",
    "choose_phasing",
    "phase_chunk",
]

ENGINES: Mapping[str, type[Eagle] | type[Beagle]] = {"eagle": Eagle, "beagle": Beagle}


def choose_phasing(asked: str) -> PhasingEngine | None:
    """The engine that was asked for, or else the other one; None when none is installed.

    Raises:
        KeyError: `asked` is not of `ENGINES`.
    """
    others = (engine for name, engine in ENGINES.items() if name != asked)
    for kind in (ENGINES[asked], *others):
        if (found := kind.find()) is not None:
            return found
    return None
