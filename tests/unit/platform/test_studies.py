"""The demonstration's study: real when it can be had, simulated and said so when not."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.genotypes.bgzf import check_end
from apps.node.example import RealDataMissing, fetch_example
from apps.node.kit_panels import KIT
from apps.node.pipeline.panels import read_panels
from federated_imputation.platform.studies import Study, prepare

SAMPLES = [f"HG{number:05}" for number in range(1, 21)]
ARRAY = (1_000_100, 1_000_300)
EXAMPLE_FILES = ("chr20.b37.gmap.gz", "reference.vcf.gz", "scaffold.vcf.gz")


def write_example(folder: Path) -> None:
    """Files shaped as those of Debian's package: 20 samples, 4 sites, 2 of them on the array."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=20>"]
    fixed = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    lines.append("\t".join([*fixed, *SAMPLES]))
    for site in range(4):
        calls = [f"{(person + site) % 2}|{int(person == site)}" for person in range(20)]
        fixed = ["20", str(1_000_100 + 100 * site), f"rs{site}", "A", "C", ".", ".", "AC=1;AN=2"]
        lines.append("\t".join([*fixed, "GT", *calls]))
    array = [line for line in lines if line.startswith("#") or int(line.split("\t")[1]) in ARRAY]
    write_gzip(folder / "reference.vcf.gz", lines)
    write_gzip(folder / "scaffold.vcf.gz", array)
    write_gzip(folder / "chr20.b37.gmap.gz", ["pos\tchr\tcM", "1000000\t20\t1.5"])


def write_gzip(path: Path, lines: list[str]) -> None:
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


def read_records(path: Path) -> tuple[list[str], list[list[str]]]:
    """Sample names and records of a VCF."""
    rows = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    header = next(row for row in rows if row[0] == "#CHROM")
    return header[9:], [row for row in rows if not row[0].startswith("#")]


def unreachable(into: Path) -> None:
    raise RealDataMissing("the archive cannot be reached")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def real(tmp_path: Path, said: list[str]) -> Study:
    installed = tmp_path / "installed"
    write_example(installed)
    return prepare(
        "auto", tmp_path / "studies", say=said.append, installed=installed, fetch=unreachable
    )


def test_prepare_takes_every_fifth_sample_as_the_target(real: Study) -> None:
    truth_samples, truth = read_records(real.truth)
    target_samples, target = read_records(real.target)

    assert truth_samples == target_samples == SAMPLES[4::5]
    assert real.samples == 4
    assert [int(row[1]) for row in truth] == [1_000_100, 1_000_200, 1_000_300, 1_000_400]
    assert [int(row[1]) for row in target] == list(ARRAY)
    assert truth[1][9:] == ["1|0", "0|0", "1|0", "0|0"]  # of the persons 4, 9, 14 and 19


def test_prepare_makes_the_target_without_its_phase_too(real: Study) -> None:
    _, phased = read_records(real.target)
    samples, unphased = read_records(real.unphased)

    assert samples == SAMPLES[4::5]
    assert [row[:9] for row in unphased] == [row[:9] for row in phased]
    assert "1|0" in phased[0][9:]
    for row, other in zip(unphased, phased, strict=True):
        assert row[9:] == ["/".join(sorted(call.split("|"))) for call in other[9:]]


def test_prepare_names_the_real_study_without_simulated(real: Study, said: list[str]) -> None:
    assert not real.simulated
    assert "SIMULATED" not in real.label
    assert said == []


def test_prepare_deals_the_other_samples_to_the_two_nodes(real: Study) -> None:
    first, second = real.panels

    others = [sample for sample in SAMPLES if sample not in SAMPLES[4::5]]
    assert (first.deployment, second.deployment) == ("node-afr", "node-eur")
    assert list(first.samples or ()) == others[0::2]
    assert list(second.samples or ()) == others[1::2]


def test_prepared_files_are_complete_bgzf(real: Study) -> None:
    check_end(real.target)
    check_end(real.unphased)
    check_end(real.truth)


def test_install_writes_a_panel_that_the_node_reads(real: Study, tmp_path: Path) -> None:
    root = tmp_path / "panels"

    real.panels[0].install(root)
    real.panels[0].install(root)

    (panel,) = read_panels(root)
    assert panel.key == "apps@1000g-a@1.0.0"
    assert (panel.samples, panel.build, panel.simulated) == (8, "hg19", False)


def test_prepare_makes_the_study_once_when_it_runs_twice_at_once(tmp_path: Path) -> None:
    write_example(tmp_path / "installed")
    studies: list[Study] = []
    together = threading.Barrier(2)

    def run() -> None:
        together.wait()
        studies.append(
            prepare("real", tmp_path / "studies", say=print, installed=tmp_path / "installed")
        )

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert studies[0] == studies[1]
    assert [path.name for path in (tmp_path / "studies").iterdir()] == ["real-2"]
    assert studies[0].truth.is_file()


def test_prepare_starts_again_after_an_interruption(tmp_path: Path, said: list[str]) -> None:
    folder, nowhere = tmp_path / "studies", tmp_path / "nowhere"

    def interrupted(into: Path) -> None:
        (into / "reference.vcf.gz").write_bytes(b"half of it")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("auto", folder, say=said.append, installed=nowhere, fetch=interrupted)
    study = prepare("real", folder, say=said.append, installed=nowhere, fetch=write_example)

    assert study.truth.is_file()
    assert sorted(path.name for path in folder.iterdir()) == ["real-2", "shapeit4-example"]


