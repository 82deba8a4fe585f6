"""Writing a panel: beside its place, then renamed."""

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from hashlib import file_digest
from pathlib import Path
from typing import Any

from apps.genotypes.builds import AUTOSOMES, BUILDS
from apps.genotypes.rules import PanelRules
from apps.node.pipeline.panels.manifest import (
    MANIFEST,
    Panel,
    PanelError,
    Population,
    read_panel,
)
from apps.node.pipeline.panels.records import Copied, copy_genotypes, copy_map
from apps.shared.durable import sync_folder, sync_tree

__all__ = ["write_panel"]

CHROMOSOMES = (*AUTOSOMES, "X")

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def write_panel(
    root: Path,
    *,
    id: str,  # noqa: A002 - the manifest's own word
    version: str,
    name: str,
    build: str,
    populations: Sequence[Population],
    genotypes: Mapping[str, Path],
    maps: Mapping[str, Path],
    simulated: bool,
    samples: Sequence[str] | None = None,
    rules: PanelRules | None = None,
) -> Panel:
    """Write `<root>/<id>@<version>/` from phased VCF files, or find that it is there already.

    Only POS, ID, REF, ALT and GT are kept, and of the sites only those where a chosen sample
    carries an ALT allele. The chromosome is spelled as its build does, `20` or `chr20`. A process
    that is killed on the way leaves nothing that counts, and the next one sweeps it away.

    Args:
        root: Folder of all panels; it is made when missing.
        id, version: Words of letters, digits, `.`, `_` and `-`.
        build: `hg19` or `hg38`.
        populations: Each of at most as many people as the panel has.
        genotypes: Phased VCF (plain, gzip or BGZF) per chromosome, 1 to 22 and X.
        maps: Genetic map per chromosome, columns `pos chr cM` with a header; may lack some.
        simulated: Whether people must be told that this panel is not of real genomes.
        samples: Names of the samples to keep, in the order wanted; `None` keeps all.
        rules: What the panel asks of uploaded data; `None` is the usual.

    Raises:
        PanelError: an input is not as it must be, or the same version exists with other content.
        OSError: a file cannot be read or written.
    """
    _check_choices(root, id, version, build, populations, genotypes, maps)
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"{id}@{version}"
    with _place_of(folder) as partial:
        copied = {
            chromosome: copy_genotypes(source, partial, chromosome, build, samples)
            for chromosome, source in sorted(genotypes.items())
        }
        people = _check_samples(genotypes, copied, populations)
        chromosomes: dict[str, dict[str, Any]] = {}
        for chromosome, parts in copied.items():
            if (source := maps.get(chromosome)) is not None:
                copy_map(source, partial / f"chr{chromosome}.map.gz", chromosome)
            for part in parts:
                chromosomes[part.name] = {
                    "genotypes": part.path.name,
                    "map": f"chr{chromosome}.map.gz" if chromosome in maps else None,
                    "sites": part.sites,
                    "haplotypes": part.haplotypes,
                    "sha256": _digest(part.path),
                }
        manifest = {
            "id": id,
            "version": version,
            "name": name,
            "build": build,
            "simulated": simulated,
            "samples": people,
            "sites": sum(entry["sites"] for entry in chromosomes.values()),
            "populations": [asdict(population) for population in populations],
            "chromosomes": chromosomes,
            "qc": asdict(rules or PanelRules()),
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        partial.chmod(0o755)
        sync_tree(partial)
        try:
            partial.rename(folder)
            sync_folder(root)
        except OSError:
            if not folder.is_dir():
                raise
            _must_be_same(folder, manifest)
    return read_panel(folder)


def _check_choices(
    root: Path,
    panel_id: str,
    version: str,
    build: str,
    populations: Sequence[Population],
    genotypes: Mapping[str, Path],
    maps: Mapping[str, Path],
) -> None:
    for word in (panel_id, version):
        if not _WORD.fullmatch(word):
            raise PanelError(
                root, f"{word!r} is not a word of letters, digits, dots, dashes and underscores"
            )
    if build not in BUILDS:
        raise PanelError(root, f"unknown build {build!r}; known are hg19 and hg38")
    if not genotypes or not set(genotypes) <= set(CHROMOSOMES):
        raise PanelError(root, "a panel needs at least one chromosome, and only 1 to 22 and X")
    if alone := sorted(set(maps) - set(genotypes)):
        raise PanelError(root, f"there is a map of chromosome {alone[0]}, but no genotypes")
    ids = [population.id for population in populations]
    if not ids or not all(ids) or len(set(ids)) < len(ids):
        raise PanelError(root, "the populations need ids, all different")


def _check_samples(
    genotypes: Mapping[str, Path],
    copied: Mapping[str, Sequence[Copied]],
    populations: Sequence[Population],
) -> int:
    """The number of samples, which all files must have alike."""
    first = next(iter(copied))
    expected = copied[first][0].samples
    for chromosome, parts in copied.items():
        if parts[0].samples != expected:
            raise PanelError(
                genotypes[chromosome],
                f"has other samples ({len(parts[0].samples)}) than {genotypes[first].name} "
                f"({len(expected)}), or has them in another order",
            )
    for population in populations:
        if population.samples > len(expected):
            raise PanelError(
                genotypes[first],
                f"has {len(expected)} samples, fewer than the {population.samples} of population "
                f"{population.id}",
            )
    return len(expected)


@contextmanager
def _place_of(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, removed at the end.

    Its writer holds a lock on it, so that what a killed one left can be told and swept away.
    """
    root = folder.parent
    with ExitStack() as stack:
        with _locked(root):
            for left in root.glob(".*.writing-*"):
                with suppress(BlockingIOError), _locked(left, wait=False):
                    shutil.rmtree(left, ignore_errors=True)
            partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.writing-", dir=root))
            stack.enter_context(_locked(partial))
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder; it ends with the process, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _must_be_same(folder: Path, manifest: dict[str, Any]) -> None:
    path = folder / MANIFEST
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PanelError(path, f"cannot be read ({error})") from error
    if _plain(there) != _plain(manifest):
        raise PanelError(path, "exists with other content; write it under another version")


def _plain(manifest: dict[str, Any]) -> dict[str, Any]:
    """Without what panels did not name before chromosome X."""
    entries = {
        name: {key: value for key, value in entry.items() if key != "haplotypes"}
        for name, entry in manifest["chromosomes"].items()
    }
    return {**manifest, "chromosomes": entries}
