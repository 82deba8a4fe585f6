"""BCF as the lines of a VCF, through htslib (cyvcf2)."""

import os
from collections.abc import Iterator
from pathlib import Path

from cyvcf2 import VCF

from apps.genotypes.bgzf import BgzfError, Compression, check_end, compression
from apps.genotypes.repair.progress import Progress
from apps.genotypes.repair.refusals import Refused

__all__ = ["bcf_lines"]


def bcf_lines(path: Path, progress: Progress) -> Iterator[bytes]:
    """The lines of the VCF that a BCF stands for, without their ends.

    Raises:
        Refused: it is cut or damaged.
        OSError: it cannot be read.
    """
    if compression(path) is Compression.BGZF:
        try:
            check_end(path)
        except BgzfError as error:
            raise _damaged(str(error).split(";")[0]) from error
    size = path.stat().st_size
    with path.open("rb") as file:
        descriptor = file.fileno()
        try:
            reader = VCF(descriptor)
        except Exception as error:  # cyvcf2 has no exceptions of its own
            raise _damaged("its header cannot be read") from error
        try:
            yield from reader.raw_header.encode().splitlines()
            number = 0
            while True:
                try:
                    record = next(reader, None)
                except Exception as error:  # as above
                    raise _damaged(f"record {number + 1} cannot be read") from error
                if record is None:
                    return
                number += 1
                if number % 1000 == 0:
                    progress.at(os.lseek(descriptor, 0, os.SEEK_CUR), size)
                yield str(record).rstrip("\n").encode()
        finally:
            reader.close()


def _damaged(reason: str) -> Refused:
    return Refused("damaged", f"The BCF is damaged: {reason}.", remedy="Send it again.")
