"""Join the chunks of a chromosome and pack them into an encrypted archive."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyzipper

from apps.genotypes.bgzf import BgzfWriter, read_blocks, read_lines, read_packed_blocks
from apps.genotypes.tabix import TabixIndex
from apps.node.pipeline.engines.protocol import ChunkFiles

__all__ = ["export_chromosome"]


def export_chromosome(
    chunks: Sequence[ChunkFiles],
    *,
    chromosome: str,
    origin: Sequence[str],
    meta: bool,
    password: str,
    folder: Path,
) -> Path:
    """Write `chr_<N>.zip` into `folder` and return it.

    It holds `chr<N>.dose.vcf.gz` and `chr<N>.info.gz`, and for a meta-imputation also
    `chr<N>.empiricalDose.vcf.gz` with its index. The archive is encrypted with AES-256
    (WinZip's AE-2), whatever was asked for: ZipCrypto can be broken.

    Args:
        chunks: In the order of positions; their files are removed.
        origin: Header lines to add, without their line ends.
        meta: Whether the empirical dosages belong to the result.
    """
    lines = "".join(f"{line}\n" for line in origin).encode()
    members: list[tuple[Path, str]] = []

    def member(name: str) -> Path:
        members.append((folder / name, name))
        return folder / name

    prefix = f"chr{chromosome}"
    _join([chunk.dose for chunk in chunks], member(f"{prefix}.dose.vcf.gz"), lines)
    _join([chunk.info for chunk in chunks], member(f"{prefix}.info.gz"), lines)
    if meta:
        name = f"{prefix}.empiricalDose.vcf.gz"
        _join_indexed(
            [chunk.empirical for chunk in chunks], member(name), member(f"{name}.tbi"), lines
        )
    for chunk in chunks:
        chunk.empirical.unlink(missing_ok=True)
    archive = folder / f"chr_{chromosome}.zip"
    # The members are compressed already.
    with pyzipper.AESZipFile(
        archive, "w", compression=pyzipper.ZIP_STORED, encryption=pyzipper.WZ_AES
    ) as packed:
        packed.setpassword(password.encode())
        for path, name in members:
            packed.write(path, name)
            path.unlink()
    return archive


def _join(parts: Sequence[Path], path: Path, lines: bytes) -> None:
    """Join VCF files of the same header; only blocks that hold header lines are packed anew."""
    with BgzfWriter(path) as out:
        for number, part in enumerate(parts):
            head = _Head(out.write if number == 0 else None, lines)
            with part.open("rb") as file:
                for packed, plain in read_packed_blocks(file):
                    if not head.ended:
                        out.write(head.take(plain))
                    elif plain:
                        out.write_packed(packed)
            part.unlink()


class _Head:
    """Cut the header off a file that comes in blocks, passing it on with lines added."""

    def __init__(self, write: Callable[[bytes], object] | None, lines: bytes) -> None:
        self._write = write
        self._lines = lines
        self._rest = b""
        self.ended = False

    def take(self, plain: bytes) -> bytes:
        """Take a block; return what of it comes after the header."""
        text = self._rest + plain
        at = 0
        while at < len(text):
            if text[at] != ord("#"):
                self.ended = True
                return text[at:]
            end = text.find(b"\n", at) + 1
            if not end:
                break
            if self._write is not None:
                if text.startswith(b"#CHROM", at):
                    self._write(self._lines)
                self._write(text[at:end])
            at = end
        self._rest = text[at:]
        return b""


def _join_indexed(parts: Sequence[Path], path: Path, index_path: Path, lines: bytes) -> None:
    """Join VCF files of the same header record by record, and write their index."""
    index = TabixIndex()
    with BgzfWriter(path) as out:
        for number, part in enumerate(parts):
            with part.open("rb") as file:
                for line in read_lines(read_blocks(file)):
                    if line.startswith(b"#"):
                        if number == 0:
                            if line.startswith(b"#CHROM"):
                                out.write(lines)
                            out.write(line + b"\n")
                        continue
                    start = out.tell()
                    out.write(line + b"\n")
                    chromosome, position, _, ref, _ = line.split(b"\t", 4)
                    index.add(chromosome, int(position), len(ref), start, out.tell())
    index.write(index_path)
