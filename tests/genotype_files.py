"""Small genotype files for tests, as a browser would send them."""

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.bgzf import bgzf

__all__ = ["study", "vcf"]


def vcf(*, samples: int = 20, positions: tuple[int, ...] = (1000, 2000, 3000)) -> bytes:
    """A phased VCF of chromosome 20, hg38."""
    names = "\t".join(f"S{number}" for number in range(samples))
    calls = "\t".join("0|1" if number % 2 else "0|0" for number in range(samples))
    head = (
        "##fileformat=VCFv4.2\n##contig=<ID=chr20,length=64444167>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}\n"
    )
    records = "".join(
        f"chr20\t{position}\t.\tA\tC\t.\tPASS\t.\tGT\t{calls}\n" for position in positions
    )
    return (head + records).encode()


def study(name: str = "study.vcf.gz", content: bytes | None = None) -> SimpleUploadedFile:
    """An upload called `name`."""
    return SimpleUploadedFile(name, bgzf(vcf()) if content is None else content)
