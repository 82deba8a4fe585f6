"""The smallest genotype file that every service reads."""

from typing import Final

from tests.bgzf import VCF, bgzf

__all__ = ["STUDY"]

STUDY: Final = bgzf(VCF)
