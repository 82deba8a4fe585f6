"""Real genotypes from Debian's package `shapeit4-example`.

It carries 300 phased genomes and the sites of a genotyping array from the 1000 Genomes Project
(chr20:1-4 Mb, GRCh37). Slim images leave an installed package's documentation folder out, where
the files are, so the package is unpacked here, into a folder of ours.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

__all__ = [
    "ARRAY",
    "INSTALLED",
    "MAP",
    "REFERENCE",
    "RealDataMissing",
    "fetch_example",
    "find_example",
    "make_folder",
]

INSTALLED: Final = Path("/usr/share/doc/shapeit4/examples/test")
REFERENCE: Final = "reference.vcf.gz"
ARRAY: Final = "scaffold.vcf.gz"
MAP: Final = "chr20.b37.gmap.gz"

_PACKAGE: Final = "shapeit4-example"
# As root, apt would hand the download to a user who cannot enter our folder.
_APT: Final = (
    *("-q", "-o", "APT::Sandbox::User=root", "-o", "APT::Update::Error-Mode=any"),
    *("-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"),
    *("-o", "Acquire::Retries=0"),
)
_LISTS_SECONDS: Final = 60
_DOWNLOAD_SECONDS: Final = 180  # 52 MB
_UNPACK_SECONDS: Final = 60


class RealDataMissing(Exception):
    """The real genotypes are neither installed nor to be had; the message says why."""


class _CommandFailed(RealDataMissing):
    """A command ended with an error, which is not to say that another try will."""


def find_example(
    fetched: Path,
    *,
    installed: Path,
    fetch: Callable[[Path], None],
    say: Callable[[str], None],
) -> Path:
    """The folder with the package's files: `installed`, else `fetched`, filled if need be.

    Raises:
        RealDataMissing: They cannot be had.
    """
    if _is_complete(installed):
        return installed
    if not fetched.is_dir():
        say("Fetching real genotypes (Debian's shapeit4-example, 52 MB, once).")
        make_folder(fetched, fetch)
    if not _is_complete(fetched):
        raise RealDataMissing(f"{fetched} is incomplete; delete it")
    return fetched


def fetch_example(into: Path, *, path: str | None = None) -> None:
    """Download Debian's `shapeit4-example` and keep the files that the study needs in `into`.

    Needs neither root nor installed package lists: those are fetched as well if they are missing.

    Args:
        into: An existing folder.
        path: Search path for `apt-get` and `dpkg-deb` in place of `$PATH`.

    Raises:
        RealDataMissing: This is no Debian, the archive cannot be reached, or it took too long.
    """
    apt, dpkg = (shutil.which(name, path=path) for name in ("apt-get", "dpkg-deb"))
    if apt is None or dpkg is None:
        raise RealDataMissing("apt-get is not installed here")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=into.parent) as name:
        work = Path(name)
        try:
            _run([apt, *_APT, "download", _PACKAGE], work, _DOWNLOAD_SECONDS)
        except _CommandFailed:  # the system's package lists are missing or too old
            own = [*_APT, *_own_package_lists(work)]
            _run([apt, *own, "update"], work, _LISTS_SECONDS)
            _run([apt, *own, "download", _PACKAGE], work, _DOWNLOAD_SECONDS)
        packages = sorted(work.glob(f"{_PACKAGE}_*.deb"))
        if not packages:
            raise RealDataMissing(f"apt-get downloaded no {_PACKAGE}")
        unpacked = work / "unpacked"
        _run([dpkg, "-x", str(packages[0]), str(unpacked)], work, _UNPACK_SECONDS)
        examples = unpacked / INSTALLED.relative_to("/")
        if not _is_complete(examples):
            raise RealDataMissing(f"{packages[0].name} does not hold the expected files")
        for file in (REFERENCE, ARRAY, MAP):
            shutil.move(examples / file, into / file)


def _own_package_lists(work: Path) -> list[str]:
    lists, cache = work / "lists", work / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    return ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}"]


def _run(command: Sequence[str], work: Path, seconds: float) -> None:
    """Run a command quietly.

    Raises:
        _CommandFailed: It ended with an error.
        RealDataMissing: It took longer than `seconds`.
    """
    tool = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RealDataMissing(f"{tool} took longer than {seconds:.0f} s") from None
    if done.returncode != 0:
        complaints = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        said = complaints[0].removeprefix("E:").strip() if complaints else "no reason given"
        raise _CommandFailed(f"{tool} failed: {said}")


def _is_complete(examples: Path) -> bool:
    return all((examples / name).is_file() for name in (REFERENCE, ARRAY, MAP))


def make_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder beside its place and rename it; the first of two that do it wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fill(partial)
        partial.chmod(0o755)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
