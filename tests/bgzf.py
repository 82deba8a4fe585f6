"""The smallest study: a VCF header in one BGZF block."""

import zlib

__all__ = ["VCF", "bgzf"]

VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n"


def bgzf(text: bytes) -> bytes:
    """One BGZF block and the end-of-file block (SAM specification, 4.1)."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(text) + packer.flush()
    size = (len(packed) + 25).to_bytes(2, "little")
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + size
    tail = zlib.crc32(text).to_bytes(4, "little") + len(text).to_bytes(4, "little")
    end = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
    return head + packed + tail + end
