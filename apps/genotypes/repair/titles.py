"""Names of results, made from a name that a stranger gave."""

import re

__all__ = ["result_stem"]

_ENDINGS = (
    ".gz", ".bgz", ".vcf", ".bcf", ".bed", ".bim", ".fam", ".zip", ".bgen", ".pgen", ".tbi",
)  # fmt: skip
_OTHER = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 100


def result_stem(name: str) -> str:
    """What results of a file called `name` are called, without `.vcf.gz`.

    Safe as part of a file's name: letters, digits, `_`, `.` and `-`, no folder, no leading dot. It
    is never the stem of the original, so that both fit into one folder.
    """
    stem = name.replace("\\", "/").rsplit("/", 1)[-1]
    while (lower := stem.lower()).endswith(_ENDINGS):
        stem = stem[: lower.rindex(".")]
    stem = _OTHER.sub("_", stem).strip("._-")[:_LONGEST]
    stem = (stem or "file").removesuffix(".repaired")
    return f"{stem}.repaired" if name.lower().endswith((".vcf.gz", ".vcf.bgz")) else stem
