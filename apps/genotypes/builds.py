"""Builds of the human genome, and how their chromosomes are named and how long they are."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["AUTOSOMES", "BUILDS", "LENGTHS", "build_of", "plain_name", "spelled"]

BUILDS = ("hg19", "hg38")

AUTOSOMES = tuple(str(number) for number in range(1, 23))

# Lengths in base pairs of GRCh37 and GRCh38, chromosomes 1 to 22 and X in order.
_GRCH37 = (
    249_250_621, 243_199_373, 198_022_430, 191_154_276, 180_915_260, 171_115_067,
    159_138_663, 146_364_022, 141_213_431, 135_534_747, 135_006_516, 133_851_895,
    115_169_878, 107_349_540, 102_531_392, 90_354_753, 81_195_210, 78_077_248,
    59_128_983, 63_025_520, 48_129_895, 51_304_566, 155_270_560,
)  # fmt: skip
_GRCH38 = (
    248_956_422, 242_193_529, 198_295_559, 190_214_555, 181_538_259, 170_805_979,
    159_345_973, 145_138_636, 138_394_717, 133_797_422, 135_086_622, 133_275_309,
    114_364_328, 107_043_718, 101_991_189, 90_338_345, 83_257_441, 80_373_285,
    58_617_616, 64_444_167, 46_709_983, 50_818_468, 156_040_895,
)  # fmt: skip

LENGTHS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        build: MappingProxyType(dict(zip((*AUTOSOMES, "X"), lengths, strict=True)))
        for build, lengths in (("hg19", _GRCH37), ("hg38", _GRCH38))
    }
)

_NAMES = {name: name for name in (*AUTOSOMES, "X", "MT")} | {"23": "X", "M": "MT"}


def plain_name(chromosome: str) -> str | None:
    """The name without `chr`, 23 as X and M as MT; None when it is not 1 to 22, X or MT."""
    return _NAMES.get(chromosome.removeprefix("chr"))


def spelled(name: str, build: str) -> str:
    """The plain name as a VCF of that build spells it: `20` in hg19, `chr20` in hg38."""
    return f"chr{name}" if build == "hg38" else name


def build_of(contigs: Mapping[str, int | None]) -> str | None:
    """Tell the build from the lengths of a VCF's contigs.

    Returns:
        `hg19` or `hg38`, or None when no length is given, is known, or when they disagree.
    """
    found = {
        build
        for contig, length in contigs.items()
        if length is not None and (name := plain_name(contig)) is not None
        for build in BUILDS
        if LENGTHS[build].get(name) == length
    }
    return found.pop() if len(found) == 1 else None