def test_prepare_fetches_only_once(tmp_path: Path, said: list[str]) -> None:
    folder, nowhere = tmp_path / "studies", tmp_path / "nowhere"

    first = prepare("real", folder, say=said.append, installed=nowhere, fetch=write_example)
    second = prepare("real", folder, say=said.append, installed=nowhere, fetch=unreachable)

    assert first == second
    assert len(said) == 1
    assert "Fetching" in said[0]


def test_prepare_falls_back_to_the_simulated_study_and_says_why(
    tmp_path: Path, said: list[str]
) -> None:
    study = prepare(
        "auto", tmp_path / "studies", say=said.append, installed=tmp_path, fetch=unreachable
    )

    assert study.simulated
    assert "the archive cannot be reached" in said[-1]
    assert "SIMULATED" in said[-1]


def test_prepare_refuses_the_fallback_when_real_data_are_insisted_on(tmp_path: Path) -> None:
    with pytest.raises(RealDataMissing, match="cannot be reached"):
        prepare("real", tmp_path / "studies", say=print, installed=tmp_path, fetch=unreachable)


def test_prepare_says_simulated_wherever_the_kit_is_named(tmp_path: Path) -> None:
    study = prepare("kit", tmp_path, say=print, fetch=unreachable)

    assert study.simulated
    assert "SIMULATED" in study.label
    assert all(panel.simulated and "SIMULATED" in panel.name for panel in study.panels)
    assert study.target == KIT / "target.phased.vcf.gz"
    assert study.samples == 40


def test_prepare_refuses_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="STUDY is 'reel'; it must be auto, real or kit"):
        prepare("reel", tmp_path, say=print)  # type: ignore[arg-type]


@pytest.fixture
def commands(tmp_path: Path) -> Callable[[str], str]:
    """Makes a search path with an `apt-get` of the given body and a `dpkg-deb` that unpacks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    unpacked = tmp_path / "package" / "usr" / "share" / "doc" / "shapeit4" / "examples" / "test"
    write_example(unpacked)

    def write(name: str, body: str) -> None:
        script = folder / name
        script.write_text(f"#!{sys.executable}\nimport pathlib, sys\n{body}\n")
        script.chmod(0o755)

    def make(apt: str) -> str:
        write("apt-get", apt)
        write(
            "dpkg-deb",
            "import shutil\n"
            "assert sys.argv[1] == '-x' and pathlib.Path(sys.argv[2]).is_file()\n"
            f"shutil.copytree({str(tmp_path / 'package')!r}, sys.argv[3])",
        )
        return str(folder)

    return make


DOWNLOADS = "pathlib.Path('shapeit4-example_4.2.2_all.deb').touch()"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "fetched" / "example"
    folder.mkdir(parents=True)
    return folder


def assert_nothing_else_is_left(into: Path) -> None:
    assert [path.name for path in into.parent.iterdir()] == [into.name]


def test_fetch_keeps_the_needed_files_and_ignores_warnings(
    into: Path, commands: Callable[[str], str]
) -> None:
    path = commands(f"print('W: Download is performed unsandboxed', file=sys.stderr)\n{DOWNLOADS}")

    fetch_example(into, path=path)

    assert sorted(file.name for file in into.iterdir()) == list(EXAMPLE_FILES)
    assert_nothing_else_is_left(into)


def test_fetch_brings_its_own_package_lists_when_there_are_none(
    into: Path, commands: Callable[[str], str]
) -> None:
    own_lists = "any(word.startswith('Dir::State::lists=') for word in sys.argv)"
    path = commands(
        f"if not {own_lists}:\n    sys.exit('E: Unable to locate package shapeit4-example')\n"
        f"if 'download' in sys.argv:\n    {DOWNLOADS}"
    )

    fetch_example(into, path=path)

    assert sorted(file.name for file in into.iterdir()) == list(EXAMPLE_FILES)


def test_fetch_gives_the_reason_of_apt_when_it_fails(
    into: Path, commands: Callable[[str], str]
) -> None:
    path = commands("sys.exit('W: hm\\nE: Temporary failure resolving deb.debian.org')")

    with pytest.raises(RealDataMissing, match=r"apt-get failed: Temporary failure resolving"):
        fetch_example(into, path=path)
    assert_nothing_else_is_left(into)


def test_fetch_says_so_where_apt_is_not_installed(into: Path, tmp_path: Path) -> None:
    with pytest.raises(RealDataMissing, match="apt-get is not installed"):
        fetch_example(into, path=str(tmp_path))


def test_fetch_refuses_a_package_without_the_files(
    into: Path, tmp_path: Path, commands: Callable[[str], str]
) -> None:
    path = commands(DOWNLOADS)
    for file in (tmp_path / "package").rglob("scaffold.vcf.gz"):
        file.unlink()

    with pytest.raises(RealDataMissing, match="does not hold the expected files"):
        fetch_example(into, path=path)


def test_importing_the_studies_needs_no_settings() -> None:
    command = [sys.executable, "-c", "import federated_imputation.platform.studies"]
    environment = {name: os.environ[name] for name in ("PATH",) if name in os.environ}

    subprocess.run(command, env=environment, check=True)
