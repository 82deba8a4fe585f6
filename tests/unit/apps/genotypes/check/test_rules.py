"""Every rule has a small file that breaks it; what is said names the file, the line, the remedy."""

import gzip
import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.genotypes.bgzf import END_BLOCK
from apps.genotypes.check.beside_panel import PanelChoice
from apps.genotypes.check.catalog import RULES
from apps.genotypes.check.report import Severity
from apps.genotypes.rules import JobLimits
from tests.unit.apps.genotypes.check.files import (
    META,
    bgzf,
    check,
    found,
    panel,
    row,
    site,
    text,
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file that breaks a rule.

    Attributes:
        content: Its text, compressed with bgzip unless `raw`.
        line: Where the rule is broken first; None for the file as a whole.
        panel: Sites of a panel to compare with.
        says: Some of the message.
    """

    content: bytes
    line: int | None = None
    count: int = 1
    says: str = ""
    raw: bool = False
    panel: tuple[str, ...] | None = None
    rules: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)


def archive(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for name in names:
            out.writestr(name, b"x")
    return file.getvalue()


def many(count, **fields):
    return [row(5 + number, **fields) for number in range(count)]


X = {"chromosome": "chrX", "meta": ("##fileformat=VCFv4.2",)}
MANY = tuple(f"s{number}" for number in range(30))


def heterozygous_once():
    """200 sites: one sample heterozygous at all of them, the others at few."""
    rows = []
    for number in range(200):
        calls = ["0|1" if sample == number % 29 else "0|0" for sample in range(29)]
        rows.append(row(5 + number, calls=(*calls, "0|1")))
    return text(*rows, samples=MANY)


CASES = {
    "empty": Case(content=b"", raw=True),
    "format-unknown": Case(content=b"\x89PNG\r\n\x1a\n" + bytes(40), raw=True),
    "format-encoding": Case(content=b"\xef\xbb\xbf" + text(row()), says="byte order mark"),
    "format-bcf": Case(content=b"BCF\2\2" + bytes(30)),
    "format-plink": Case(content=b"\x6c\x1b\x01" + bytes(30), raw=True),
    "format-plink-order": Case(
        content=b"\x6c\x1b\x00" + bytes(30), raw=True, says="PLINK set, or a part of one. Its"
    ),
    "format-bgen": Case(content=bytes(16) + b"bgen" + bytes(30), raw=True),
    "format-zip": Case(content=archive("a.vcf", "b.vcf"), raw=True),
    "gzip": Case(content=gzip.compress(text(row())), raw=True),
    "uncompressed": Case(content=text(row()), raw=True),
    "truncated": Case(content=b"", raw=True),  # made in its test
    "damaged": Case(content=b"", raw=True),
    "line-length": Case(content=text(row(), "chr20\t6\t" + "x" * (9 << 20)), line=5),
    "line-ends": Case(content=text(row(), row(6)).replace(b"\n", b"\r\n"), line=1, count=3),
    "nul": Case(content=text(row(), row(6).replace("PASS\t.", "PASS\tA\0")), line=5),
    "header": Case(content=text(row(), meta=META[1:]), line=1, says="##fileformat=VCF"),
    "header-columns": Case(content=text(row()).replace(b"#CHROM\tPOS", b"#CHROM POS"), line=3),
    "header-length": Case(
        content=b"##fileformat=VCFv4.2\n" + (b"##" + b"x" * (4 << 20) + b"\n") * 17, line=17
    ),
    "samples-none": Case(content=text(row(calls=()), samples=()), line=3),
    "samples-twice": Case(content=text(row(), samples=("a", "a")), line=3, says="ID: a."),
    "samples-names": Case(content=text(row(), samples=("a", "\x1b[2J")), line=3),
    "samples-number": Case(
        content=text(row()), line=3, says="At least 20", choices={"limits": JobLimits()}
    ),
    "build-conflict": Case(
        content=text(row(), meta=(*META, "##contig=<ID=chr21,length=48129895>"))
    ),
    "build-differs": Case(content=text(row()), choices={"build": "hg19"}),
    "version": Case(
        content=text(row(chromosome="chrX"), meta=("##fileformat=VCFv4.3",)), says="VCF 4.3"
    ),
    "records-none": Case(content=text()),
    "columns": Case(content=text(row(), row(6, calls=("0|1",)), row(7), ""), line=5, count=2),
    "chromosome-invalid": Case(
        content=text(row(), row(6, chromosome="chrY")), line=5, says="found: chrY"
    ),
    "chromosome-several": Case(content=text(row(), row(chromosome="chr21")), count=2),
    "chromosome-prefix": Case(
        content=text(row(chromosome="20")), line=4, says="hg38 writes 'chr20'"
    ),
    "position": Case(content=text(row("0"), row("x"), row("5e8"), row(2**29)), line=4, count=4),
    "position-beyond": Case(content=text(row(), row(64_444_168)), line=5, says="64,444,167"),
    "unsorted": Case(content=text(row(5), row(4), row(6), row(3)), line=5, count=2),
    "ref-is-alt": Case(
        content=text(row(), row(6, alt="A"), row(7, ref="CC", alt="CC")), line=5, count=2
    ),
    "format-gt": Case(content=text(row(), row(6, form="DS"), row(7, form="GTX")), line=5, count=2),
    "genotype": Case(
        content=text(row(), row(6, calls=("0|1|1", "0|1")), row(7, calls=("x", "0|1"))),
        line=5,
        count=2,
        says="more than two alleles",
    ),
    "genotype-allele": Case(content=text(row(), row(6, calls=("0|2", "0|1"))), line=5),
    "genotype-haploid": Case(content=text(row(), row(6, calls=("0", "0|1"))), line=5),
    "unphased": Case(
        content=text(row(), row(6, calls=("0/1", "0|1"))), line=5, choices={"phasing": False}
    ),
    "site-multiallelic": Case(content=text(row(), row(6, alt="C,G")), line=5),
    "site-alleles": Case(
        content=text(row(), row(6, alt="<DEL>"), row(7, ref="n")), line=5, count=2
    ),
    "site-duplicate": Case(content=text(row(), row(), row(6, flags="DUP")), line=5, count=2),
    "site-filtered": Case(content=text(row(), row(6, flags="q10")), line=5),
    "site-indel": Case(content=text(row(), row(6, ref="AC")), line=5),
    "site-monomorphic": Case(content=text(row(), row(6, calls=("0|0", "."))), line=5),
    "panel-sites": Case(
        content=text(row()), choices={"panels": [PanelChoice(key="afr", tables=None)]}
    ),
    "panel-build": Case(
        content=text(row(chromosome="20"), meta=META[:1]),
        panel=(site(5),),
        choices={"build": "hg19"},
        says="The panel is of hg38, the file of hg19.",
    ),
    "panel-chromosome": Case(content=text(row(chromosome="chr21")), panel=(site(5),)),
    "panel-flips": Case(
        content=text(row(), row(6, ref="G", alt="T")),
        panel=(site(5), site(6)),
        line=5,
    ),
    "panel-switches": Case(
        content=text(row(), row(6, ref="C", alt="A")), panel=(site(5), site(6)), line=5
    ),
    "panel-mismatches": Case(
        content=text(row(), row(6, alt="G")), panel=(site(5), site(6)), line=5
    ),
    "panel-call-rate": Case(
        content=text(row(), row(6, calls=("./.", "0|1"))), panel=(site(5), site(6)), line=5
    ),
    "panel-chunks": Case(content=text(row()), panel=(site(5),), says="1 of 1 chunks"),
    "panel-refused": Case(content=text(row()), panel=(site(6),), says="No chunks passed"),
    "sample-call-rate": Case(content=text(row(), row(6, calls=("0|1", "."))), says="90 %"),
    "sample-heterozygosity": Case(content=heterozygous_once()),
    "x-mixed": Case(
        content=text(row(3_000_000, chromosome="chrX", calls=("1|.", "0|1")), meta=META[:1])
    ),
    "x-ploidy": Case(
        content=text(
            row(3_000_000, chromosome="chrX", calls=("1", "0|1")),
            row(3_000_001, chromosome="chrX"),
            meta=META[:1],
        )
    ),
    "panel-frequencies": Case(content=text(row()), panel=(site(5, frequency=0.1),), line=4),
}


def broken(content: bytes) -> bytes:
    """A byte in the middle of the last block of data is another one."""
    at = len(content) - len(END_BLOCK) - 20
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


@pytest.fixture
def run(tmp_path):
    def run(rule):
        case = CASES[rule]
        path = tmp_path / "file"
        if case.raw:
            path.write_bytes(case.content)
        else:
            bgzf(path, case.content)
        if rule == "truncated":
            path.write_bytes(bgzf(path, text(row())).read_bytes()[: -len(END_BLOCK)])
        if rule == "damaged":
            path.write_bytes(broken(bgzf(path, text(row())).read_bytes()))
        choices = dict(case.choices)
        if case.panel is not None:
            choices["panels"] = [panel(tmp_path, *case.panel, **case.rules)]
        return check(path, **choices)

    return run


@pytest.mark.parametrize("rule", sorted(CASES))
def test_a_file_that_breaks_a_rule_is_told_where_and_what_to_do(run, rule):
    [finding] = found(run(rule), rule)
    case, known = CASES[rule], RULES[rule]
    assert finding.file == "study.vcf.gz"
    assert finding.severity is known.severity
    if rule != "damaged":  # where its block ends depends on how it was packed
        assert finding.line == case.line
    assert finding.count == case.count
    assert case.says in finding.message
    assert finding.message.endswith((".", "!", "index."))
    assert finding.remedy == known.remedy
    assert finding.repair == known.repair
    assert len(finding.examples) <= finding.count


def test_every_rule_has_a_file_that_breaks_it():
    assert set(CASES) == set(RULES)


def test_every_repair_that_is_offered_exists():
    from apps.genotypes.repair.orders import Repair

    assert {rule.repair for rule in RULES.values()} - {None} <= {one.value for one in Repair}


def test_a_good_file_breaks_no_rule_and_is_accepted(tmp_path):
    path = bgzf(tmp_path / "file", text(*many(20)))
    afr = panel(tmp_path, *(site(5 + number, frequency=0.75) for number in range(20)))
    report = check(path, panels=[afr], build="hg38", phasing=False)
    assert report.findings == ()
    [beside] = report.panels
    assert (beside.accepted, beside.reasons) == ("yes", ())
    assert (beside.matches, beside.overlap, beside.chunks_kept) == (20, 1.0, 1)
    assert report.facts.complete


def test_the_worst_comes_first(tmp_path):
    rows = [row(), row(6, ref="AC"), row(7, chromosome="chrY"), row(8, flags="q10")]
    path = bgzf(tmp_path / "file", text(*rows))
    unknown = PanelChoice(key="afr", tables=None)
    findings = check(path, panels=[unknown]).findings
    order = list(Severity)
    severities = [order.index(finding.severity) for finding in findings]
    assert severities == sorted(severities)
    assert set(severities) == {0, 1, 2}
