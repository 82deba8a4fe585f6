"""A record whose REF and ALT change places, with every field that depends on their order.

Of the fields of samples, GT (its separators stay), AD, ADF, ADR, GP, GL, PL, PP and whatever the
header declares as one value for each allele (R) or genotype (G) is turned; DS becomes what is left
to the ploidy, HDS and LDS to 1. Of INFO, AF becomes 1 - AF and AC becomes AN - AC. What else is
declared as one value for each ALT allele (A), local alleles, annotations of consequences, and AC
without AN cannot be told for the other allele: they are dropped, and counted. All others stay.
"""

import re
from collections import Counter
from decimal import Context, Decimal, InvalidOperation

__all__ = ["Turner"]

_DECLARED = re.compile(rb"^##(INFO|FORMAT)=<(?:.*?,)?ID=([^,>]+),(?:.*?,)?Number=([^,>]+)")
_OF_ALLELES = {b"AD", b"ADF", b"ADR"}
_OF_GENOTYPES = {b"GP", b"GL", b"PL", b"PP"}
_OF_HAPLOTYPES = {b"HDS", b"LDS"}
_CONSEQUENCES = {b"ANN", b"BCSQ", b"CSQ", b"EFF"}
_LOCAL = {b"LA", b"LR", b"LG"}
_LOCAL_NAMES = {b"LAA", b"LAD", b"LGT", b"LPL"}

_TURNED = bytes.maketrans(b"01", b"10")
_OF_GT = b"01./|"
_EXACT = Context(prec=60)
_MAX_NUMBER = 40


class Turner:
    """Turn records of one file.

    Attributes:
        dropped: In how many records each field was dropped.
    """

    def __init__(self, meta: list[bytes]) -> None:
        self.dropped: Counter[str] = Counter()
        self._numbers = {
            (found[1], found[2]): found[3] for line in meta if (found := _DECLARED.match(line))
        }

    def swap(self, record: bytes) -> bytes | None:
        """The record with REF and ALT exchanged.

        Args:
            record: Of one ALT allele.

        Returns:
            None when it cannot be turned: a genotype has other alleles than 0 and 1.
        """
        fields = record.split(b"\t", 9)
        fields[3], fields[4] = fields[4], fields[3]
        dropped: list[bytes] = []
        fields[7] = self._info(fields[7], dropped)
        if len(fields) == 10:
            samples = self._samples(fields[8], fields[9], dropped)
            if samples is None:
                return None
            fields[8], fields[9] = samples
        self.dropped.update(name.decode("utf-8", "replace")[:40] for name in set(dropped))
        return b"\t".join(fields)

    def _info(self, info: bytes, dropped: list[bytes]) -> bytes:
        if info == b".":
            return info
        entries = [entry.partition(b"=") for entry in info.split(b";")]
        total = next((value for key, _, value in entries if key == b"AN"), b"")
        kept: list[bytes] = []
        for key, sign, value in entries:
            turned = self._info_value(key, value, total)
            if turned is None:
                dropped.append(key)
            else:
                kept.append(key + sign + turned)
        return b";".join(kept) or b"."

    def _info_value(self, key: bytes, value: bytes, total: bytes) -> bytes | None:
        """The value of an entry of INFO for the other allele; None when it cannot be told."""
        if key in _CONSEQUENCES:
            return None
        if key == b"AF":
            return _rest(value, 1)
        if key == b"AC":
            return _rest(value, int(total)) if total.isdigit() and len(total) < 10 else None
        number = self._number(b"INFO", key)
        if number in {b"R", b"G"}:
            return _reversed(value)
        return None if number == b"A" or number in _LOCAL else value

    def _number(self, kind: bytes, key: bytes) -> bytes:
        if key in _OF_ALLELES:
            return b"R"
        if key in _OF_GENOTYPES and kind == b"FORMAT":
            return b"G"
        return self._numbers.get((kind, key), b".")

    def _samples(
        self, form: bytes, calls: bytes, dropped: list[bytes]
    ) -> tuple[bytes, bytes] | None:
        if form == b"GT":
            if calls.translate(None, _OF_GT + b"\t"):
                return None
            return form, calls.translate(_TURNED)
        keys = form.split(b":")
        kept = [at for at, key in enumerate(keys) if not self._is_dropped(key, keys[0])]
        dropped += [key for at, key in enumerate(keys) if at not in kept]
        cells = [self._cell(cell.split(b":"), keys, kept) for cell in calls.split(b"\t")]
        if not kept or not all(cells):
            return None
        return b":".join(keys[at] for at in kept), b"\t".join(cells)

    def _is_dropped(self, key: bytes, first: bytes) -> bool:
        if key == b"DS":
            return first != b"GT"  # without GT nobody knows the ploidy
        if key in _OF_HAPLOTYPES:
            return False
        return key in _LOCAL_NAMES or self._number(b"FORMAT", key) in {b"A", *_LOCAL}

    def _cell(self, values: list[bytes], keys: list[bytes], kept: list[int]) -> bytes:
        """One sample's fields turned; empty when its genotype cannot be."""
        ploidy = 1 + values[0].count(b"|") + values[0].count(b"/") if keys[0] == b"GT" else 2
        turned: list[bytes] = []
        for at in kept:
            if at >= len(values):  # trailing fields may be left off
                break
            key, value = keys[at], values[at]
            if key == b"GT":
                if not value or value.translate(None, _OF_GT):
                    return b""
                value = value.translate(_TURNED)
            elif key == b"DS":
                value = _rest(value, ploidy)
            elif key in _OF_HAPLOTYPES:
                value = b",".join(_rest(one, 1) for one in value.split(b","))
            elif self._number(b"FORMAT", key) in {b"R", b"G"}:
                value = _reversed(value)
            turned.append(value)
        return b":".join(turned) or b"."


def _reversed(values: bytes) -> bytes:
    """Of two alleles, or of the genotypes 0/0, 0/1, 1/1, in the other order."""
    return b",".join(reversed(values.split(b",")))


def _rest(value: bytes, whole: int) -> bytes:
    """`whole` minus a number, with as many decimals; `.` for what is no number within it."""
    if len(value) > _MAX_NUMBER:
        return b"."
    try:
        rest = _EXACT.subtract(Decimal(whole), Decimal(value.decode("ascii")))
    except (InvalidOperation, UnicodeDecodeError):
        return b"."
    if not rest.is_finite() or not 0 <= rest <= whole:
        return b"."
    text = format(rest, "f")
    return text.encode() if len(text) <= _MAX_NUMBER else b"."
