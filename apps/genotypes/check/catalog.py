"""Every rule of the check: what it asks, what to do when it is broken, and what we can repair."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from apps.genotypes.check.report import Severity

__all__ = ["RULES", "Rule"]

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        id: Never changes, so that other programs can go by it.
        stage: 1 reads the first bytes and the header, 2 every line, 3 the genotypes.
        asks: What the file must be, for the table of rules.
        remedy: What to do when it is not.
        repair: Id of the repair that mends it; None when only a person can.
    """

    id: str
    stage: int
    severity: Severity
    asks: str
    remedy: str
    repair: str | None = None


_ALL: Final = (
    # The file as a whole.
    Rule(
        id="empty",
        stage=1,
        severity=_ERROR,
        asks="The file has content.",
        remedy="Send the file again; nothing of it arrived.",
    ),
    Rule(
        id="format-unknown",
        stage=1,
        severity=_ERROR,
        asks="The content is that of a VCF, whatever the name says.",
        remedy="Export your genotypes as VCF, and send that file.",
    ),
    Rule(
        id="format-encoding",
        stage=1,
        severity=_ERROR,
        asks="The text starts with its first letter: no byte order mark, no UTF-16.",
        remedy="Save the file as UTF-8 without a byte order mark, or export it again.",
        repair="text",
    ),
    Rule(
        id="format-bcf",
        stage=1,
        severity=_ERROR,
        asks="The file is a VCF, not a BCF.",
        remedy="Convert it to VCF: bcftools view -Oz.",
        repair="convert",
    ),
    Rule(
        id="format-plink",
        stage=1,
        severity=_ERROR,
        asks="The file is a VCF, not a PLINK set.",
        remedy="Send bed, bim and fam together as one zip, and have it converted by plink2.",
        repair="convert",
    ),
    Rule(
        id="format-plink-order",
        stage=1,
        severity=_ERROR,
        asks="The .bed of a PLINK set is in variant-major order, as PLINK writes it since 2009.",
        remedy="Write the set again with plink --make-bed, and send it as one zip.",
    ),
    Rule(
        id="format-bgen",
        stage=1,
        severity=_ERROR,
        asks="The file is a VCF, not a BGEN.",
        remedy="Convert it to VCF: plink2 --bgen … --export vcf bgz.",
        repair="convert",
    ),
    Rule(
        id="format-zip",
        stage=1,
        severity=_ERROR,
        asks="The file is no archive, save the zip of one PLINK set.",
        remedy="Unpack the archive and send the VCF files in it.",
    ),
    Rule(
        id="gzip",
        stage=1,
        severity=_ERROR,
        asks="The file is compressed with bgzip, not with gzip.",
        remedy="Compress it with bgzip: gunzip it, then bgzip it.",
        repair="bgzip",
    ),
    Rule(
        id="uncompressed",
        stage=1,
        severity=_ERROR,
        asks="The file is compressed with bgzip.",
        remedy="Compress it: bgzip.",
        repair="bgzip",
    ),
    Rule(
        id="truncated",
        stage=1,
        severity=_ERROR,
        asks="The file is whole: its last BGZF block is there.",
        remedy="Send the file again; compare its size, or its SHA-256, with that of your copy.",
    ),
    Rule(
        id="damaged",
        stage=2,
        severity=_ERROR,
        asks="Every compressed block unpacks to what its checksum says.",
        remedy="Send the file again, or compress it again from its source.",
    ),
    Rule(
        id="line-length",
        stage=1,
        severity=_ERROR,
        asks="No line is longer than 8 MB.",
        remedy="Look at that line: a line break is missing, or the file is no VCF.",
    ),
    Rule(
        id="line-ends",
        stage=1,
        severity=_ERROR,
        asks="Lines end with a line feed alone, as on Unix.",
        remedy="Run dos2unix on the unpacked file (mac2unix for files of an old Mac).",
        repair="text",
    ),
    Rule(
        id="nul",
        stage=2,
        severity=_ERROR,
        asks="The text holds no NUL byte.",
        remedy="Export the file again; programs that read it stop at that byte.",
    ),
    # The header.
    Rule(
        id="header",
        stage=1,
        severity=_ERROR,
        asks="The header starts with ##fileformat=VCF and ends with a #CHROM line.",
        remedy="Add the missing header line: bcftools reheader.",
    ),
    Rule(
        id="header-columns",
        stage=1,
        severity=_ERROR,
        asks="The #CHROM line has the nine columns of a VCF in their order, between tabs.",
        remedy="Name the columns #CHROM POS ID REF ALT QUAL FILTER INFO FORMAT, between tabs.",
    ),
    Rule(
        id="header-length",
        stage=1,
        severity=_ERROR,
        asks="The header is shorter than 64 MB.",
        remedy="Remove header lines that are not needed: bcftools annotate -x.",
    ),
    Rule(
        id="samples-none",
        stage=1,
        severity=_ERROR,
        asks="The file has genotypes, not sites alone.",
        remedy="Export it with the genotypes of your samples.",
    ),
    Rule(
        id="samples-twice",
        stage=1,
        severity=_ERROR,
        asks="Every sample has a name of its own.",
        remedy="Rename or remove one of them: bcftools reheader -s.",
    ),
    Rule(
        id="samples-names",
        stage=1,
        severity=_ERROR,
        asks="Sample names are UTF-8, and none is empty or has characters that cannot be seen.",
        remedy="Rename the sample: bcftools reheader -s.",
    ),
    Rule(
        id="samples-number",
        stage=1,
        severity=_ERROR,
        asks="The number of samples is within the limits of the service (20 to 50,000).",
        remedy="Add samples, or split the file into groups of samples.",
    ),
    Rule(
        id="build-conflict",
        stage=1,
        severity=_WARNING,
        asks="The contig lengths in the header are all of one build.",
        remedy="Find out the build of the positions, and write its contigs: bcftools reheader -f.",
    ),
    Rule(
        id="build-differs",
        stage=1,
        severity=_WARNING,
        asks="The contig lengths in the header are those of the build that was chosen.",
        remedy="Choose the build that the positions are of, or correct the header.",
    ),
    Rule(
        id="version",
        stage=2,
        severity=_WARNING,
        asks="Chromosome X comes in VCF 4.2 or older; some services read no newer one there.",
        remedy="Write it as VCF 4.2: bcftools view, then change ##fileformat.",
    ),
    # The lines.
    Rule(
        id="records-none",
        stage=2,
        severity=_ERROR,
        asks="The file has variants.",
        remedy="Export it again; there is no line after its header.",
    ),
    Rule(
        id="columns",
        stage=2,
        severity=_ERROR,
        asks="Every line has nine columns and one for each sample, between tabs.",
        remedy="Export the file again; the line was cut, or a field holds a tab or is missing.",
    ),
    Rule(
        id="chromosome-invalid",
        stage=2,
        severity=_ERROR,
        asks="Chromosomes are 1 to 22, X and MT, with or without chr.",
        remedy="Leave out the other records: bcftools view -t.",
        repair="split",
    ),
    Rule(
        id="chromosome-several",
        stage=2,
        severity=_ERROR,
        asks="A file has one chromosome.",
        remedy="Split the file by chromosome.",
        repair="split",
    ),
    Rule(
        id="chromosome-prefix",
        stage=2,
        severity=_ERROR,
        asks="hg38 writes chromosomes with chr, hg19 without.",
        remedy="Rename the chromosomes, or choose the other build if the positions are of it.",
        repair="rename",
    ),
    Rule(
        id="position",
        stage=2,
        severity=_ERROR,
        asks="POS is a whole number from 1 to 536,870,911.",
        remedy="Correct or remove the line.",
    ),
    Rule(
        id="position-beyond",
        stage=2,
        severity=_WARNING,
        asks="No position lies beyond the end of its chromosome.",
        remedy="Choose the other build if the positions are of it; else remove the line.",
    ),
    Rule(
        id="unsorted",
        stage=2,
        severity=_ERROR,
        asks="Records are sorted by position, and those of a chromosome follow each other.",
        remedy="Sort the file: bcftools sort.",
        repair="sort",
    ),
    Rule(
        id="ref-is-alt",
        stage=2,
        severity=_ERROR,
        asks="REF and ALT are not the same.",
        remedy="Correct or remove the line.",
    ),
    Rule(
        id="format-gt",
        stage=2,
        severity=_ERROR,
        asks="FORMAT starts with GT.",
        remedy="Export the file with genotypes as its first field.",
    ),
    Rule(
        id="genotype",
        stage=2,
        severity=_ERROR,
        asks="A genotype is one or two alleles, numbers or dots, with | or / between them.",
        remedy="Correct the genotypes of the line, or remove it.",
    ),
    Rule(
        id="genotype-allele",
        stage=2,
        severity=_ERROR,
        asks="A genotype names no allele that ALT does not have.",
        remedy="Correct the genotypes of the line, or remove it.",
    ),
    Rule(
        id="genotype-haploid",
        stage=2,
        severity=_ERROR,
        asks="Genotypes have two alleles, save those of MT and of nonPAR chromosome X.",
        remedy="Write both alleles, or ./. for a missing genotype.",
    ),
    Rule(
        id="unphased",
        stage=2,
        severity=_ERROR,
        asks="Genotypes are phased when no phasing is asked for.",
        remedy="Select an algorithm for phasing, or phase the file first.",
    ),
    # What is left out of the imputation, in the order in which the services look.
    Rule(
        id="site-multiallelic",
        stage=2,
        severity=_WARNING,
        asks="A site has one ALT allele.",
        remedy="Split such sites: bcftools norm -m-.",
    ),
    Rule(
        id="site-alleles",
        stage=2,
        severity=_WARNING,
        asks="REF and ALT are of the letters A, C, G and T.",
        remedy="Write the alleles as capitals; sites without a known ALT cannot be used.",
    ),
    Rule(
        id="site-duplicate",
        stage=2,
        severity=_WARNING,
        asks="A site with the same alleles comes once.",
        remedy="Keep one of them: bcftools norm -d exact.",
    ),
    Rule(
        id="site-filtered",
        stage=2,
        severity=_WARNING,
        asks="FILTER is PASS or a dot.",
        remedy="Nothing, if these sites failed your own control; else set FILTER to PASS.",
    ),
    Rule(
        id="site-indel",
        stage=2,
        severity=_WARNING,
        asks="Sites are SNPs: REF and ALT are one base each.",
        remedy="Nothing; insertions and deletions are left out and may be imputed.",
    ),
    Rule(
        id="site-monomorphic",
        stage=2,
        severity=_WARNING,
        asks="At least one sample carries ALT.",
        remedy="Nothing; such sites tell nothing about the samples and are left out.",
    ),
    # Beside a panel.
    Rule(
        id="panel-sites",
        stage=2,
        severity=_INFO,
        asks="The sites of the panel are known here.",
        remedy="Get the site list of the panel and add it, to compare the file with it.",
    ),
    Rule(
        id="panel-build",
        stage=2,
        severity=_WARNING,
        asks="The file is of the panel's build.",
        remedy="Choose a panel of that build, or a service that lifts the positions over.",
    ),
    Rule(
        id="panel-chromosome",
        stage=2,
        severity=_ERROR,
        asks="The panel has the chromosome.",
        remedy="Choose a panel that has it.",
    ),
    Rule(
        id="panel-flips",
        stage=2,
        severity=_WARNING,
        asks="Alleles are on the panel's strand.",
        remedy="Align the file to the forward strand, for example with the array's strand file.",
        repair="flip",
    ),
    Rule(
        id="panel-switches",
        stage=2,
        severity=_WARNING,
        asks="REF and ALT are the panel's, not swapped.",
        remedy="Swap REF and ALT of these sites: the services leave them out.",
        repair="swap",
    ),
    Rule(
        id="panel-mismatches",
        stage=2,
        severity=_WARNING,
        asks="Alleles are those of the panel.",
        remedy="Look whether the file is of the chosen build; such sites are left out.",
    ),
    Rule(
        id="panel-call-rate",
        stage=2,
        severity=_WARNING,
        asks="At most 10 % of a site's genotypes are missing.",
        remedy="Nothing, if you know why; else remove samples with many missing genotypes.",
    ),
    Rule(
        id="panel-chunks",
        stage=2,
        severity=_WARNING,
        asks="Every 20 Mb have enough sites of the panel, and of every sample enough genotypes.",
        remedy="Look at build and strand first, then at samples with many missing genotypes.",
    ),
    Rule(
        id="panel-refused",
        stage=2,
        severity=_ERROR,
        asks="The file as a whole passes the limits of the panel's service.",
        remedy="See the panel's own findings for the reason.",
    ),
    # The genotypes.
    Rule(
        id="sample-call-rate",
        stage=3,
        severity=_WARNING,
        asks="Every sample is called at 90 % of the sites or more.",
        remedy="Remove the sample: one below 50 % in a chunk costs all samples that chunk.",
    ),
    Rule(
        id="sample-heterozygosity",
        stage=3,
        severity=_WARNING,
        asks="No sample is far more or far less heterozygous than the others.",
        remedy="Look for contamination (too much) or for relatedness and dropout (too little).",
    ),
    Rule(
        id="x-mixed",
        stage=3,
        severity=_ERROR,
        asks="On chromosome X a sample has few genotypes with one allele missing (10 % at most).",
        remedy="Write genotypes of men as one allele, or as two of the same.",
    ),
    Rule(
        id="x-ploidy",
        stage=3,
        severity=_ERROR,
        asks="On nonPAR chromosome X a sample has one allele at all sites, or two at all.",
        remedy="Make them the same: bcftools +fixploidy.",
    ),
    Rule(
        id="panel-frequencies",
        stage=3,
        severity=_WARNING,
        asks="Allele frequencies are near those of the panel.",
        remedy="Look at strand and build, and whether the panel is of people like yours.",
    ),
)

RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in _ALL})
