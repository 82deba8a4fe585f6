"""Which phasing programs are there: known without starting one, and without numpy."""

import shutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["PHASING_PROGRAMS", "find_program", "installed_phasings"]

# By the word of the Michigan API: what the executable may be called, Debian's name first.
PHASING_PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"eagle": ("bio-eagle", "eagle"), "beagle": ("beagle",)}
)


def find_program(phasing: str) -> str | None:
    """Path of a phasing program on the PATH.

    Raises:
        KeyError: `phasing` is not of `PHASING_PROGRAMS`.
    """
    return next((path for name in PHASING_PROGRAMS[phasing] if (path := shutil.which(name))), None)


def installed_phasings() -> tuple[str, ...]:
    """Those of `PHASING_PROGRAMS` that seem to be installed, in their order."""
    return tuple(phasing for phasing in PHASING_PROGRAMS if find_program(phasing))
