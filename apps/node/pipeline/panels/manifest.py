"""Reading panels: the manifest of a folder as an object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from apps.genotypes.builds import AUTOSOMES, BUILDS
from apps.genotypes.chromosome_x import whole
from apps.genotypes.rules import PanelRules

__all__ = [
    "MANIFEST",
    "RETIRED",
    "Panel",
    "PanelChromosome",
    "PanelError",
    "Population",
    "read_panel",
    "read_panels",
]

MANIFEST = "manifest.json"
RETIRED = "retired"


class PanelError(ValueError):
    """A panel cannot be read or written; the text names the file and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Population:
    """A choice of the allele-frequency check; `samples` of -1 means that it is skipped."""

    id: str
    name: str
    samples: int


@dataclass(frozen=True, kw_only=True)
class PanelChromosome:
    """One chromosome of a panel, or one region of X.

    Attributes:
        genotypes: Phased VCF, BGZF, sorted, only GT; a man has one allele in `X.nonPAR`.
        map: Genetic map with the columns `pos chr cM` and that header, gzip.
        sites: Number of records of `genotypes`.
        haplotypes: Number of alleles in each record.
        sha256: Digest of `genotypes`, in hexadecimal.
    """

    genotypes: Path
    map: Path | None
    sites: int
    haplotypes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A reference panel that can be imputed against.

    Attributes:
        chromosomes: By name without `chr`; X by its regions, `X.nonPAR`.
        rules: What it asks of uploaded data.
        retired_at: Since when no new jobs get it; None while it is offered.
    """

    folder: Path
    id: str
    version: str
    name: str
    build: str
    simulated: bool
    samples: int
    sites: int
    populations: tuple[Population, ...]
    chromosomes: Mapping[str, PanelChromosome]
    rules: PanelRules = field(default_factory=PanelRules)
    retired_at: datetime | None = None

    @property
    def key(self) -> str:
        """How the Michigan API names it."""
        return f"apps@{self.id}@{self.version}"

    @property
    def names(self) -> tuple[str, ...]:
        """Its chromosomes as people name them, `20` and `X`, in their usual order."""
        found = {whole(name) for name in self.chromosomes}
        return tuple(name for name in (*AUTOSOMES, "X") if name in found)


def read_panels(root: Path, *, retired: bool = True) -> list[Panel]:
    """Read the panels below `root`, ordered by id and version; a missing root has none.

    Args:
        retired: Whether those that are out of service are read too.

    Raises:
        PanelError: a manifest is broken, or a file it names is missing.
    """
    # A name that starts with a dot is a panel on its way.
    folders = sorted(
        path.parent for path in root.glob(f"*@*/{MANIFEST}") if not path.parent.name.startswith(".")
    )
    return [read_panel(each) for each in folders if retired or not (each / RETIRED).exists()]


def read_panel(folder: Path) -> Panel:
    """Read the panel in `folder`.

    Raises:
        PanelError: its manifest is broken, or a file it names is missing.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        panel = _parse(folder, manifest)
    except OSError as error:
        raise PanelError(path, f"cannot be read ({error.strerror})") from error
    except KeyError as error:
        raise PanelError(path, f"has no {error}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise PanelError(path, f"is broken ({error})") from error
    if folder.name != f"{panel.id}@{panel.version}":
        raise PanelError(path, f"is of {panel.id}@{panel.version}, its folder is not named so")
    if panel.build not in BUILDS:
        raise PanelError(path, f"names the unknown build {panel.build!r}")
    for chromosome in panel.chromosomes.values():
        for file in (chromosome.genotypes, chromosome.map):
            if file is not None and not file.is_file():
                raise PanelError(path, f"names {file.name}, which is missing")
    return panel


def _parse(folder: Path, manifest: Any) -> Panel:
    panel_id, version = str(manifest["id"]), str(manifest["version"])
    samples = int(manifest["samples"])
    return Panel(
        folder=folder,
        id=panel_id,
        version=version,
        name=str(manifest["name"]),
        build=str(manifest["build"]),
        simulated=bool(manifest["simulated"]),
        samples=samples,
        sites=int(manifest["sites"]),
        populations=tuple(
            Population(id=str(p["id"]), name=str(p["name"]), samples=int(p["samples"]))
            for p in manifest["populations"]
        ),
        chromosomes={
            str(name): PanelChromosome(
                genotypes=folder / entry["genotypes"],
                map=folder / entry["map"] if entry["map"] is not None else None,
                sites=int(entry["sites"]),
                haplotypes=int(entry.get("haplotypes", 2 * samples)),
                sha256=str(entry["sha256"]),
            )
            for name, entry in manifest["chromosomes"].items()
        },
        rules=PanelRules(**manifest["qc"]),
        retired_at=_read_retirement(folder / RETIRED),
    )


def _read_retirement(path: Path) -> datetime | None:
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    return datetime.fromisoformat(text.strip())
